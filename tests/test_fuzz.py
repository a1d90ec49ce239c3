"""Odd clouds for the method, its ops and its metrics: no crash, no NaN, and what always holds.

POINTINS_FUZZ=10 python -m pytest tests/test_fuzz.py    # ten times as many examples
"""

import numpy as np
import pytest
import torch
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from pointins_ext import segment
from pointins_ext.branch import MagnitudePrior, OffsetDistributionRegularization, SpatialClusteringRegularization
from pointins_ext.branch.features import StageFeatures
from pointins_ext.branch.loss import offset_loss
from pointins_ext.branch.odr import DIRECTIONS, SCOPES
from pointins_ext.branch.pose import recover_affine, transform_vectors
from pointins_ext.branch.scr import FEATURES
from pointins_ext.branch.targets import OffsetField, offset_targets
from pointins_ext.datasets.frame import point_spacing
from pointins_ext.evaluation import (
    adjusted_rand_index,
    evaluate_label_free,
    instance_average_precision,
    panoptic_quality,
)
from pointins_ext.host import build_model
from pointins_ext.inference import Predictor
from pointins_ext.instances import cluster_offsets
from pointins_ext.ops import estimate_normals, kmeans, neighbours, plane_points, radius_components, voxelize
from pointins_ext.ops.segment import segment_count, segment_max, segment_mean, segment_rank
from tests.fixtures.fuzz import (
    NUM_GROUPS,
    PLACES,
    SHAPES,
    cloud,
    feature_kinds,
    features,
    finite,
    fuzz,
    groupings,
    groups,
    places,
    shapes,
    sizes,
)
from tests.fixtures.tiny_pointins import backbone_config, dos_config, pointins_config

CLASSES = 4
PRIOR = MagnitudePrior.load("indoor")
MODEL = build_model(pointins_config(dos_config(backbone=backbone_config(in_channels=6))))
PREDICTOR = Predictor(MODEL.teacher, 0.05, ("coord", "normal"), up_cast_level=1)


# -- the branch -----------------------------------------------------------------------------------------------------


@fuzz(
    size=sizes,
    shape=shapes,
    scale=st.sampled_from([0.0, 1e-22, 1e-9, 0.3, 1e6]),
    kind=groupings,
    direction=st.sampled_from(DIRECTIONS),
    scope=st.sampled_from(SCOPES),
    strength=st.sampled_from([0.0, 0.3, 1.0]),
)
def test_odr(rng, size, shape, scale, kind, direction, scope, strength):
    offset, group = cloud(rng, size, shape, (scale, 0.0)), groups(rng, size, kind)
    before = offset.clone()
    corrected = OffsetDistributionRegularization(PRIOR, direction, strength, scope)(offset, group)
    assert corrected.shape == offset.shape and corrected.dtype == offset.dtype and finite(corrected)
    assert torch.equal(offset, before)
    if strength == 0:
        assert torch.equal(corrected, offset)
    if strength == 1 and size:
        length = corrected.norm(dim=1)
        assert (length >= PRIOR.quantiles[0] - 1e-4).all() and (length <= PRIOR.quantiles[-1] + 1e-4).all()
        if scope == "view" and scale > 1e-9:
            for member in (group == g for g in range(NUM_GROUPS)):
                order = offset[member].norm(dim=1).argsort(stable=True)
                assert (length[member][order].diff() >= -1e-5).all()  # the longest stays the longest


@fuzz(
    size=sizes,
    shape=shapes,
    place=places,
    kind=groupings,
    feat=feature_kinds,
    clusters=st.integers(1, 6),
    radius=st.sampled_from([None, 0.12, 1e-6, 1e6]),
    min_points=st.integers(0, 12),
    max_length=st.sampled_from([None, 0.0, 1.0]),
)
def test_scr(rng, size, shape, place, kind, feat, clusters, radius, min_points, max_length):
    coord, group = cloud(rng, size, shape, place), groups(rng, size, kind)
    scr = SpatialClusteringRegularization(clusters, 3, radius, min_points, max_length)
    offset = cloud(rng, size, rng.choice(SHAPES), (0.3, 0.0))
    found = scr(coord, features(rng, size, feat), offset, group, border=torch.from_numpy(rng.random(size) < 0.2))
    label = found.label
    assert label.shape == found.valid.shape == found.segment.shape == found.cut.shape == (size,)
    assert found.center.shape == (size, 3) and finite(found.center)
    assert ((found.segment >= 0) & (found.segment < clusters)).all()
    assert label.unique().tolist() == list(range(len(label.unique())))
    for i in label.unique():
        member = label == i
        assert len(group[member].unique()) == len(found.segment[member].unique()) == 1  # never across views or segments
        low, high = coord[member].amin(0), coord[member].amax(0)
        slack = 4e-7 * torch.maximum(low.abs(), high.abs()) * member.sum()  # of a sum in single precision
        assert ((found.center[member] >= low - slack) & (found.center[member] <= high + slack)).all()
        assert not found.valid[member].any() or member.sum() >= min_points


