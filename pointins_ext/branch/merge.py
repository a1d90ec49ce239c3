"""Regions merge into instances, the surest pair first, as long as the evidence at their contact speaks for it."""

import heapq
import math
from dataclasses import dataclass

import torch

from pointins_ext.branch.cut import Contacts
from pointins_ext.ops import segment_count


@dataclass(frozen=True)
class MergeEvidence:
    """What speaks for one object behind two regions that touch, above 0: merge.

        bias + contact * log(edges / sqrt(smaller size)) + concavity * mean concavity
             + affinity * (mean affinity - 1)

    A long border, not concave, alike in its features. Sizes in voxels. The weights were chosen together, among some
    200 random ones, by mAP + AP50 on 16 procedural rooms of split "train" and 15 training scans of table tops, both
    with the 600-step checkpoint of the quickstart; for `affinity` see `branch.rule`. A fifth term, whether the offsets
    of both point at one center, gains in rooms what it loses on table tops, where it joins boxes that touch: the
    offsets have had their say before, by turning surfaces (`branch.cut`).
    """

    bias: float = 1.3
    contact: float = 1.0
    concavity: float = 6.0
    affinity: float = 1.5

    def __call__(self, edges, affinity, concavity, smaller: int) -> float:
        """Of sums over the contact's edges and the size of the smaller region."""
        value = self.bias + self.contact * math.log(edges / math.sqrt(smaller))
        return value + (self.concavity * concavity + self.affinity * (affinity - edges)) / edges


@dataclass(frozen=True)
class Merged:
    """Instances of the regions of a graph."""

    label: torch.Tensor  # (N,) long, 0..I-1, of every voxel
    rest: torch.Tensor  # (I,) strongest evidence against which an instance stands alone: below 0, -inf without contact


@torch.no_grad()
def merge_regions(region: torch.Tensor, contact: Contacts, evidence: MergeEvidence) -> Merged:
    """Greedy merging of the regions (N,) 0..R-1: always the pair with the most evidence, until none has any.

    Sums of merged pairs are added up, so that every decision sees whole regions (average linkage): one leaking edge
    joins nothing.
    """
    count = int(region.max()) + 1 if len(region) else 0
    sizes = segment_count(region, count).tolist()
    sums = torch.stack([contact.edges.double(), contact.affinity.double(), contact.concavity.double()], dim=1)
    merging = _Merging(sizes, evidence)
    for source, target, values in zip(contact.source.tolist(), contact.target.tolist(), sums.tolist(), strict=True):
        merging.connect(source, target, tuple(values))
    merging.run()
    root, rest = merging.result()
    kept, number = torch.unique(torch.tensor(root, dtype=torch.long), return_inverse=True)
    rest = torch.tensor(rest, dtype=torch.float32)
    return Merged(number.to(region.device)[region], rest[kept].to(region.device))


class _Merging:
    """A queue of pairs by what speaks for them; an entry is outdated once contact or smaller size has changed."""

    def __init__(self, sizes, evidence):
        self.sizes, self.evidence = sizes, evidence
        self.beside: list[dict[int, tuple]] = [{} for _ in sizes]  # neighbor -> sums of the contact
        self.parent = list(range(len(sizes)))
        self.queue = []

    def connect(self, a, b, sums):
        self.beside[a][b] = self.beside[b][a] = sums

    def run(self):
        for a, others in enumerate(self.beside):
            self.offer(a, [b for b in others if a < b])
        while self.queue:
            _, a, b, sums, smaller = heapq.heappop(self.queue)
            if self.beside[a].get(b) is sums and min(self.sizes[a], self.sizes[b]) == smaller:
                a, b = (a, b) if len(self.beside[a]) >= len(self.beside[b]) else (b, a)
                self.offer(a, self.join(a, b))

    def offer(self, a, others):
        """Queue the pairs of `a` that should merge."""
        own, size, sizes = self.beside[a], self.sizes[a], self.sizes
        for b in others:
            sums, smaller = own[b], min(size, sizes[b])
            if (value := self.evidence(*sums, smaller)) > 0:
                heapq.heappush(self.queue, (-value, a, b, sums, smaller))

    def join(self, a, b):
        """`b` becomes part of `a`; returns the neighbors for whom that changes anything, seldom all of them."""
        size, own = self.sizes[a], self.beside[a]
        self.parent[b] = a
        self.sizes[a] += self.sizes[b]
        contacts, self.beside[b] = self.beside[b], {}
        for other, sums in contacts.items():
            del self.beside[other][b]
            if other != a:
                if known := own.get(other):
                    sums = (known[0] + sums[0], known[1] + sums[1], known[2] + sums[2])
                self.connect(a, other, sums)
        # of two sizes the smaller counts
        return [other for other in own if other in contacts or self.sizes[other] > size]

    def result(self):
        """Root of every region, and the strongest evidence that a root has left."""
        root = list(range(len(self.sizes)))
        for node in root:
            top = node
            while self.parent[top] != top:
                top = self.parent[top]
            while self.parent[node] != top:  # shorter ways for those that come after
                self.parent[node], node = top, self.parent[node]
        return self.parent, [self.strongest(a) for a in root]

    def strongest(self, a):
        """Evidence for joining `a` to a neighbor, the most there is; -inf without one."""
        size, sizes = self.sizes[a], self.sizes
        return max((self.evidence(*sums, min(size, sizes[b])) for b, sums in self.beside[a].items()), default=-math.inf)
