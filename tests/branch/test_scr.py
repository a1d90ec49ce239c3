import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pointins_ext.branch import OffsetField, SpatialClusteringRegularization, StageFeatures
from pointins_ext.evaluation import adjusted_rand_index
from tests.oracles.scr import centroids, pseudo_instances

VOXEL = 0.08


def boxes(gap, size=(0.5, 0.5, 0.8), voxel=VOXEL, grid=(4, 2)):
    """Surface voxels (N,3) of eight boxes, `gap` meters apart, and the box of each voxel (N,)."""
    steps = [np.arange(0, edge + 1e-9, voxel) for edge in size]
    cells = np.stack(np.meshgrid(*steps, indexing="ij"), -1).reshape(-1, 3)
    top = np.array([axis[-1] for axis in steps])
    shell = cells[((cells == 0) | (cells == top)).any(1)]
    corners = [(i * (top[0] + gap), j * (top[1] + gap), 0.0) for i in range(grid[0]) for j in range(grid[1])]
    coord = np.concatenate([shell + corner for corner in corners])
    return coord.astype(np.float32), np.repeat(np.arange(len(corners)), len(shell))


def one_hot(segment, num_segments):
    """Features that k-means with K = `num_segments` can only cut into the given segments."""
    return torch.nn.functional.one_hot(segment, num_segments).float()


def same_partition(a, b):
    return adjusted_rand_index(np.asarray(a), np.asarray(b)) == 1.0


def one_view(coord):
    return torch.zeros(len(coord), dtype=torch.long)


def towards_center(coord, box, share, noise=0.0, seed=0):
    """Offsets at a share of the way to the true center of each box."""
    coord = torch.as_tensor(coord)
    center = torch.stack([coord[box == b].mean(0) for b in range(box.max() + 1)])[torch.as_tensor(box)]
    jitter = noise * torch.randn(coord.shape, generator=torch.Generator().manual_seed(seed))
    return share * (center - coord) + jitter


def toy(gap, share, noise=0.0, **options):
    """ARI of the pseudo-instances of eight boxes that all lie in one segment."""
    coord, box = boxes(gap)
    options = dict(num_clusters=1, radius=1.5 * VOXEL) | options
    scr = SpatialClusteringRegularization(**options)
    offset = towards_center(coord, box, share, noise)
    result = scr(torch.from_numpy(coord), torch.ones(len(coord), 2), offset, one_view(coord))
    return adjusted_rand_index(result.label.numpy(), box)


def random_scene(seed, num_points=150, num_segments=3):
    generator = torch.Generator().manual_seed(seed)
    coord = torch.rand(num_points, 3, generator=generator) * torch.tensor([1.5, 1.5, 0.5])
    offset = 0.1 * torch.randn(num_points, 3, generator=generator)
    segment = torch.randint(0, num_segments, (num_points,), generator=generator)
    return coord, segment, offset


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**16), k=st.integers(1, 12), radius=st.sampled_from([0.05, 0.12, 0.3, None]))
def test_equals_the_slow_restatement_for_known_segments(seed, k, radius):
    coord, segment, offset = random_scene(seed)
    scr = SpatialClusteringRegularization(num_clusters=3, num_neighbours=k, radius=radius, min_points=10)
    result = scr(coord, one_hot(segment, 3), offset, one_view(coord))
    label = pseudo_instances(coord.numpy(), segment.numpy(), offset.numpy(), k, radius)
    assert same_partition(result.label, label) and same_partition(result.segment, segment)
    np.testing.assert_allclose(result.center.numpy(), centroids(coord.numpy(), label), atol=1e-5)
    assert torch.equal(result.valid, torch.from_numpy(np.bincount(label)[label] >= 10))


# toy scenes with a known answer
@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_eight_boxes_apart_are_eight_instances(share):
    assert toy(gap=0.3, share=share, radius=1.5 * VOXEL) == 1.0
    assert toy(gap=0.3, share=share, radius=2.0 * VOXEL) == 1.0


def test_eight_close_boxes_need_half_the_offset():
    assert toy(gap=0.10, share=0.5, noise=0.03) > 0.99
    assert toy(gap=0.10, share=0.0) < 0.1  # they touch within the radius
    assert toy(gap=0.10, share=0.0, noise=0.3) < 0.1  # noise of half the object size merges or shatters all


