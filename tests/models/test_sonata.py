from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pointins_ext.branch import StageFeatures
from pointins_ext.host import MODELS, NAME, Point
from pointins_ext.models.passes import BackboneOutput, up_cast
from pointins_ext.models.sinkhorn import sinkhorn_knopp
from pointins_ext.models.sonata import Sonata, SonataSharedHead
from tests.fixtures.tiny_pointins import (
    GRID,
    about_z,
    backbone_config,
    batch,
    build,
    crop,
    pack,
    scene_points,
)
from tests.fixtures.tiny_sonata import scattered, sonata_config
from tests.oracles import sonata as oracle

GOLDEN = dict(loss=3.38805, mask_loss=3.27039, roll_mask_loss=3.30048, unmask_loss=3.49067)
LOSSES = ("mask_loss", "roll_mask_loss", "unmask_loss")


def weights(mask, roll, unmask):
    return dict(mask_loss_weight=mask, roll_mask_loss_weight=roll, unmask_loss_weight=unmask)


@pytest.fixture(scope="module")
def shared():
    """A model for tests that leave its parameters as they are."""
    return build(sonata_config())


def views(coord, view):
    """A pass of which only places matter."""
    return BackboneOutput(
        StageFeatures(torch.zeros(len(coord), 0)), coord, coord, coord.long(), view, int(view.max()) + 1, GRID
    )


def cosines(num_points, num_prototypes=12, seed=0):
    return 2 * torch.rand(num_points, num_prototypes, generator=torch.Generator().manual_seed(seed)) - 1


# -- masks ----------------------------------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**16),
    ratio=st.floats(0.0, 1.0),
    mask_size=st.floats(0.05, 2.0),
    num_points=st.integers(2, 200),
)
def test_masks_are_whole_patches_in_the_asked_share(shared, seed, ratio, mask_size, num_points):
    coord = 3 * torch.rand(num_points, 3, generator=torch.Generator().manual_seed(seed)) - 7
    view = torch.arange(num_points) % 2
    shared.mask_ratio, shared.mask_size = ratio, mask_size
    mask = shared.patch_mask(coord, view, 2)
    seen = {}
    for v in (0, 1):
        corner = coord[view == v].amin(0)
        for i in (view == v).nonzero().flatten().tolist():
            patch = (v, *((coord[i] - corner) / mask_size).floor().int().tolist())
            seen.setdefault(patch, set()).add(bool(mask[i]))
    assert all(len(values) == 1 for values in seen.values())
    assert sum(values == {True} for values in seen.values()) == int(len(seen) * ratio)


def test_masked_points_alone_are_jittered(shared):
    coord, view = torch.rand(4000, 3), torch.arange(4000) % 2
    shared.mask_ratio, shared.mask_size, before = 0.5, 0.2, coord.clone()
    masked = shared.masked(dict(coord=coord, batch=view, offset=torch.tensor([2000, 4000])))
    moved = masked["coord"] - coord
    assert torch.equal(coord, before) and torch.equal(masked["batch"], view)
    assert torch.equal(moved.ne(0).any(1), masked["mask"]) and 0.3 < masked["mask"].float().mean() < 0.7
    noise = moved[masked["mask"]]
    assert noise.std() == pytest.approx(0.01, rel=0.1) and noise.max() <= 0.02 + 1e-6
    still = build(sonata_config(mask_jitter=None)).masked(
        dict(coord=coord, batch=view, offset=torch.tensor([2000, 4000]))
    )
    assert torch.equal(still["coord"], coord)


def test_the_teacher_sees_whole_views_and_the_student_masked_and_local_ones():
    model, calls = build(sonata_config()), []
    for side in ("teacher", "student"):
        getattr(model, side).backbone.register_forward_pre_hook(
            lambda module, args, side=side: calls.append((side, dict(args[0])))
        )
    data = batch(num_local=3)
    model(data)
    (_, whole), (_, masked), (_, local) = calls
    assert [side for side, _ in calls] == ["teacher", "student", "student"]
    assert "mask" not in whole and "mask" not in local and masked["mask"].any() and not masked["mask"].all()
    assert torch.equal(whole["coord"], data["global_coord"]) and torch.equal(local["coord"], data["local_coord"])
    unmasked = ~masked["mask"]
    assert torch.equal(masked["coord"][unmasked], whole["coord"][unmasked])
    assert torch.equal(masked["origin_coord"], whole["origin_coord"])


# -- one loss -------------------------------------------------------------------------------------------------------


