"""Offset distribution regularization (ODR): the global, rank-preserving correction of teacher offsets."""

import math

import torch

from pointins_ext.branch.global_rank import global_rank
from pointins_ext.branch.prior import MagnitudePrior
from pointins_ext.errors import UserError
from pointins_ext.ops import segment_count, segment_rank

Groups = tuple[torch.Tensor, int]  # of each point (N,), and how many there are
DIRECTIONS = ("cartesian", "spherical", "keep")
SCOPES = ("view", "batch", "global")
# (low, high) of what is ranked over all processes: log meters, components of a unit vector, angles
LOG_LENGTH, COMPONENT, ANGLE = (math.log(1e-6), math.log(1e3)), (-1.0, 1.0), (-math.pi, math.pi)
# steps of a sequence that fills a cube evenly: powers of the root of x^4 = x + 1
EVEN_STEPS = (0.8191725133961645, 0.6710436067037893, 0.5497004779019703)


class OffsetDistributionRegularization:
    """Map offset lengths onto a prior and directions onto the uniform sphere by ranks (paper, ODR).

    `direction`: "cartesian" = PIT of each component towards U(-1, 1), then unit length (the paper's form); "spherical"
    = PIT of cos(theta) and of the azimuth; "keep" = lengths only. `strength` b in 0..1 gives (1 - b) O + b ODR(O).
    `scope`: ranks are taken within each group ("view"), over all points ("batch"), or over all points of all processes
    ("global": every process must call it, also without points).
    """

    def __init__(
        self, prior: MagnitudePrior | str, direction: str = "cartesian", strength: float = 1.0, scope: str = "view"
    ):
        if direction not in DIRECTIONS:
            raise UserError(f"ODR direction '{direction}' is unknown; expected one of {', '.join(DIRECTIONS)}")
        if scope not in SCOPES:
            raise UserError(f"ODR scope '{scope}' is unknown; expected one of {', '.join(SCOPES)}")
        if not 0.0 <= strength <= 1.0:
            raise UserError(f"ODR strength is {strength}; expected 0 (off) to 1 (full)")
        self.prior = prior if isinstance(prior, MagnitudePrior) else MagnitudePrior.load(prior)
        self.direction = direction
        self.strength = strength
        self.scope = scope

    @torch.no_grad()
    def __call__(self, offset: torch.Tensor, group: torch.Tensor, num_groups: int | None = None) -> torch.Tensor:
        """Corrected offsets (N,3), meters, scene frame, for `offset` (N,3) and `group` (N,).

        A GPU need not be asked for `num_groups` if it is given.
        """
        if self.strength == 0 or (len(offset) == 0 and self.scope != "global"):
            return offset
        if self.scope != "view":
            group, num_groups = torch.zeros_like(group), 1
        elif num_groups is None:
            num_groups = int(group.max()) + 1
        groups = group, num_groups
        length = offset.norm(dim=1)
        direction = self._regularized_direction(_unit(offset, length), groups)
        if self.scope == "global":
            length = length.clamp_min(1e-12).log()  # the same ranks, and bins of equal width suit logarithms
        magnitude = self.prior.quantile(self._pit(length, groups, LOG_LENGTH))
        return torch.lerp(offset, magnitude[:, None] * direction, self.strength)

    def refine(self, field):
        """Replace the offsets of an `OffsetField`; validity is untouched."""
        return field.replace(offset=self(field.offset, field.view, len(field.voxel)))

    def _pit(self, value: torch.Tensor, groups: Groups, span: tuple[float, float]) -> torch.Tensor:
        """Probability integral transform u = (rank - 0.5) / n within the scope, ties share their mean rank."""
        if self.scope == "global":
            return global_rank(value, *span)
        return (segment_rank(value, *groups) - 0.5) / segment_count(*groups)[groups[0]]

    def _regularized_direction(self, unit: torch.Tensor, groups: Groups) -> torch.Tensor:
        if self.direction == "keep":
            return unit
        if self.direction == "cartesian":
            # a component of a uniform unit vector is exactly U(-1, 1) (Archimedes): a correct field is a fixed point
            uniform = torch.stack([2 * self._pit(c, groups, COMPONENT) - 1 for c in unit.unbind(1)])
            return _unit(uniform.T, uniform.square().sum(0).sqrt())
        height = self._height(unit, groups)
        azimuth = (2 * self._pit(torch.atan2(unit[:, 1], unit[:, 0]), groups, ANGLE) - 1) * torch.pi
        ring = (1 - height.square()).clamp_min(0).sqrt()
        return torch.stack([ring * azimuth.cos(), ring * azimuth.sin(), height], dim=1)

    def _height(self, unit: torch.Tensor, groups: Groups) -> torch.Tensor:
        return 2 * self._pit(unit[:, 2], groups, COMPONENT) - 1


def _unit(vector: torch.Tensor, length: torch.Tensor) -> torch.Tensor:
    """Unit directions; a zero vector gets one of its own, so that no axis is favored and nothing is NaN."""
    unit, zero = vector / length[:, None], length == 0
    if not zero.is_cuda and not zero.any():  # a GPU would wait for the answer
        return unit
    row = torch.arange(1, len(vector) + 1, device=vector.device)
    spread = torch.stack(
        [torch.frac(row * torch.full_like(length, step, dtype=torch.double)) for step in EVEN_STEPS], 1
    )
    spread = spread - 0.5
    return torch.where(zero[:, None], (spread / spread.norm(dim=1, keepdim=True)).to(unit.dtype), unit)