@fuzz(size=sizes, shape=shapes, place=places, kind=groupings, feature=st.sampled_from(FEATURES), cut=st.booleans())
def test_targets(rng, size, shape, place, kind, feature, cut):
    view = groups(rng, size, kind)
    coarse = (features(rng, 3, "any"), torch.from_numpy(rng.integers(0, 3, size)))
    field = OffsetField(
        coord=cloud(rng, size, shape, place),
        features=StageFeatures(features(rng, size, "two"), (coarse,)),
        offset=cloud(rng, size, shape, (0.3, 0.0)),
        view=view,
        valid=torch.ones(size, dtype=torch.bool),
        scene=view // 2,
        voxel=torch.full((8,), 0.1),
    )
    scr = SpatialClusteringRegularization(3, 3, feature=feature, exclude_cut=cut)
    target = offset_targets(field, [OffsetDistributionRegularization(PRIOR), scr])
    assert target.offset.shape == (size, 3) and finite(target.offset) and target.valid.shape == (size,)
    prediction = field.offset.clone().requires_grad_()
    loss = offset_loss(prediction, target.offset, target.valid)
    loss.backward()
    assert finite(loss, prediction.grad) and loss >= 0


@fuzz(
    size=sizes,
    shape=shapes,
    place=places,
    kind=groupings,
    scale=st.sampled_from([0.9, -1.1, 1e-3]),
    jitter=st.sampled_from([0.0, 0.01]),
)
def test_pose(rng, size, shape, place, kind, scale, jitter):
    origin, group = cloud(rng, size, shape, place), groups(rng, size, kind)
    turn = torch.from_numpy(Rotation.random(random_state=int(rng.integers(2**31))).as_matrix() * scale)
    center = origin.double().mean(0) if size else torch.zeros(3, dtype=torch.double)
    noise = torch.from_numpy(rng.normal(size=(size, 3)))
    view = ((origin.double() - center) @ turn.T + jitter * noise).float()
    affine = recover_affine(view, origin, group, NUM_GROUPS)
    assert [tuple(part.shape) for part in affine] == [(NUM_GROUPS, 3, 3), (NUM_GROUPS, 3), (NUM_GROUPS,)]
    assert finite(*affine) and (affine.residual >= 0).all()
    assert finite(transform_vectors(affine.matrix, view, group))
    if jitter == 0 and shape == "cloud" and kind == "one" and size > 8 and place in PLACES[:1] and abs(scale) > 0.5:
        back = view @ affine.matrix[0].T + affine.shift[0]
        torch.testing.assert_close(back, origin, atol=1e-4, rtol=1e-4)


@fuzz(lengths=st.integers(2, 40), shape=st.sampled_from(["any", "copies", "tiny", "huge"]))
def test_prior(rng, lengths, shape):
    scale = dict(any=1, copies=1, tiny=1e-6, huge=1e6)[shape]
    magnitude = np.abs(rng.normal(size=lengths)) * scale
    magnitude = magnitude.round(1) if shape == "copies" else magnitude
    if magnitude.min() == magnitude.max():
        return
    prior = MagnitudePrior.fit(torch.from_numpy(magnitude))
    level = torch.linspace(0, 1, 33)
    value = prior.quantile(level)
    assert finite(value) and (value.diff() >= 0).all()
    assert value[0] == np.float32(magnitude.min()) and value[-1] == np.float32(magnitude.max())
    share = prior.cdf(torch.from_numpy(magnitude).float())
    assert finite(share) and ((share >= 0) & (share <= 1)).all()


