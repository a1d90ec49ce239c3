import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pointins_ext.models.passes import global_views
from pointins_ext.models.sinkhorn import zipf_sinkhorn
from tests.fixtures.tiny_pointins import GRID, batch, build, dos_config, record
from tests.oracles import dos as oracle


@pytest.fixture(scope="module")
def shared():
    """A model for tests that leave it as it is."""
    return build(dos_config())


def keys(views):
    return [tuple(row) for row in torch.cat([views.view[:, None], views.grid_coord], dim=1).tolist()]


# every student voxel at the loss stride exists in the teacher, with the same key and the same content
@pytest.mark.parametrize("mask_size", [0.05, 0.2, 0.33])
def test_student_voxels_are_an_exact_subset_of_teacher_voxels(mask_size):
    model = build(dos_config(mask_size_start=mask_size))
    _, teacher, student = record(model, batch())
    assert set(keys(student)) < set(keys(teacher))
    position = {key: i for i, key in enumerate(keys(teacher))}
    index = [position[key] for key in keys(student)]
    assert len(position) == len(teacher.view)
    assert torch.equal(student.scene_coord, teacher.scene_coord[index])
    assert torch.equal(student.coord, teacher.coord[index])
    assert student.voxel == teacher.voxel == pytest.approx(2 * GRID)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**16),
    ratio=st.floats(0.0, 1.0),
    mask_size=st.floats(0.01, 2.0),
    num_points=st.integers(2, 300),
)
def test_masks_are_whole_blocks_in_the_asked_share(shared, seed, ratio, mask_size, num_points):
    generator = torch.Generator().manual_seed(seed)
    grid_coord = torch.randint(0, 30, (num_points, 3), generator=generator)
    view = torch.arange(num_points) % 2
    shared.mask_ratio, shared.mask_size = ratio, mask_size
    visible = shared.visible_mask(grid_coord, view, int(view.max()) + 1, torch.tensor(GRID))
    side = max(1, round(mask_size / GRID / 2)) * 2
    for v in (0, 1):
        block, member = (grid_coord[view == v] // side).unique(dim=0, return_inverse=True)
        seen = [set(visible[view == v][member == b].tolist()) for b in range(len(block))]
        assert all(len(s) == 1 for s in seen)  # wholly visible or wholly masked
        masked = sum(s == {False} for s in seen)
        wanted = min(np.floor(np.float32(len(block)) * np.float32(ratio)), len(block) - 1)
        assert masked == wanted and visible[view == v].any()


def test_masks_differ_from_call_to_call_and_follow_the_seed(shared):
    grid_coord, view = torch.randint(0, 40, (400, 3)), torch.arange(400) % 2
    shared.mask_ratio, shared.mask_size = 0.5, 0.2
    torch.manual_seed(3)
    first, second = (shared.visible_mask(grid_coord, view, int(view.max()) + 1, torch.tensor(GRID)) for _ in range(2))
    torch.manual_seed(3)
    assert torch.equal(
        first, shared.visible_mask(grid_coord, view, int(view.max()) + 1, torch.tensor(GRID))
    ) and not torch.equal(first, second)


@pytest.mark.parametrize("scope", ["batch", "scene"])
def test_softmap_loss_equals_the_slow_restatement(scope):
    model = build(dos_config(scope=scope))
    generator = torch.Generator().manual_seed(0)
    view = torch.arange(40) % 4
    student, teacher = (2 * torch.rand(n, 12, generator=generator) - 1 for n in (40, 25))
    index = torch.randint(-1, 25, (40,), generator=generator)
    loss, _ = model.softmap_loss(student, teacher, view, index)
    parts = [view % 2 == v for v in (0, 1)] if scope == "batch" else [view == v for v in range(4)]
    expected = []
    for part in parts:
        rows = part & (index >= 0)
        pair = student[rows].double().numpy(), teacher[index[rows]].double().numpy()
        expected.append(oracle.softmap_loss(*pair, model.teacher_temp, model.student_temp, 1.3, 3))
    # one term for each of the two view indices; over scenes it is a mean
    assert float(loss) == pytest.approx(sum(expected) * 2 / len(parts), rel=1e-4)


# zero KL where student and teacher maps agree; the gradient reaches the student only
def test_no_loss_where_the_student_has_the_teachers_softmaps(shared):
    teacher = 2 * torch.rand(30, 12, generator=torch.Generator().manual_seed(0)) - 1
    view = torch.tensor([0, 1]).repeat_interleave(15)
    student = torch.cat(
        [
            shared.student_temp * zipf_sinkhorn(teacher[view == v], shared.teacher_temp).clamp_min(1e-30).log()
            for v in (0, 1)
        ]
    )
    student, teacher = student.requires_grad_(), teacher.requires_grad_()
    loss, softmap = shared.softmap_loss(student, teacher, view, torch.arange(30))
    assert loss.item() == pytest.approx(0.0, abs=1e-5)
    loss.backward()
    assert student.grad.abs().max() < 1e-5 and teacher.grad is None
    torch.testing.assert_close(softmap.sum(0), torch.ones(12))
    other, _ = shared.softmap_loss(student.detach().flip(0), teacher.detach(), view, torch.arange(30))
    assert float(other) > 0.1


def test_gradient_reaches_student_features_and_prototypes_only():
    model = build(dos_config())
    result = model(batch())
    result["loss"].backward()
    assert all(p.grad is not None for p in model.student.parameters())
    assert model.student.backbone.embedding.stem.linear.weight.grad.abs().sum() > 0
    assert model.student.semantic_head.prototype.weight.grad.abs().sum() > 0
    assert all(p.grad is None and not p.requires_grad for p in model.teacher.parameters())


def test_nothing_matched_is_zero_and_keeps_the_graph(shared):
    student = torch.rand(6, 12, requires_grad=True)
    loss, softmap = shared.softmap_loss(student, torch.rand(5, 12), torch.arange(6) % 2, torch.full((6,), -1))
    loss.backward()
    assert loss.item() == 0.0 and torch.equal(student.grad, torch.zeros(6, 12)) and softmap.shape == (0, 12)


def test_a_step_gives_finite_scalars():
    result = build(dos_config())(batch())
    assert set(result) == {
        "loss",
        "same_loss",
        "cross_loss",
        "softmap_entropy",
        "prototype_perplexity",
        "zipf_perplexity",
    }
    assert all(value.dim() == 0 and torch.isfinite(value) for value in result.values())
    half = 0.5 * result["same_loss"] + 0.5 * result["cross_loss"]
    torch.testing.assert_close(result["loss"].detach(), half)
    assert 1 <= result["prototype_perplexity"] <= 12
    assert all(value.grad_fn is None for name, value in result.items() if name != "loss")


def test_a_step_compares_with_the_same_and_with_the_other_view():
    model = build(dos_config())
    data = batch()
    origin = data["global_origin_coord"]  # off the grid: there are no two nearest voxels
    data["global_origin_coord"] = origin + 0.01 * torch.rand(origin.shape, generator=torch.Generator().manual_seed(0))
    result, teacher, student = record(model, data)
    with torch.no_grad():
        similar = {
            "student": model.student.semantic_head(student.feat).double().numpy(),
            "teacher": model.teacher.semantic_head(teacher.feat).double().numpy(),
        }
    distance = torch.cdist(student.scene_coord.double(), teacher.scene_coord.double())
    for name, wanted in (("same_loss", student.view), ("cross_loss", student.view ^ 1)):
        masked = distance.masked_fill(wanted[:, None] != teacher.view, float("inf"))
        nearest, index = masked.min(1)
        expected = 0.0
        for half in (0, 1):
            rows = (student.view % 2 == half) & (nearest <= teacher.voxel)
            pair = similar["student"][rows], similar["teacher"][index[rows]]
            expected += oracle.softmap_loss(*pair, model.teacher_temp, model.student_temp, 1.3, 3)
        assert float(result[name]) == pytest.approx(expected, rel=1e-3)


def test_the_order_of_points_and_scenes_is_irrelevant():
    data = batch(maps=[torch.eye(3)] * 4)  # unturned, so that no two points share a cell
    model = build(dos_config(mask_ratio_start=0.0))
    end = data["global_offset"].tolist()
    rows = [torch.arange(a, b) for a, b in zip([0, *end[:-1]], end, strict=True)]

    def result(*views):
        order = torch.cat(views)
        mixed = data | {key: data[key][order] for key in ("global_coord", "global_origin_coord", "global_feat")}
        mixed["global_offset"] = torch.tensor([len(view) for view in views]).cumsum(0)
        torch.manual_seed(0)  # the backbone draws its serialization orders
        return {name: float(value.detach()) for name, value in model(mixed).items()}

    plain = result(*rows)
    assert result(*(row.flip(0) for row in rows)) == pytest.approx(plain, rel=1e-3)
    scenes_swapped = result(rows[2], rows[3], rows[0], rows[1])
    assert scenes_swapped == pytest.approx(plain, rel=1e-3)


def test_every_view_has_its_own_grid(shared):
    coord = 3 * torch.rand(60, 3) - torch.tensor([40.0, -9.0, 0.0])
    data = dict(global_coord=coord, global_origin_coord=coord, global_feat=coord, global_offset=torch.tensor([20, 60]))
    views = global_views(data | dict(grid_size=torch.tensor([GRID, GRID])))
    assert views["batch"].tolist() == [0] * 20 + [1] * 40
    for rows in (slice(0, 20), slice(20, 60)):
        expected = ((coord[rows] - coord[rows].amin(0)) / GRID).floor()
        assert torch.equal(views["grid_coord"][rows], expected.int())


@pytest.mark.parametrize(
    "options, message",
    [
        (dict(num_global_view=3), "num_global_view is 3; DOS distils between exactly 2 views"),
        (dict(scope="view"), "scope is 'view'; expected 'batch' or 'scene'"),
    ],
)
def test_unusable_options_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        build(dos_config(**options))
