import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from pointins_ext.checkpoint import WeightLoading
from pointins_ext.embedded.hooks import CheckpointLoader
from pointins_ext.hooks.weights import WeightLoader
from pointins_ext.host import HOOKS, Config, build_model
from tests.fixtures.tiny_pointins import backbone_config, build, dos_config, pointins_config

DOWNSTREAM = dict(keywords="module.student.backbone", replacement="module.backbone")
DECODER = dict(enc_mode=False, dec_depths=(1, 1), dec_channels=(8, 16), dec_num_head=(1, 2), dec_patch_size=(32, 32))


class Logger:
    def __init__(self):
        self.lines = []

    def info(self, line):
        self.lines.append(line)


class Segmentor(nn.Module):
    """Modules named as in Pointcept's DefaultSegmentorV2."""

    def __init__(self, **backbone):
        super().__init__()
        self.backbone = build_model(backbone_config(**backbone))
        self.seg_head = nn.Linear(16, 20)


class Trainer(SimpleNamespace):
    """What a hook sees of Pointcept's trainer: it has no `resume`."""

    def __init__(self, model, steps=8, **cfg):
        optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
        super().__init__(
            model=model,
            cfg=Config(dict(weight=None, resume=False, scheduler=dict(total_steps=steps)) | cfg),
            logger=Logger(),
            optimizer=optimizer,
            scheduler=torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.01, total_steps=steps),
            scaler=torch.amp.GradScaler("cpu"),
            start_epoch=0,
            max_epoch=2,
            best_metric_value=-math.inf,
        )

    def steps(self, count):
        for _ in range(count):
            self.optimizer.zero_grad()
            self.scaler.scale(self.model(torch.ones(4, 3)).square().mean()).backward()
            self.scaler.step(self.optimizer)
            self.scaler.update()
            self.scheduler.step()

    def save(self, path, epoch, metric):
        """The entries of Pointcept's CheckpointSaver."""
        state = {key: getattr(self, key).state_dict() for key in ("optimizer", "scheduler", "scaler")}
        torch.save(dict(state, epoch=epoch, state_dict=self.model.state_dict(), best_metric_value=metric), path)


def start(hook, trainer):
    hook.trainer = trainer
    hook.before_train()
    return trainer.logger.lines


def values(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


@pytest.fixture(scope="module")
def pretrained():
    return build(pointins_config(dos_config(backbone=backbone_config(mask_token=True))), seed=7)


@pytest.fixture
def weight(pretrained, tmp_path):
    path = tmp_path / "model_last.pth"
    torch.save(dict(state_dict=pretrained.state_dict()), path)
    return str(path)


def test_one_class_for_both_hosts():
    assert HOOKS.get("WeightLoader") is WeightLoader
    assert issubclass(WeightLoader, WeightLoading) and issubclass(CheckpointLoader, WeightLoading)
    assert not set(vars(WeightLoader)) & set(vars(WeightLoading)) - {"__doc__", "__module__", "__firstlineno__"}


@pytest.mark.parametrize("backbone", [dict(enc_mode=True), DECODER])
@pytest.mark.parametrize("prefix", ["", "module."])
def test_a_downstream_model_takes_the_student(pretrained, weight, backbone, prefix):
    state = {prefix + name: value for name, value in pretrained.state_dict().items()}
    torch.save(dict(state_dict=state, epoch=3), weight)
    model = Segmentor(**backbone)
    head = model.seg_head.weight.clone()
    log = start(WeightLoader(**DOWNSTREAM), Trainer(model, weight=weight))
    loaded, expected = model.backbone.state_dict(), pretrained.student.backbone.state_dict()
    assert all(torch.equal(loaded[name], value) for name, value in expected.items() if "mask_token" not in name)
    assert torch.equal(model.seg_head.weight, head)
    assert f"{len(expected) - 1} of {len(expected) - 1} backbone tensors" in log[0]
    missing = 2 + sum(name.startswith("dec.") for name in loaded)
    assert log[1].startswith(f"Missing keys ({missing}): ")
    assert missing > 2 or log[1].endswith("seg_head.weight, seg_head.bias")
    assert log[2].startswith(f"Unexpected keys ({len(state) - len(expected) + 1}): ") and log[2].endswith(", ...")


def test_the_whole_pretrainer_goes_on_from_its_weights(pretrained, weight):
    model = build(pointins_config(dos_config(backbone=backbone_config(mask_token=True))), seed=8)
    log = start(WeightLoader(strict=True), Trainer(model, weight=weight))
    assert all(torch.equal(value, model.state_dict()[name]) for name, value in pretrained.state_dict().items())
    assert len(log) == 1


def test_a_wrapped_model_is_unwrapped(weight):
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    try:
        model = DistributedDataParallel(Segmentor())
        start(WeightLoader(**DOWNSTREAM), Trainer(model, weight=weight))
    finally:
        dist.destroy_process_group()
    plain = Segmentor()
    start(WeightLoader(**DOWNSTREAM), Trainer(plain, weight=weight))
    assert all(
        torch.equal(value, plain.backbone.state_dict()[n]) for n, value in model.module.backbone.state_dict().items()
    )


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_model_on_the_gpu(pretrained, weight):
    model = Segmentor().cuda()
    start(WeightLoader(**DOWNSTREAM), Trainer(model, weight=weight))
    name = "enc.enc1.block0.attn.qkv.weight"
    assert model.backbone.state_dict()[name].is_cuda
    assert torch.equal(model.backbone.state_dict()[name].cpu(), pretrained.student.backbone.state_dict()[name])


def test_no_weight_is_said():
    assert start(WeightLoader(), Trainer(Segmentor())) == ["No weight given: training starts from scratch"]


@pytest.mark.parametrize(
    "options, model, error, message",
    [
        (dict(), {}, ValueError, "keywords='module.student.backbone', replacement='module.backbone' would match"),
        (dict(keywords="module.teacher", replacement="module"), dict(in_channels=9), ValueError, "compare in_channels"),
        (DOWNSTREAM, dict(enc_channels=(8, 16, 32)), ValueError, r"\(16, 16\) -> \(32, 16\).* enc_channels .stage 2"),
        (DOWNSTREAM, dict(enc_depths=(0, 1, 3)), ValueError, "lacks for example 'backbone.enc.enc2.block1"),
        (dict(DOWNSTREAM, strict=True), {}, ValueError, "missing .'seg_head.weight', 'seg_head.bias'"),
        (dict(DOWNSTREAM, weight="none.pth"), {}, FileNotFoundError, "none.pth not found"),
        (dict(DOWNSTREAM, weight="cut.pth"), {}, ValueError, "cut.pth .*truncated"),
        (dict(DOWNSTREAM, weight="code.pth"), {}, ValueError, "code.pth .*it asks to run"),
        (dict(DOWNSTREAM, weight="resnet.pth"), {}, ValueError, "another model, with 'layer0.weight'"),
        (dict(min_match=90), {}, ValueError, "min_match is a share .* found 90"),
    ],
)
def test_bad_weights_leave_the_model_alone(weight, tmp_path, options, model, error, message):
    with open(weight, "rb") as file:
        (tmp_path / "cut.pth").write_bytes(file.read()[:5000])
    torch.save(dict(state_dict=Logger), tmp_path / "code.pth")
    torch.save({f"layer{i}.weight": torch.ones(1) for i in range(5)}, tmp_path / "resnet.pth")
    options = dict(options)
    trainer = Trainer(Segmentor(**model), weight=str(tmp_path / options.pop("weight", "model_last.pth")))
    before = values(trainer.model)
    with pytest.raises(error, match=message):
        start(WeightLoader(**options), trainer)
    assert all(torch.equal(before[name], value) for name, value in trainer.model.state_dict().items())


# -- resume, in a trainer like Pointcept's --------------------------------------------------------------------------


def regressor():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))