# -- ops ------------------------------------------------------------------------------------------------------------


@fuzz(size=sizes, kind=groupings, feat=feature_kinds, clusters=st.integers(1, 8), normalize=st.booleans())
def test_kmeans(rng, size, kind, feat, clusters, normalize):
    value, group = features(rng, size, feat), groups(rng, size, kind)
    label = kmeans(value, group, clusters, torch.Generator().manual_seed(0), normalize=normalize)
    assert label.shape == (size,) and ((label >= 0) & (label < clusters)).all()
    for member in (group == g for g in range(NUM_GROUPS)):
        assert len(label[member].unique()) <= min(clusters, len(value[member].unique(dim=0)))  # copies stay together


@fuzz(
    query=sizes,
    support=sizes,
    shape=shapes,
    place=places,
    kinds=st.tuples(groupings, groupings),
    k=st.integers(1, 6),
    radius=st.sampled_from([None, 0.0, 0.5, 1e7]),
)
def test_neighbors(rng, query, support, shape, place, kinds, k, radius):
    query, support = cloud(rng, query, shape, place), cloud(rng, support, shape, place)
    group = [groups(rng, len(points), kind) for points, kind in zip((query, support), kinds, strict=True)]
    index = neighbours(query, support, *group, k, radius)
    found = index >= 0
    assert index.shape == (len(query), k) and (index < max(len(support), 1)).all() and (index >= -1).all()
    assert (found[:, :-1] | ~found[:, 1:]).all()  # what is missing stands last
    row, column = found.nonzero().unbind(1)
    assert torch.equal(group[0][row], group[1][index[row, column]])
    if radius is not None:
        distance = (query[row].double() - support[index[row, column]].double()).norm(dim=1)
        assert (distance <= radius * (1 + 1e-9)).all()
    elif len(support):
        assert torch.equal(found.sum(1), segment_count(group[1], NUM_GROUPS).clamp(max=k)[group[0]])


@fuzz(size=sizes, shape=shapes, place=places, kind=groupings, radius=st.sampled_from([1e-3, 0.12, 2.0, 1e5]))
def test_radius_components(rng, size, shape, place, kind, radius):
    coord, group = cloud(rng, size, shape, place), groups(rng, size, kind)
    label = radius_components(coord, radius, group)
    assert label.unique().tolist() == list(range(len(label.unique()))) and label.shape == (size,)
    distance = torch.cdist(coord.double(), coord.double(), compute_mode="donot_use_mm_for_euclid_dist")
    same_group, same = group[:, None] == group, label[:, None] == label
    assert same[same_group & (distance < radius * (1 - 1e-6))].all() and same_group[same].all()
    apart = distance.masked_fill(same | ~same_group, torch.inf)
    assert not size or apart.min() > radius * (1 - 1e-6)


@fuzz(size=sizes, shape=shapes, place=places, kind=groupings)
def test_reductions_normals_and_planes(rng, size, shape, place, kind):
    coord, group = cloud(rng, size, shape, place), groups(rng, size, kind)
    normal = estimate_normals(coord)
    assert normal.shape == (size, 3) and finite(normal)
    torch.testing.assert_close(normal.norm(dim=1), torch.ones(size), atol=1e-5, rtol=0)
    assert plane_points(coord).shape == (size,)
    count, mean = segment_count(group, NUM_GROUPS), segment_mean(coord, group, NUM_GROUPS)
    top, rank = segment_max(coord, group, NUM_GROUPS), segment_rank(coord[:, 0], group, NUM_GROUPS)
    assert finite(mean, top, rank) and (mean[count == 0] == 0).all() and count.sum() == size
    assert ((rank >= 1) & (rank <= count[group])).all()
    assert len(voxelize(coord, 0.04)) <= size


@fuzz(0.1, size=st.integers(10, 60), shape=shapes, place=places)
def test_segment(rng, size, shape, place):
    """A whole scan, from coordinates to instances: a finite answer, or word that the points lie too far apart."""
    coord = cloud(rng, size, shape, place)
    try:
        instance, center = segment(coord, weight=PREDICTOR, min_points=2)
    except ValueError as error:
        far = "the points spread over" in str(error) and np.ptp(coord.numpy(), axis=0).max() > 1000
        sparse = "its points lie" in str(error) and point_spacing(coord.numpy()) > 20 * 0.05
        assert far or sparse, error
        return
    assert instance.shape == (size,) and center.shape == (instance.max() + 1, 3) and np.isfinite(center).all()


