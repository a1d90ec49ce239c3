"""Dominant planes of a scan (floor, walls, ground, table top) without labels."""

import torch

from pointins_ext.ops.normals import estimate_normals

SAMPLE = 8192  # points that hypotheses are drawn from and scored on
HYPOTHESES = 256
MIN_COSINE = 0.9  # between a plane and the local normal of a point that votes for it
REFITS = 2


def plane_points(coord, **options):
    """Mask (N,) of the points on the planes that bound a scene, see `plane_numbers`."""
    return plane_numbers(coord, **options) > 0


@torch.no_grad()
def plane_numbers(
    coord,
    threshold=None,
    min_ratio=0.04,
    min_extent=(1.5, 0.8),
    max_behind=0.05,
    max_planes=12,
    num_samples=SAMPLE,
    num_hypotheses=HYPOTHESES,
    seed=0,
):
    """Which of the planes that bound a scene a point is on: what stands before them is left as objects.

    coord (N, 3), meters, any orientation -> (N,) long, 1 for the plane with most points, 0 for none: within `threshold`
    meters of a dominant plane; None is 1/150 of the scene's extent, between 0.01 and 0.2. The `max_planes` planes with
    most points are examined. A plane is dominant if at least `min_ratio` of the points lie on it, if its patch measures
    at least `min_extent` (length, width) meters, or 0.5 and 0.25 of the scene's extent where that is less (table tops),
    and if at most `max_behind` of the points lie behind it: a cabinet's front has the wall behind it. So walls between
    two scanned rooms stay.
    RANSAC on `num_samples` points, one of them and its normal as each of `num_hypotheses`, the best refitted by least
    squares; `seed` fixes its draws.
    """
    if len(coord) < 3:
        return torch.zeros(len(coord), dtype=torch.long, device=coord.device)
    generator = torch.Generator().manual_seed(seed)
    position = coord.double()
    position = position - position.mean(0)
    sample = position[torch.randperm(len(coord), generator=generator)[:num_samples].to(coord.device)]
    vote = estimate_normals(sample)
    extent = float(_spread(sample).max())
    threshold = min(max(extent / 150, 0.01), 0.2) if threshold is None else threshold
    min_extent = [min(limit, share * extent) for limit, share in zip(min_extent, (0.5, 0.25), strict=True)]

    number, planes = torch.zeros(len(coord), dtype=torch.long, device=coord.device), 0
    free = torch.ones(len(sample), dtype=torch.bool, device=coord.device)  # sample points no plane has claimed yet
    for _ in range(max_planes):
        normal, level, inlier = _best_plane(sample, vote, free, threshold, num_hypotheses, generator)
        if inlier.sum() < max(3, min_ratio * len(sample)):
            break
        height = sample @ normal - level
        behind = min((height > 2 * threshold).sum(), (height < -2 * threshold).sum())
        size = _spread(sample[inlier] @ _axes(sample[inlier])[:, 1:]).sort(descending=True).values
        if size[0] >= min_extent[0] and size[1] >= min_extent[1] and behind <= max_behind * len(sample):
            planes += 1
            number[(number == 0) & ((position @ normal - level).abs() <= threshold)] = planes
        free &= ~inlier
    return number


@torch.no_grad()
def largest_plane(coord, threshold, seed=0):
    """Unit normal (3,), level () and mask (N,) of the plane within `threshold` of which most of coord (N, 3) lie.

    Points on it fulfil |coord @ normal - level| <= threshold and have its normal; double precision, RANSAC as above.
    """
    position = coord.double()
    free = torch.ones(len(coord), dtype=torch.bool, device=coord.device)
    generator = torch.Generator().manual_seed(seed)
    return _best_plane(position, estimate_normals(position), free, threshold, HYPOTHESES, generator)


def _best_plane(sample, vote, free, threshold, num_hypotheses, generator):
    """Unit normal (3,), level and voters (S,) of the plane with the most votes among the free points."""
    index = free.nonzero().squeeze(1)
    if len(index) == 0:
        return sample.new_zeros(3), sample.new_zeros(()), free
    draw = index[torch.randint(len(index), (num_hypotheses,), generator=generator).to(index.device)]
    normal, level = vote[draw], (vote[draw] * sample[draw]).sum(1)
    inlier = _voters(sample, vote, free, normal, level, threshold)
    best = inlier.sum(0).argmax()
    normal, level, inlier = normal[best], level[best], inlier[:, best]
    for _ in range(REFITS):
        normal = _axes(sample[inlier])[:, 0]
        level = sample[inlier].mean(0) @ normal
        inlier = _voters(sample, vote, free, normal[None], level[None], threshold)[:, 0]
    return normal, level, inlier


def _voters(sample, vote, free, normal, level, threshold):
    close = (sample @ normal.T - level).abs() <= threshold
    return close & ((vote @ normal.T).abs() >= MIN_COSINE) & free[:, None]


def _axes(point):
    """Principal axes as columns, the direction of least spread first."""
    centered = point - point.mean(0)
    return torch.linalg.eigh(centered.T @ centered)[1]


def _spread(point):
    """Extent (C,) along each coordinate between the 1st and the 99th percentile: strays do not count."""
    low, high = torch.quantile(point, point.new_tensor([0.01, 0.99]), dim=0)
    return high - low