def test_loss_equals_the_slow_restatement(shared):
    generator = torch.Generator().manual_seed(0)
    place = [torch.rand(n, 3, generator=generator) for n in (50, 40)]
    view = [torch.arange(n) % 3 for n in (50, 40)]
    target_view = (view[0] + 1) % 3
    prediction, similarity = cosines(50), cosines(40, seed=1)
    distance = torch.cdist(*place).masked_fill(target_view[:, None] != view[1], float("inf"))
    nearest = torch.where(distance.amin(1) < 0.15, distance.argmin(1), -1)
    assert 10 < int((nearest >= 0).sum()) < 45
    loss = shared.distil(prediction, views(place[0], view[0]), similarity, views(place[1], view[1]), target_view)
    arrays = [x.double().numpy() for x in (prediction, similarity)]
    expected = oracle.view_loss(*arrays, nearest.numpy(), view[0], shared.teacher_temp, shared.student_temp)
    assert float(loss) == pytest.approx(expected, rel=1e-4)


def test_a_perfect_student_has_the_entropy_of_the_assignments_and_no_gradient(shared):
    similarity = cosines(30)
    target = sinkhorn_knopp(similarity, shared.teacher_temp)
    prediction = (shared.student_temp * target.log()).requires_grad_()
    place = views(torch.rand(30, 3), torch.arange(30) // 15)
    order = torch.randperm(30)
    shuffled = replace(place, scene_coord=place.scene_coord[order], view=place.view[order])
    loss = shared.distil(prediction, place, similarity[order], shuffled, place.view)
    loss.backward()
    assert loss.item() == pytest.approx(float(torch.special.entr(target).sum(1).mean()), rel=1e-4)
    assert prediction.grad.abs().max() < 1e-6
    assert shared.distil(prediction.flip(0), place, similarity[order], shuffled, place.view) > loss + 0.1


def test_matches_are_nearer_than_the_radius():
    model = build(sonata_config(match_max_r=0.25))
    place = views(torch.tensor([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0]]), torch.tensor([0, 1]))
    other = replace(place, scene_coord=place.scene_coord + torch.tensor([0.25, 0.0, 0.0]))
    prediction = torch.zeros(2, 12)
    assert model.distil(prediction, place, cosines(2), other, place.view) == 0
    nearer = replace(place, scene_coord=place.scene_coord + torch.tensor([0.2499, 0.0, 0.0]))
    assert float(model.distil(prediction, place, cosines(2), nearer, place.view)) == pytest.approx(np.log(12))


@pytest.mark.parametrize("lost", [0, 1, 2])
def test_a_view_without_a_match_does_not_count(shared, lost):
    place = views(torch.rand(30, 3), torch.arange(30) % 3)
    prediction, similarity = cosines(30, seed=1), cosines(30)
    kept = place.view != lost
    far = replace(place, scene_coord=place.scene_coord + 9 * ~kept[:, None])
    loss = shared.distil(prediction, far, similarity, place, place.view)
    few = replace(place, scene_coord=place.scene_coord[kept], view=place.view[kept])
    expected = shared.distil(prediction[kept], few, similarity, place, few.view)
    torch.testing.assert_close(loss, expected)
    assert loss > 0


def test_a_batch_without_any_match_is_a_zero_loss_in_the_graph():
    data = batch(num_local=3)
    data["local_origin_coord"] = data["local_origin_coord"] + 50
    model = build(sonata_config(**weights(0, 0, 1)))
    result = model(data)
    result["loss"].backward()
    assert result["loss"] == 0 and result["unmask_loss"] == 0
    trained = [p for p in model.student.parameters() if p.requires_grad]
    assert all(p.grad is None or not p.grad.any() for p in trained)
    assert model.student.unmask_head.mlp[0].weight.grad is not None  # DDP waits for it