# -- metrics --------------------------------------------------------------------------------------------------------


def instances(rng, size, number):
    """Instance (N,) from -1 on, and the class of each point, the same within an instance."""
    instance = rng.integers(-1, number, size)
    category = rng.integers(-1, CLASSES, number + 1)
    return instance, category[instance]


def in_unit_range(result, nan=False):
    values = np.concatenate([np.ravel(value) for value in result.values()])
    known = values[~np.isnan(values)]
    return (nan or len(known) == len(values)) and ((known >= 0) & (known <= 1 + 1e-9)).all()


@fuzz(size=sizes, number=st.integers(0, 5), min_points=st.integers(0, 5), masks=st.booleans(), agnostic=st.booleans())
def test_average_precision(rng, size, number, min_points, masks, agnostic):
    instance, segment = instances(rng, size, number)
    predicted, _ = instances(rng, size, number)
    settings = dict(num_classes=CLASSES, min_points=min_points, class_agnostic=agnostic)
    prediction = dict(score=rng.random(number).round(1), category=rng.integers(0, CLASSES, number))
    prediction |= dict(masks=rng.random((number, size)) < 0.3) if masks else dict(instance=predicted)
    target = dict(instance=instance, segment=segment)
    assert in_unit_range(instance_average_precision(prediction, target, **settings), nan=True)
    ids = np.unique(instance[instance >= 0])
    perfect = dict(
        instance=np.where(instance >= 0, np.searchsorted(ids, instance), -1),
        score=np.ones(len(ids)),
        category=np.array([segment[instance == i][0] for i in ids], int),
    )
    result = instance_average_precision(perfect, target, **settings)
    assert np.isnan(result["map"]) or result["map"] == pytest.approx(1)


@fuzz(size=sizes, number=st.integers(0, 5), min_points=st.integers(0, 5), ignored=st.sampled_from([-1, 0, (-1, 2)]))
def test_panoptic_quality(rng, size, number, min_points, ignored):
    classes = sorted({0, 1, 2, 3} - set(np.atleast_1d(ignored)))
    settings = dict(num_classes=CLASSES, things=classes[:2], ignore_index=ignored, min_points=min_points)
    outside = np.atleast_1d(ignored)[0]
    instance, segment = instances(rng, size, number)
    guess, predicted = instances(rng, size, number)
    segment, predicted = (np.where(part < 0, outside, part) for part in (segment, predicted))
    assert in_unit_range(panoptic_quality((predicted, guess), (segment, instance), **settings))
    result = panoptic_quality((segment, instance), (segment, instance), **settings)
    assert in_unit_range(result) and set(result["class_pq"]) <= {0.0, 1.0}
    present = [c for c in classes if (segment == c).any()]
    assert (result["class_iou"][present] == 1).all()


@fuzz(0.5, size=sizes, shape=shapes, place=places, number=st.integers(0, 4), planes_off=st.booleans())
def test_label_free(rng, size, shape, place, number, planes_off):
    coord = cloud(rng, size, shape, place)
    label = cluster_offsets(coord, cloud(rng, size, shape, (0.3, 0.0)), 0.1, min_points=2, reach=0.3)
    assert label.shape == (size,) and (label >= -1).all()
    instance, _ = instances(rng, size, number)
    assert -1 <= adjusted_rand_index(label, instance) <= 1 and adjusted_rand_index(instance, instance) == 1
    if size == 0:
        return  # a scene without points is refused by its reader
    scenes = [dict(coord=coord.numpy(), instance=instance)]
    rules = dict(zero=lambda voxels: np.zeros(len(voxels["coord"]), int), none=lambda v: np.full(len(v["coord"]), -1))
    table = evaluate_label_free(scenes, rules, planes_off, min_points=1)
    for row in table.values():
        assert in_unit_range({name: row[name] for name in ("map", "ap50", "ap25", "recall50")}, nan=True)
