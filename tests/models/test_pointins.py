import copy
import dataclasses
import io
import pickle
from types import SimpleNamespace

import pytest
import torch

from pointins_ext.branch import MagnitudePrior, OffsetDistributionRegularization, SpatialClusteringRegularization
from pointins_ext.branch.loss import offset_loss
from pointins_ext.models.passes import run
from tests.fixtures.tiny_pointins import (
    GRID,
    backbone_config,
    batch,
    build,
    dos_config,
    pointins_config,
)
from tests.fixtures.tiny_sonata import sonata_config


def local_config(num_local=4):
    return dict(type="LocalViews-v1m1", backbone=backbone_config(), head_in_channels=32, num_local_view=num_local)


def with_regularizers(model):
    model.add_regularizer(OffsetDistributionRegularization(MagnitudePrior.load("indoor")))
    model.add_regularizer(SpatialClusteringRegularization(num_clusters=3, radius=0.2, feature="concat", min_points=3))
    return model


def warming_up(model):
    model.warmup_steps = 10
    return model


# -- what the host sees ---------------------------------------------------------------------------------------------


def test_state_dict_is_the_pretrainers_plus_the_offset_heads():
    model = build(pointins_config())
    plain = set(build(dos_config()).state_dict())
    head = model.teacher.offset_head.state_dict()
    added = {f"{side}.offset_head.{key}" for side in ("student", "teacher") for key in head}
    assert set(model.state_dict()) == plain | added and len(added) == 12
    assert {name.removeprefix("pretrainer.") for name, _ in model.named_parameters()} == set(model.state_dict())
    assert [name for name, _ in model.named_children()] == ["pretrainer"]
    # in a wrapper as DistributedDataParallel, too
    wrapped = torch.nn.ModuleDict(dict(module=model))
    assert set(wrapped.state_dict()) == {f"module.{key}" for key in model.state_dict()}
    assert not any(wrapped.load_state_dict(wrapped.state_dict()))


def test_copies_are_whole_and_apart():
    model = build(pointins_config())
    copies = [model, copy.deepcopy(model), pickle.loads(pickle.dumps(model)), copy.deepcopy(model).to(torch.float64)]
    for twin in copies:
        assert twin.student is twin.pretrainer.student and twin.teacher is twin.pretrainer.teacher
        assert "offset_head" in twin.pretrainer.student and set(twin.state_dict()) == set(model.state_dict())
    first, second = (next(twin.student.parameters()) for twin in copies[:2])
    assert first is not second and torch.equal(first, second)
    assert next(copies[3].pretrainer.student.parameters()).dtype == torch.float64
    assert next(model.parameters()).dtype == torch.float32


def test_saved_and_loaded_as_any_module():
    model, other = build(pointins_config()), build(pointins_config(), seed=1)
    file = io.BytesIO()
    torch.save(model.state_dict(), file)
    file.seek(0)
    other.load_state_dict(torch.load(file, weights_only=True))
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), other.parameters(), strict=True))


def test_train_and_eval_reach_the_pretrainer():
    model = build(pointins_config())
    model.eval()
    assert not model.pretrainer.training and not model.student.training
    model.train()
    assert model.pretrainer.training and model.student.offset_head.training


def test_events_reach_the_pretrainer_and_steps_are_counted(monkeypatch):
    model = build(pointins_config(offset_warmup_steps=None, offset_warmup_ratio=0.25))
    # two steps are accumulated: the scheduler counts half of them
    cfg = SimpleNamespace(scheduler=SimpleNamespace(total_steps=20))
    optimizer = SimpleNamespace(state={})
    trainer = SimpleNamespace(
        cfg=cfg, start_epoch=1, max_epoch=4, train_loader=range(10), writer=None, optimizer=optimizer
    )
    model.trainer = trainer
    events = ["before_train", "before_epoch", "before_step", "after_step", "after_epoch", "after_train"]
    seen = []
    for event in events:
        original = getattr(model.pretrainer, event)
        monkeypatch.setattr(model.pretrainer, event, lambda e=event, f=original: (seen.append(e), f()))
    for event in events:
        getattr(model, event)()
    assert seen == events and model.pretrainer.trainer is trainer
    assert model.warmup_steps == 10 and model.step == 11


