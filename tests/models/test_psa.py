import io
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pointins_ext.branch import (
    MagnitudePrior,
    OffsetDistributionRegularization,
    SpatialClusteringRegularization,
    StageFeatures,
    match,
)
from pointins_ext.models import passes
from pointins_ext.models.passes import up_cast
from pointins_ext.models.psa import Segments
from tests.fixtures.tiny_pointins import GRID, VIEW_MAPS, batch, build, pointins_config, record
from tests.fixtures.tiny_psa import (
    ANCHOR,
    assert_same_boxes,
    clustered,
    decode,
    farthest,
    offset_view,
    psa_config,
)


@pytest.fixture(scope="module")
def shared():
    """A model for tests that leave it as it is."""
    return build(psa_config())


def unit(*shape, seed=0):
    rows = torch.randn(*shape, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.normalize(rows, dim=1)


# -- contrast -------------------------------------------------------------------------------------------------------


def slow_info_nce(query, key, queue, temperature):
    """Mean over queries of -log of the positive's share, by loops in double precision."""
    losses = []
    for embedding, label, side in zip(*(field.tolist() for field in query), strict=True):
        scores, positive = [], None
        for other, other_label, other_side in zip(*(field.tolist() for field in key), strict=True):
            if other_side != side:
                scores.append(math.exp(np.dot(embedding, other) / temperature))
                positive = scores[-1] if other_label == label else positive
        scores += [math.exp(np.dot(embedding, old) / temperature) for old in queue.tolist()]
        if positive is not None:
            losses.append(-math.log(positive / sum(scores)))
    return sum(losses) / len(losses)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**16), num_queries=st.integers(1, 9), filled=st.integers(0, 30))