def test_an_uncut_graph_merges_what_the_radius_keeps_apart():
    assert toy(gap=0.3, share=0.0, noise=0.04) > 0.95
    assert toy(gap=0.3, share=0.0, noise=0.04, radius=None, num_neighbours=16) < 0.5


# target plus coordinate is the centroid of the component, in real coordinates
def test_targets_lead_to_the_centroid_of_real_coordinates():
    coord, box = boxes(0.3)
    coord = torch.from_numpy(coord)
    offset = towards_center(coord, box, 0.4) + torch.tensor([5.0, 0.0, 0.0])  # a common error moves no component
    result = SpatialClusteringRegularization(num_clusters=1)(coord, torch.ones(len(coord), 2), offset, one_view(coord))
    for number in range(8):
        member = result.label == result.label[torch.from_numpy(box == number)][0]
        assert torch.equal(member, torch.from_numpy(box == number))
        torch.testing.assert_close(result.center[member], coord[member].mean(0).expand(int(member.sum()), 3))


def test_labels_are_unique_over_groups_and_groups_are_independent():
    coord, segment, offset = random_scene(4)
    group = torch.arange(150) % 2 * 2  # group 1 is empty
    scr = SpatialClusteringRegularization(num_clusters=3, radius=0.2)
    result = scr(coord, one_hot(segment, 3), offset, group)
    assert not set(result.label[group == 0].tolist()) & set(result.label[group == 2].tolist())
    assert result.label.unique().tolist() == list(range(int(result.label.max()) + 1))
    for number in (0, 2):
        own = group == number
        alone = scr(coord[own], one_hot(segment[own], 3), offset[own], one_view(coord[own]))
        assert same_partition(alone.label, result.label[own])
        torch.testing.assert_close(alone.center, result.center[own])


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**16))
def test_permuting_points_permutes_the_result(seed):
    coord, segment, offset = random_scene(seed)
    order = torch.randperm(150, generator=torch.Generator().manual_seed(seed))
    scr = SpatialClusteringRegularization(num_clusters=3, radius=0.12)
    plain = scr(coord, one_hot(segment, 3), offset, one_view(coord))
    mixed = scr(coord[order], one_hot(segment, 3)[order], offset[order], one_view(coord))
    assert same_partition(mixed.label, plain.label[order])
    torch.testing.assert_close(mixed.center, plain.center[order])
    assert torch.equal(mixed.valid, plain.valid[order])


def lines(sizes, step=0.1, gap=1.0):
    """Points on one axis in runs of the given sizes."""
    starts = np.cumsum([0] + [size * step + gap for size in sizes[:-1]])
    x = np.concatenate([start + step * np.arange(size) for start, size in zip(starts, sizes, strict=True)])
    return torch.tensor(np.stack([x, 0 * x, 0 * x], 1), dtype=torch.float32)


def test_small_and_far_components_are_invalid():
    coord = lines([4, 5, 31])
    zero, feat = torch.zeros_like(coord), torch.ones(len(coord), 1)
    scr = SpatialClusteringRegularization(num_clusters=1, min_points=5)
    result = scr(coord, feat, zero, one_view(coord))
    assert result.valid.tolist() == [False] * 4 + [True] * 36
    scr.max_length = 1.05
    result = scr(coord, feat, zero, one_view(coord))
    far = (coord[9:, 0] - coord[9:, 0].mean()).abs() > 1.05
    assert far.any() and torch.equal(result.valid[9:], ~far) and result.valid[4:9].all()


def test_components_at_the_border_are_cut_and_invalid_on_request():
    coord = lines([12, 12])
    border = torch.zeros(24, dtype=torch.bool)
    border[0] = True
    for exclude in (False, True):
        scr = SpatialClusteringRegularization(num_clusters=1, exclude_cut=exclude)
        result = scr(coord, torch.ones(24, 1), torch.zeros(24, 3), one_view(coord), border)
        assert result.cut.tolist() == [True] * 12 + [False] * 12
        assert result.valid.tolist() == [not exclude] * 12 + [True] * 12