def test_teacher_head_follows_the_student_by_the_pretrainers_average():
    model = build(pointins_config())
    model.student.offset_head.mlp[3].weight.data.fill_(1.0)
    before = model.teacher.offset_head.mlp[3].weight.clone()
    model.pretrainer.momentum = 0.75
    model.after_step()
    torch.testing.assert_close(model.teacher.offset_head.mlp[3].weight, 0.75 * before + 0.25)


def test_features_on_request_pass_through():
    model = build(pointins_config())
    data = batch()
    point = dict(coord=data["global_coord"], feat=data["global_feat"], offset=data["global_offset"], grid_size=GRID)
    point["origin_coord"] = data["global_origin_coord"]
    assert set(model(point, return_point=True)) == {"point"}


# -- the loss -------------------------------------------------------------------------------------------------------


# exactly zero weight before the warm-up ends
def test_during_warm_up_the_loss_is_the_pretrainers():
    data = batch()
    model = warming_up(with_regularizers(build(pointins_config())))
    plain = build(dos_config())
    plain.load_state_dict(model.state_dict(), strict=False)
    torch.manual_seed(5)
    expected = plain(data)
    torch.manual_seed(5)
    result = model(data)
    assert result["loss"].item() == expected["loss"].item() and result["offset_loss"] == 0.0
    assert {name: value.item() for name, value in result.items() if name in expected} == {
        name: value.item() for name, value in expected.items()
    }
    expected["loss"].backward()
    result["loss"].backward()
    gradients = dict(model.pretrainer.named_parameters())
    for name, parameter in plain.named_parameters():
        if parameter.grad is not None:
            assert torch.equal(parameter.grad, gradients[name].grad)
    # in the graph all the same: DDP waits for every gradient
    assert all(torch.equal(p.grad, torch.zeros_like(p)) for p in model.student.offset_head.parameters())


def test_the_switch_is_at_the_first_step_after_warm_up():
    model = build(pointins_config(offset_warmup_steps=2))
    data, losses = batch(), []
    for step in range(4):
        model.step = step
        losses.append(model(data)["offset_loss"].item())
    assert losses[:2] == [0.0, 0.0] and min(losses[2:]) > 0


# the teacher receives no gradient
def test_the_heads_first_step_after_the_warm_up_is_as_long_as_its_learning_rate():
    model = build(pointins_config(offset_warmup_steps=400))
    head = model.student.offset_head
    optimizer = torch.optim.Adam(head.parameters(), lr=1e-3)
    model.trainer, model.pretrainer.before_step = SimpleNamespace(optimizer=optimizer), lambda: None
    for parameter in head.parameters():
        parameter.grad = torch.zeros_like(parameter)
    for _ in range(400):
        optimizer.step()  # what the zero loss of the warm-up gives
    for parameter in head.parameters():
        optimizer.state[parameter]["use_muon"] = False  # as Pointcept's Muon does when it is made
    model.step, before = 400, head.mlp[3].weight.detach().clone()
    model.before_step()
    for parameter in head.parameters():
        assert optimizer.state[parameter] == dict(use_muon=False)
        del optimizer.state[parameter]["use_muon"]
    model(batch())["loss"].backward()
    optimizer.step()
    step = (head.mlp[3].weight - before).abs().max()
    assert 0.99e-3 < step < 1.01e-3, f"{step / 1e-3:.2f} times the learning rate"


def test_gradients_reach_the_students_head_and_encoder_but_no_teacher():
    model = with_regularizers(build(pointins_config()))
    data = batch()
    torch.manual_seed(1)
    model.step = -1
    model(data)["loss"].backward()
    encoder = model.student.backbone.embedding.stem.linear.weight
    plain = encoder.grad.clone()
    model.zero_grad()
    torch.manual_seed(1)
    model.step = 0
    model(data)["loss"].backward()
    assert all(p.grad.abs().sum() > 0 for p in model.student.offset_head.parameters())
    assert not torch.allclose(plain, encoder.grad)
    assert all(p.grad is None and not p.requires_grad for p in model.teacher.parameters())
    assert all(torch.isfinite(p.grad).all() for p in model.student.parameters())


def test_the_total_is_the_pretrainers_plus_the_weighted_offset_loss():
    data, totals = batch(), []
    for weight in (0.0, 0.25, 1.0):
        model = build(pointins_config(offset_loss_weight=weight))
        torch.manual_seed(2)
        result = model(data)
        totals.append((result["loss"].item(), result["offset_loss"].item()))
    (base, loss), (quarter, _), (whole, _) = totals
    assert quarter == pytest.approx(base + 0.25 * loss, rel=1e-5) and whole == pytest.approx(base + loss, rel=1e-5)
    assert loss > 0