@pytest.mark.parametrize("metric", [np.float64(0.5), np.float32(0.5), 0.5])
def test_resumed_equals_never_stopped(tmp_path, metric):
    whole, stopped = Trainer(regressor()), Trainer(regressor())
    stopped.steps(4)
    stopped.save(tmp_path / "last.pth", epoch=1, metric=metric)
    resumed = Trainer(regressor(), weight=str(tmp_path / "last.pth"), resume=True)
    # a run that resumes has its own names already
    log = start(WeightLoader(keywords="module", replacement="module.backbone"), resumed)
    assert (resumed.start_epoch, resumed.best_metric_value) == (1, 0.5) and type(resumed.best_metric_value) is float
    assert log[-1] == "Resuming at epoch 2 of 2"
    assert resumed.scaler.state_dict() == stopped.scaler.state_dict()
    whole.steps(8)
    resumed.steps(4)
    assert resumed.scheduler.last_epoch == 8
    assert all(torch.equal(value, whole.model.state_dict()[n]) for n, value in resumed.model.state_dict().items())


def test_resume_without_a_scaler_on_either_side(tmp_path):
    source = Trainer(regressor())
    source.save(tmp_path / "amp.pth", epoch=1, metric=0.0)
    resumed = Trainer(regressor(), weight=str(tmp_path / "amp.pth"), resume=True)
    resumed.scaler = None
    start(WeightLoader(), resumed)
    state = torch.load(tmp_path / "amp.pth", weights_only=True)
    torch.save(state | dict(scaler=None), tmp_path / "plain.pth")
    start(WeightLoader(), Trainer(regressor(), weight=str(tmp_path / "plain.pth"), resume=True))


def test_resume_needs_the_same_run(tmp_path):
    path = str(tmp_path / "last.pth")
    source = Trainer(regressor())
    source.save(path, epoch=1, metric=0.0)
    with pytest.raises(ValueError, match="schedule has 8 steps and this config 12"):
        start(WeightLoader(), Trainer(regressor(), steps=12, weight=path, resume=True))
    other = Trainer(regressor(), weight=path, resume=True)
    other.optimizer = torch.optim.AdamW([dict(params=[p]) for p in other.model.parameters()])
    with pytest.raises(ValueError, match="cannot resume .*last.pth: .*; keep optimizer and param_dicts"):
        start(WeightLoader(), other)
    torch.save(dict(state_dict=source.model.state_dict()), path)
    with pytest.raises(ValueError, match="lacks .'epoch', 'optimizer', 'scheduler'"):
        start(WeightLoader(), Trainer(regressor(), weight=path, resume=True))
    torch.save(dict(state_dict={"0.weight": torch.zeros(4, 3)}), path)
    with pytest.raises(ValueError, match="missing .* in a strict load"):
        start(WeightLoader(), Trainer(regressor(), weight=path, resume=True))
