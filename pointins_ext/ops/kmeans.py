"""k-means inside each group of a packed batch, all groups at once."""

import torch
import torch.nn.functional as F

from pointins_ext.ops.segment import segment_count

BLOCK = 4096  # rows assigned at once: a block of features stays in the cache


@torch.no_grad()
def kmeans(feat, group, num_clusters, generator=None, num_iterations=10, subsample=1024, normalize=False):
    """Cluster the points of each group on their own (paper, SCR step 1: class-level segments of a view).

    feat (N, C), group (N,) long -> label (N,) long in 0..K-1 within each group.
    k-means++ seeds and Lloyd's iterations see at most `subsample` random points of a group, then every point takes its
    nearest center: on features of rooms 1024 end within 2 % of the inertia of all. Groups with fewer distinct points
    than num_clusters get that many clusters. With `normalize` a feature's direction counts alone. The same generator
    state gives the same labels; a CPU generator serves tensors on any device. ValueError for features that are not
    finite.
    """
    if num_clusters < 1:
        raise ValueError(f"kmeans needs num_clusters >= 1, got {num_clusters}")
    if len(feat) == 0:
        return torch.empty(0, dtype=torch.long, device=feat.device)
    # the sum, because testing every element costs as much as the clustering
    finite = feat.sum(dtype=torch.promote_types(feat.dtype, torch.float32)).isfinite()
    last, finite = torch.stack([group.max(), finite.long()]).tolist()
    if not finite:
        raise ValueError("kmeans: feat holds NaN, infinite or huge values")
    with torch.autocast(feat.device.type, enabled=False):
        return _kmeans(feat, group, last + 1, num_clusters, generator, num_iterations, subsample, normalize)


def _kmeans(feat, group, num_groups, num_clusters, generator, num_iterations, subsample, normalize):
    def rows_of(index):  # no copy of all features in another form
        rows = feat[index].float()
        return F.normalize(rows, dim=-1) if normalize else rows

    count = segment_count(group, num_groups)
    sizes = count.tolist()
    order = torch.argsort(group, stable=True)
    sample, mask = _subsample(order, group, count, min(subsample, max(sizes)), generator)
    point = rows_of(sample)
    inside = mask[:, None].to(point.dtype)
    mean = inside @ point / inside.sum(2, keepdim=True).clamp(min=1)
    point -= mean  # distances by inner products lose digits far from the origin
    center, exists = _seed(point, mask, num_clusters, generator)
    center = _lloyd(point, mask, center, exists, num_iterations)

    label = torch.empty_like(group)
    for g, rows in enumerate(order.split(sizes)):
        for block in rows.split(BLOCK):
            label[block] = _nearest(rows_of(block)[None] - mean[g], center[g : g + 1], exists[g : g + 1])[0]
    return label


def _uniform(shape, generator, device):
    """Random numbers drawn where the generator lives, so that one seed gives one result on every device."""
    return torch.rand(shape, generator=generator, device=generator.device if generator else None).to(device)


def _subsample(order, group, count, size, generator):
    """Random points of each group as rows of `size`: index (G, size) and mask (G, size) of the places in use."""
    shuffled = torch.argsort(group + _uniform(group.shape, generator, group.device).double())
    start = count.cumsum(0) - count
    place = torch.arange(size, device=group.device)
    mask = place < count[:, None]
    return shuffled[(start[:, None] + place).clamp_(max=len(order) - 1)], mask


def _seed(point, mask, num_clusters, generator):
    """k-means++ (Arthur and Vassilvitskii 2007): centers (G, K, C), and which of them exist (G, K)."""
    draw = _uniform((len(point), num_clusters), generator, point.device).double()
    center = point.new_zeros(len(point), num_clusters, point.shape[2])
    exists = torch.zeros(len(point), num_clusters, dtype=torch.bool, device=point.device)
    row = torch.arange(len(point), device=point.device)
    weight = nearest = mask.double()
    for k in range(num_clusters):
        total = weight.cumsum(1)
        chosen = torch.searchsorted(total, draw[:, k, None] * total[:, -1:], right=True).squeeze(1)
        exists[:, k] = total[:, -1] > 0
        center[:, k] = point[row, chosen.clamp_(max=point.shape[1] - 1)]
        # differences, not inner products: the distance of a duplicate must be exactly 0
        distance = torch.cdist(point, center[:, k : k + 1], compute_mode="donot_use_mm_for_euclid_dist").squeeze(2)
        nearest = distance if k == 0 else torch.minimum(nearest, distance)
        weight = nearest.double().square() * mask
    return center, exists


def _lloyd(point, mask, center, exists, num_iterations):
    """Lloyd's iterations; a cluster that loses all its points stays where it is."""
    label = None
    for _ in range(num_iterations):
        previous, label = label, _nearest(point, center, exists)
        # a GPU would wait for the answer longer than for the remaining iterations, which change nothing
        if previous is not None and not label.is_cuda and torch.equal(previous, label):
            break
        member = torch.zeros(*label.shape, center.shape[1], dtype=point.dtype, device=point.device)
        member.scatter_(2, label[..., None], mask[..., None].to(point.dtype))
        size = member.sum(1)[..., None]
        center = torch.where(size > 0, member.transpose(1, 2) @ point / size.clamp(min=1), center)
    return center


def _nearest(point, center, exists):
    """Nearest existing center: point (G, S, C), center (G, K, C) -> (G, S)."""
    half_norm = center.square().sum(2).div(2).masked_fill(~exists, float("inf"))
    return torch.baddbmm(half_norm[:, None], point, center.transpose(1, 2), alpha=-1).argmin(2)