def test_results_are_scalars_with_the_same_names_before_and_after_the_switch():
    model = with_regularizers(build(pointins_config()))
    names = []
    for model.step in (-1, 0):
        result = model(batch())
        names.append(set(result))
        assert all(value.dim() == 0 and torch.isfinite(value) for value in result.values())
    assert names[0] == names[1] >= {"loss", "offset_loss", "offset_matched"}
    assert 0 < result["offset_matched"] <= 1


class Nothing:
    """A regularizer that leaves no target."""

    def refine(self, field):
        return field.replace(valid=torch.zeros_like(field.valid))


def test_a_run_without_targets_ends_with_their_number_and_a_way_out(monkeypatch):
    monkeypatch.setattr("pointins_ext.models.pointins.LOOK_EVERY", 3)
    model, data = build(pointins_config(offset_warmup_steps=1)), batch()
    model.add_regularizer(Nothing())
    for model.step in (0, 1, 2):
        model(data)
    model.step = 3
    with pytest.raises(ValueError, match="no voxel has had an offset target for 3 steps.* 0 of .* min_points"):
        model(data)
    model.teacher_regularizers.clear()
    for model.step in (4, 5, 6):  # some steps with targets are enough
        model(data)
    model.add_regularizer(Nothing())
    model.eval()
    for model.step in (7, 8, 9):
        model(data)


def test_masked_voxels_learn_no_offset(monkeypatch):
    model, valid = build(pointins_config()), []
    original = offset_loss
    monkeypatch.setattr(
        "pointins_ext.models.pointins.offset_loss",
        lambda prediction, target, found, *views: (valid.append(found), original(prediction, target, found, *views))[1],
    )
    views = run(model.pretrainer, batch())[1]
    (student,) = views.students
    observed = torch.arange(len(student.view)) % 3 == 0
    loss, matched = model.offset_loss(
        dataclasses.replace(views, students=(dataclasses.replace(student, observed=observed),))
    )
    assert valid and all(not found[~observed].any() and found[observed].any() for found in valid)
    whole = model.offset_loss(views)
    assert loss != whole[0] and matched == pytest.approx(float(whole[1]), abs=0.1)  # a share of what was seen


def test_local_views_may_be_left_out():
    losses = []
    for local in (True, False):
        model = build(pointins_config(local_config(), offset_local_views=local))
        torch.manual_seed(0)
        losses.append(model(batch(num_local=4))["offset_loss"])
    assert losses[0] != losses[1] and all(torch.isfinite(loss) for loss in losses)


def test_no_valid_target_is_a_zero_loss():
    class Nothing:
        def refine(self, field):
            return field.replace(valid=torch.zeros_like(field.valid), offset=field.offset * float("nan"))

    model = build(pointins_config())
    model.add_regularizer(Nothing())
    result = model(batch())
    result["loss"].backward()
    assert result["offset_loss"] == 0.0 and torch.isfinite(result["loss"]) and result["offset_matched"] == 0.0
    assert all(torch.isfinite(p.grad).all() for p in model.student.parameters())


def test_a_scene_of_few_points_is_no_trouble():
    data = batch(num_scenes=1)
    keep = torch.tensor([0, 1, 2, -1])
    small = {key: data[key][keep] for key in ("global_coord", "global_origin_coord", "global_feat")}
    small |= dict(global_offset=torch.tensor([3, 4]), grid_size=data["grid_size"], name=data["name"])
    result = with_regularizers(build(pointins_config()))(small)
    result["loss"].backward()
    assert torch.isfinite(result["loss"])


def test_autocast_keeps_offsets_in_single_precision():
    model = with_regularizers(build(pointins_config()))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        result = model(batch())
    result["loss"].backward()
    assert model.teacher_field.offset.dtype == torch.float32 and torch.isfinite(result["offset_loss"])


# -- regularizers ---------------------------------------------------------------------------------------------------


class Recorder:
    def __init__(self, calls, name, shift=0.0):
        self.calls, self.name, self.shift = calls, name, shift

    def refine(self, field):
        self.calls.append(self.name)
        return field.replace(offset=field.offset + self.shift)