# -- one step -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["Sonata-v1m1", "Sonata-v1m2"])
def test_a_step_compares_with_the_right_views_and_heads(kind):
    model, data = build(sonata_config(type=kind)), scattered(batch(num_local=3))
    for p in model.teacher.parameters():
        p.data += 0.1 * torch.randn(p.shape, generator=torch.Generator().manual_seed(p.numel()))
    passes = {"teacher": [], "student": []}
    for side, seen in passes.items():
        getattr(model, side).backbone.register_forward_hook(
            lambda module, args, output, seen=seen: seen.append(up_cast(output, 1))
        )
    result = model(data)
    (teacher,), (masked, local) = passes.values()
    terms = dict(
        mask_loss=(masked, "mask_head", masked.view),
        roll_mask_loss=(masked, "mask_head", masked.view ^ 1),
        unmask_loss=(local, "unmask_head", local.view // 3 * 2),
    )
    for name, (student, head, wanted) in terms.items():
        source = model.teacher[head if kind == "Sonata-v1m1" else "mask_head"]
        with torch.no_grad():
            arrays = [x.double().numpy() for x in (model.student[head](student.feat), source(teacher.feat))]
        distance = torch.cdist(student.scene_coord.double(), teacher.scene_coord.double())
        distance = distance.masked_fill(wanted[:, None] != teacher.view, float("inf"))
        nearest = torch.where(distance.amin(1) < 0.15, distance.argmin(1), -1).numpy()
        expected = oracle.view_loss(*arrays, nearest, student.view, model.teacher_temp, model.student_temp)
        assert float(result[name]) == pytest.approx(expected, rel=1e-4)
    total = 0.25 * result["mask_loss"] + 0.25 * result["roll_mask_loss"] + 0.5 * result["unmask_loss"]
    torch.testing.assert_close(result["loss"].detach(), total)


def test_results_are_scalars_and_the_gradient_reaches_the_student_alone():
    model = build(sonata_config(backbone=backbone_config(mask_token=True), head_in_channels=32))
    result = model(batch(num_local=3))
    assert list(result) == ["loss", *LOSSES]
    assert all(value.dim() == 0 and torch.isfinite(value) for value in result.values())
    assert all(value.grad_fn is None for name, value in result.items() if name != "loss")
    result["loss"].backward()
    for name, p in model.student.named_parameters():
        assert p.grad is None if name.endswith("original0") else p.grad.abs().sum() > 0, name
    assert all(p.grad is None and not p.requires_grad for p in model.teacher.parameters())


@pytest.mark.parametrize("chosen", [(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 0, 1), (0, 1, 1)])
@pytest.mark.parametrize("kind", ["Sonata-v1m1", "Sonata-v1m2"])
def test_a_loss_of_weight_zero_is_absent_with_its_head(kind, chosen):
    model = build(sonata_config(type=kind, **weights(*chosen)))
    result = model(batch(num_scenes=1, num_local=3 * chosen[2]))
    result["loss"].backward()
    names = [name for name, weight in zip(LOSSES, chosen, strict=True) if weight]
    assert list(result) == ["loss", *names]
    heads = [head for head, used in (("mask_head", any(chosen[:2])), ("unmask_head", chosen[2])) if used]
    assert list(model.student) == list(model.teacher) == ["backbone", *heads]
    torch.testing.assert_close(result["loss"].detach(), sum(result[name] for name in names))


def test_one_global_view_needs_no_pair():
    scenes = [scene_points(seed) for seed in (0, 1)]
    slabs = [crop(points, start, 0.3) for points in scenes for start in (0.1, 0.5)]
    data = pack("global", scenes, [about_z(0)] * 2) | pack("local", slabs, [about_z(40)] * 4)
    model = build(sonata_config(num_global_view=1, num_local_view=2, **weights(1, 0, 1)))
    result = model(data | dict(grid_size=torch.full((2,), GRID)))
    assert list(result) == ["loss", "mask_loss", "unmask_loss"] and all(value > 0 for value in result.values())


def test_half_precision_ends_before_the_prototypes():
    model, data = build(sonata_config(mask_ratio_start=0.0)), batch(num_local=3)
    expected = model(data)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        result = model(data)
    result["loss"].backward()
    for name, value in result.items():
        assert value.dtype == torch.float32 and value.item() == pytest.approx(expected[name].item(), rel=0.02)


def test_features_on_request():
    model, data = build(sonata_config()), batch()
    view = {key: data[f"global_{key}"] for key in ("coord", "origin_coord", "feat", "offset")} | dict(grid_size=GRID)
    point = model(view, return_point=True)["point"]
    expected = up_cast(model.teacher.backbone(Point(view)), 1)
    assert torch.equal(point.feat, expected.feat) and torch.equal(point.origin_coord, expected.scene_coord)


def test_golden_number():
    """Weights from a formula; the numbers come from Pointcept's own class."""
    model = build(sonata_config(mask_ratio_start=0.0))
    for side in (model.student, model.teacher):
        for index, (name, p) in enumerate(side.named_parameters()):
            if not name.endswith("original0"):
                p.data = torch.sin(1.0 + index + torch.arange(p.numel())).reshape(p.shape)
    result = model(scattered(batch(num_local=3)))
    assert {name: value.item() for name, value in result.items()} == pytest.approx(GOLDEN, rel=1e-4)


# -- bad input ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options, message",
    [
        (weights(0, 0, 0), "are all 0; set one"),
        (dict(num_global_view=3), "num_global_view is 3; expected 1 or 2"),
        (dict(num_global_view=1), "set roll_mask_loss_weight=0"),
    ],
)
def test_unusable_options_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        build(sonata_config(**options))


def test_views_that_the_options_do_not_promise_are_named(shared):
    with pytest.raises(ValueError, match="has 4 local views of 2 scenes, but num_local_view is 3"):
        shared(batch(num_local=2))
    with pytest.raises(ValueError, match="has 0 local views"):
        shared(batch())
    data = batch(num_local=3)
    with pytest.raises(ValueError, match="has 3 global views, not a multiple of num_global_view=2"):
        shared(data | dict(global_offset=data["global_offset"][:3]))


@pytest.mark.skipif(NAME != "embedded", reason="Pointcept has its own classes")
def test_registered_where_the_host_has_none():
    assert MODELS.get("Sonata-v1m1") is Sonata and MODELS.get("Sonata-v1m2") is SonataSharedHead