def test_contrast_equals_the_slow_restatement(shared, seed, num_queries, filled):
    generator = torch.Generator().manual_seed(seed)

    def segments(number, seed):
        pair = torch.randperm(14, generator=generator)[:number]
        return Segments(unit(number, 8, seed=seed), pair // 2, pair % 2)

    query, key = segments(num_queries, seed), segments(10, seed + 1)
    shared.queue.copy_(unit(12, 8, seed=seed + 2))
    shared.queue_count.fill_(filled)
    positive = (query.side[:, None] != key.side) & (query.label[:, None] == key.label)
    loss = float(shared.contrast_loss(query, key))
    if positive.any():
        expected = slow_info_nce(query, key, shared.queue[:filled], shared.temperature)
        assert loss == pytest.approx(expected, rel=1e-4, abs=1e-6)
    else:
        assert loss == 0.0


def test_views_that_agree_beat_views_that_do_not(shared):
    embedding, label = torch.eye(8)[:4], torch.arange(4)
    zero, one = torch.zeros(4, dtype=torch.long), torch.ones(4, dtype=torch.long)
    shared.queue_count.zero_()
    same = shared.contrast_loss(Segments(embedding, label, zero), Segments(embedding, label, one))
    other = shared.contrast_loss(Segments(embedding, label, zero), Segments(embedding.roll(1, 0), label, one))
    assert same == pytest.approx(math.log(1 + 3 * math.exp(-10)), abs=1e-6) and other > 9


def test_the_queue_keeps_the_latest_in_any_portions():
    model = build(psa_config(queue_size=7))
    stream = unit(60, 8)
    begin = 0
    for number in (3, 0, 2, 5, 20, 1, 7, 6):
        model.enqueue(stream[begin : begin + number])
        begin += number
        held = model.queue[: min(begin, 7)]
        expected = stream[max(begin - 7, 0) : begin]
        assert {tuple(row) for row in held.tolist()} == {tuple(row) for row in expected.tolist()}
        assert int(model.queue_count) == begin and not model.queue[begin:].any()


@pytest.mark.parametrize("contrast", ["segment", "scene"])
def test_a_step_contrasts_pooled_features_and_fills_the_queue_afterwards(contrast):
    model = build(psa_config(contrast=contrast, queue_size=100))
    data = clustered()
    model.enqueue(unit(5, 8))
    before = model.queue[:5].clone()
    result, teacher, student = record(model, data)

    def slow_segments(views, head):
        rows = {}
        # two points of a voxel are equally near to their mean: which is taken is up to `match`
        nearest = match(views.scene_coord, views.view, data["global_origin_coord"], offset_view(data), 1.0)
        for feat, point, view in zip(views.feat, nearest, views.view.tolist(), strict=True):
            cluster = int(data["global_cluster"][point]) if contrast == "segment" else 0
            if cluster >= 0:
                rows.setdefault((view // 2 * 1000 + cluster, view % 2), []).append(feat)
        pooled = head(torch.stack([torch.stack(members).amax(0) for members in rows.values()]))
        label, side = torch.tensor(list(rows)).T
        return Segments(pooled.detach(), label, side)

    query = slow_segments(student, model.student.projection_head)
    key = slow_segments(teacher, model.teacher.projection_head)
    expected = slow_info_nce(query, key, before, model.temperature)
    assert float(result["contrast_loss"]) == pytest.approx(expected, rel=1e-3)
    added = model.queue[5 : int(model.queue_count)]
    assert len(added) == len(key.label) and torch.equal(model.queue[:5], before)
    assert torch.allclose(added.norm(dim=1), torch.ones(len(added)))
    assert farthest(added, key.embedding) < 1e-4


def test_the_order_of_a_networks_voxels_is_irrelevant(monkeypatch):
    """Where a host sorts voxels along a curve drawn at random, teacher and student have different orders."""

    def shuffled(point, levels):
        views = up_cast(point, levels)
        order = torch.randperm(len(views.view))
        orders.append(order)
        rows = ("coord", "scene_coord", "grid_coord", "view")
        features = StageFeatures(views.feat[order])
        return replace(views, features=features, **{name: getattr(views, name)[order] for name in rows})

    plain = build(psa_config())(clustered())
    orders = []
    monkeypatch.setattr("pointins_ext.models.psa.up_cast", shuffled)
    monkeypatch.setattr(
        "pointins_ext.models.psa.central_points", lambda *output: passes.central_points(*output)[orders[-1]]
    )
    model = build(psa_config())
    torch.manual_seed(7)
    mixed = model(clustered())
    for name in ("contrast_loss", "box_loss"):
        assert float(mixed[name]) == pytest.approx(float(plain[name]), rel=1e-3)


def test_the_queue_is_checkpointed():
    model, other = build(psa_config()), build(psa_config(), seed=1)
    model(clustered())
    file = io.BytesIO()
    torch.save(model.state_dict(), file)
    file.seek(0)
    other.load_state_dict(torch.load(file, weights_only=True))
    assert model.queue_count > 0 and torch.equal(other.queue, model.queue)
    assert other.queue_count == model.queue_count


def test_evaluation_leaves_the_queue_alone():
    model = build(psa_config()).eval()
    with torch.no_grad():
        model(clustered())
    assert model.queue_count == 0


# -- boxes ----------------------------------------------------------------------------------------------------------


def test_box_targets_of_a_step_decode_to_the_scenes_boxes(monkeypatch):
    model, data, seen = build(psa_config()), clustered(), {}
    original = torch.nn.functional.smooth_l1_loss

    def spy(prediction, target, **options):
        seen.update(prediction=prediction, target=target)
        return original(prediction, target, **options)

    monkeypatch.setattr("pointins_ext.models.psa.F.smooth_l1_loss", spy)
    result, teacher, student = record(model, data)
    distance = torch.cdist(student.scene_coord.double(), teacher.scene_coord.double())
    distance[student.view[:, None] ^ 1 != teacher.view] = float("inf")
    point = match(student.scene_coord, student.view, data["global_origin_coord"], offset_view(data), 1.0)
    rows = ((distance.amin(1) <= teacher.voxel) & (data["global_cluster"][point] >= 0)).nonzero().squeeze(1)
    assert len(rows) == len(seen["target"]) > 50
    for view, to_view in enumerate(VIEW_MAPS):
        own = student.view[rows] == view
        coord, box = student.coord[rows][own], data["global_box"][point[rows][own]]
        matrix = to_view.double().inverse()
        shift = -0.3 * matrix.sum(1)  # `pack` moves every view by 0.3 m
        assert_same_boxes(decode(seen["target"][own], coord, matrix, shift, ANCHOR), box, atol=1e-3)
    difference = (seen["prediction"] - seen["target"]).detach().abs()
    each = torch.where(difference < 1, 0.5 * difference.square(), difference - 0.5).sum(1)
    assert float(result["box_loss"]) == pytest.approx(float(each.mean()), rel=1e-4)


# -- a step ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("contrast", ["segment", "scene"])
def test_a_step_gives_finite_scalars_and_gradients_of_the_student_only(contrast):
    model = build(psa_config(contrast=contrast, contrast_loss_weight=2.0, box_loss_weight=0.25))
    for _ in range(2):
        result = model(clustered())
    assert set(result) == {"loss", "contrast_loss", "box_loss"}
    assert all(value.dim() == 0 and torch.isfinite(value) for value in result.values())
    weighted = 2.0 * result["contrast_loss"] + 0.25 * result["box_loss"]
    torch.testing.assert_close(result["loss"].detach(), weighted)
    assert result["contrast_loss"] > 0 and result["box_loss"] > 0
    result["loss"].backward()
    assert all(torch.isfinite(p.grad).all() for p in model.student.parameters())
    for module in (model.student.backbone.embedding.stem.linear, model.student.projection_head.mlp[2]):
        assert module.weight.grad.abs().sum() > 0
    assert model.student.box_head.mlp[-1].weight.grad.abs().sum() > 0
    assert all(p.grad is None and not p.requires_grad for p in model.teacher.parameters())


def test_a_batch_without_clusters_is_zero_and_keeps_the_graph():
    model = build(psa_config())
    model.enqueue(unit(5, 8))
    result = model(clustered(clusters=False))
    result["loss"].backward()
    assert result["loss"].item() == result["contrast_loss"].item() == result["box_loss"].item() == 0.0
    assert model.queue_count == 5
    # DDP waits for every gradient
    assert all(torch.equal(p.grad, torch.zeros_like(p)) for p in model.student.parameters())


def test_a_single_cluster_in_one_view_alone_is_no_positive():
    data = clustered(num_scenes=1)
    alone = offset_view(data) == 0
    data["global_cluster"] = torch.where(alone & (data["global_origin_coord"][:, 0] < 0.3), 3, -1)
    result = build(psa_config())(data)
    assert result["contrast_loss"] == 0.0


def test_clusters_of_different_scenes_are_different_segments():
    data = clustered()
    twin = {key: torch.cat([data[key]] * 2) for key in data if key.startswith("global") and "offset" not in key}
    twin["global_offset"] = torch.cat([data["global_offset"], data["global_offset"] + data["global_offset"][-1]])
    twin["grid_size"] = torch.full((4,), GRID)
    model = build(psa_config())
    torch.manual_seed(0)
    once = model(data)["contrast_loss"]
    model.queue_count.zero_()
    torch.manual_seed(0)
    # every negative, and the positive as one more negative, twice: were they one segment there would be two positives
    assert model(twin)["contrast_loss"] == pytest.approx(float(once) + math.log(2), rel=1e-3)


def test_bf16_leaves_embeddings_and_boxes_in_single_precision():
    model = build(psa_config())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        result = model(clustered())
    result["loss"].backward()
    assert all(value.dtype == torch.float32 and torch.isfinite(value) for value in result.values())
    held = model.queue[: min(int(model.queue_count), 12)]
    torch.testing.assert_close(held.norm(dim=1), torch.ones(len(held)))


def test_learning_lowers_both_losses():
    model, data = build(psa_config(momentum_base=0.9, momentum_final=0.9)), clustered()
    optimizer = torch.optim.AdamW(model.student.parameters(), lr=5e-3)
    trace = []
    for _ in range(15):
        result = model(data)
        optimizer.zero_grad()
        result["loss"].backward()
        optimizer.step()
        model.after_step()
        trace.append((float(result["contrast_loss"]), float(result["box_loss"])))
    (contrast, box), last = trace[1], trace[-1]
    assert last[0] < 0.9 * contrast and last[1] < 0.7 * box


def test_features_on_request(shared):
    data = batch()
    point = dict(coord=data["global_coord"], feat=data["global_feat"], offset=data["global_offset"], grid_size=GRID)
    answer = shared(point | dict(origin_coord=data["global_origin_coord"]), return_point=True)
    assert set(answer) == {"point"}


# -- around it ------------------------------------------------------------------------------------------------------


def test_pointins_takes_a_step_around_psa():
    model = build(pointins_config(psa_config()))
    model.add_regularizer(OffsetDistributionRegularization(MagnitudePrior.load("outdoor")))
    model.add_regularizer(SpatialClusteringRegularization(num_clusters=3, radius=0.2, feature="concat", min_points=3))
    assert model.student.offset_head.mlp[0].in_features == 32
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    teacher = [p.clone() for p in model.teacher.parameters()]
    result = model(clustered())
    result["loss"].backward()
    assert set(result) == {"loss", "contrast_loss", "box_loss", "offset_loss", "offset_matched"}
    assert all(torch.isfinite(value) for value in result.values()) and result["offset_loss"] > 0
    assert all(p.grad is not None for p in model.student.parameters())
    assert all(p.grad is None for p in model.teacher.parameters())
    assert all(torch.equal(p, q) for p, q in zip(teacher, model.teacher.parameters(), strict=True))
    optimizer.step()
    model.after_step()
    assert not all(torch.equal(p, q) for p, q in zip(teacher, model.teacher.parameters(), strict=True))
    own = {name for name in model.state_dict() if "offset_head" not in name}
    assert own == set(build(psa_config()).state_dict()) and "queue" in own and "anchor" not in own


def test_missing_clusters_are_named(shared):
    with pytest.raises(ValueError, match="no global_cluster and no global_box.*ClusterBoxes"):
        shared(batch())


@pytest.mark.parametrize(
    "options, message",
    [
        (dict(num_global_view=3), "num_global_view is 3; PSA contrasts exactly 2 views"),
        (dict(contrast="view"), "contrast is 'view'; expected 'segment' or 'scene'"),
        (dict(queue_size=0), "queue_size is 0; expected at least 1"),
    ],
)
def test_unusable_options_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        build(psa_config(**options))


def test_box_targets_are_those_of_full_precision_also_under_autocast():
    """50 m from the origin, where half precision has steps of a quarter of a meter."""
    model, data = build(psa_config()), clustered()
    _, teacher, student = record(model, data | dict(global_origin_coord=data["global_origin_coord"] + 50.0))
    box = torch.cat([student.scene_coord + 0.1, torch.full((len(student.view), 4), 0.5)], dim=1)
    losses = []
    for enabled in (False, True):
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            losses.append(model.box_loss(student, teacher, torch.zeros_like(student.view), box).item())
    assert losses[0] > 0 and losses[1] == pytest.approx(losses[0], rel=1e-4)