def test_teacher_regularizers_run_in_the_order_of_installation():
    model, calls = build(pointins_config()), []
    for name in ("odr", "scr", "third"):
        model.add_regularizer(Recorder(calls, name, 1.0))
    model(batch())
    assert calls == ["odr", "scr", "third"]
    torch.testing.assert_close(model.target_field.offset, model.teacher_field.offset + 3)
    with pytest.raises(KeyError):
        model.add_regularizer(Recorder(calls, "x"), side="both")


def test_full_scr_targets_are_shared_centroids():
    model = with_regularizers(build(pointins_config()))
    model(batch())
    target = model.target_field
    torch.testing.assert_close(target.center, target.instances.center)
    assert target.valid.any() and torch.equal(target.coord, model.teacher_field.coord)
    assert not target.offset.requires_grad


# -- other pretrainers ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("num_local", [1, 2, 4])
def test_local_views_learn_from_the_principal_view_of_their_own_scene(num_local):
    model = build(pointins_config(local_config(num_local)))
    groups = []
    original = model._teacher_views

    def watched(student, passes):
        views = original(student, passes)
        groups.extend((student.view, group) for group in views)
        return views

    model._teacher_views = watched
    result = model(batch(num_local=num_local))
    result["loss"].backward()
    (view, same), (_, cross), *local = groups
    assert torch.equal(same, view) and torch.equal(cross, view ^ 1)
    for view, group in local:
        assert torch.equal(group // 2, view // num_local)  # never another scene
        assert torch.equal(group % 2, torch.zeros_like(group))
    assert result["offset_matched"] > 0.5 and result["offset_loss"] > 0


def test_views_of_a_scene_share_it_also_where_the_last_ones_are_empty():
    model, seen = build(pointins_config(local_config(4))), []
    original = model._scene_field
    model._scene_field = lambda views, *args: seen.append((views, original(views, *args))) or seen[-1][1]
    data = batch(num_scenes=2, num_local=4)
    own = torch.arange(8).repeat_interleave(data["local_offset"].diff(prepend=torch.zeros(1, dtype=torch.long)))
    kept = own < 7  # the last local view of the second scene has lost its points
    data |= {key: data[key][kept] for key in ("local_coord", "local_origin_coord", "local_feat")}
    data["local_offset"][7] = data["local_offset"][6]
    model(data)
    (teacher, field), (student, _), (local, local_field) = seen
    assert (teacher.num_views, student.num_views, local.num_views) == (4, 4, 8)
    assert torch.equal(field.scene, teacher.view // 2) and torch.equal(local_field.scene, local.view // 4)
    assert int(local.view.max()) == 6 and int(local_field.scene.max()) == 1


def test_width_of_the_head_is_the_pretrainers():
    for pretrainer in (dos_config(), local_config()):
        assert build(pointins_config(pretrainer)).student.offset_head.mlp[0].in_features == 32
    given = pointins_config(offset_head=dict(in_channels=32, hidden_channels=4))
    assert build(given).student.offset_head.mlp[0].out_features == 4
    assert build(pointins_config(offset_head=None)).student.offset_head.mlp[0].out_features == 256


def test_teacher_head_starts_as_the_students():
    model = build(pointins_config())
    student, teacher = model.student.offset_head.parameters(), model.teacher.offset_head.parameters()
    assert all(torch.equal(a, b) and a is not b for a, b in zip(student, teacher, strict=True))


def test_a_model_without_teacher_is_no_pretrainer():
    with pytest.raises(ValueError, match=r"has no student\['backbone'\]; expected a teacher-student pretrainer"):
        build(pointins_config(backbone_config()))


@pytest.mark.parametrize(
    "weights, refused", [(dict(), True), (dict(mask_loss_weight=0, roll_mask_loss_weight=0), False)]
)
@pytest.mark.parametrize("litept", [True, False])
def test_what_masks_points_needs_a_token_for_them(weights, refused, litept):
    size = dict(stride=(2,), enc_depths=(0, 1), enc_channels=(12, 12), enc_num_head=(2, 2), enc_patch_size=(16, 16))
    stages = dict(enc_conv=(True, False), enc_attn=(False, True), enc_rope_freq=(9.0, 9.0)) if litept else {}
    backbone = dict(type="LitePT-v1" if litept else "PT-v3m2", in_channels=6, enc_mode=True, **size, **stages)
    config = pointins_config(sonata_config(backbone=backbone, head_in_channels=24, **weights))
    if refused:
        with pytest.raises(ValueError, match=f"Sonata masks points, and its backbone {'Lite' if litept else 'Point'}"):
            build(config)
    else:
        build(config)