def test_more_neighbors_or_clusters_than_points():
    coord = lines([5])
    feat = torch.eye(5)
    result = SpatialClusteringRegularization(num_clusters=1, num_neighbours=50)(coord, feat, 0 * coord, one_view(coord))
    assert result.label.tolist() == [0] * 5
    result = SpatialClusteringRegularization(num_clusters=50)(coord, feat, 0 * coord, one_view(coord))
    assert sorted(result.label.tolist()) == [0, 1, 2, 3, 4] and not result.valid.any()
    torch.testing.assert_close(result.center, coord)


@pytest.mark.parametrize("num_points", [0, 1])
def test_no_point_and_a_single_point(num_points):
    coord = torch.zeros(num_points, 3)
    scr = SpatialClusteringRegularization(exclude_cut=True)
    result = scr(coord, torch.ones(num_points, 4), coord, one_view(coord), torch.ones(num_points, dtype=torch.bool))
    assert all(len(part) == num_points for part in vars(result).values())
    assert not result.valid.any()


def test_a_seeded_generator_repeats_the_segments():
    coord, _, offset = random_scene(0)
    feat = torch.randn(150, 6, generator=torch.Generator().manual_seed(1))
    results = []
    for seed in (7, 7, 8):
        scr = SpatialClusteringRegularization(num_clusters=8, generator=torch.Generator().manual_seed(seed))
        state = torch.get_rng_state()
        results.append(scr(coord, feat, offset, one_view(coord)).segment)
        assert torch.equal(state, torch.get_rng_state())  # the host's stream is untouched
    assert torch.equal(results[0], results[1]) and not same_partition(results[0], results[2])


def test_segments_depend_on_the_direction_of_features_alone():
    coord, segment, offset = random_scene(2)
    feat = one_hot(segment, 3) * torch.linspace(-4, 4, 150).exp()[:, None]
    result = SpatialClusteringRegularization(num_clusters=3)(coord, feat, offset, one_view(coord))
    assert same_partition(result.segment, segment)


def field(stages, coord=None, offset=None):
    rows = torch.arange(len(stages[0]))
    coord = lines([len(rows)]) if coord is None else coord
    offset = torch.zeros_like(coord) if offset is None else offset
    view = one_view(coord)
    valid = torch.ones_like(view, dtype=torch.bool)
    features = StageFeatures(stages[0], tuple((stage, rows) for stage in stages[1:]))
    return OffsetField(coord, features, offset, view, valid, view, torch.full((8,), 0.1))


def test_feature_slices():
    fine = one_hot(torch.arange(40) % 2, 2)
    coarse = 30 * torch.cat([one_hot(torch.arange(40) // 20, 2)] * 8, dim=1)  # long, wide: it dominates the sum
    two = field([fine, coarse])

    def segments(feature, num_clusters):
        scr = SpatialClusteringRegularization(num_clusters, feature=feature)
        return scr.refine(two).instances.segment

    assert same_partition(segments("loss_stage", 2), torch.arange(40) % 2)
    assert same_partition(segments("concat", 2), torch.arange(40) // 20)
    assert same_partition(segments("balanced", 4), torch.arange(40) // 20 * 2 + torch.arange(40) % 2)


def test_refine_points_at_centers_and_keeps_what_was_invalid():
    coord = lines([12, 12])
    start = field([torch.ones(24, 2)], coord)
    valid = start.valid.clone()
    valid[3] = False
    refined = SpatialClusteringRegularization(num_clusters=1).refine(start.replace(valid=valid))
    torch.testing.assert_close(refined.center, refined.instances.center)
    torch.testing.assert_close(refined.center[:12], coord[:12].mean(0).expand(12, 3))
    assert torch.equal(refined.valid, valid) and refined.coord is coord


@pytest.mark.parametrize(
    "options, message",
    [
        (dict(feature="fine"), "feature 'fine' is unknown; expected one of loss_stage, balanced, concat"),
        (dict(num_clusters=0), "num_clusters is 0 and num_neighbours 8; expected at least 1"),
        (dict(num_neighbours=0), "num_neighbours 0; expected at least 1"),
        (dict(radius=0.0), "radius is 0.0; expected meters > 0, or None"),
    ],
)
def test_unusable_options_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        SpatialClusteringRegularization(**options)
