"""`pointins export`: what it writes loads where it says, and bad input ends in one line that writes nothing."""

import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from pointins_ext import cli
from pointins_ext.checkpoint.layouts import LAYOUTS, PT_V3M2
from pointins_ext.hooks.weights import WeightLoader
from pointins_ext.host import Config, build_model
from tests.fixtures.call_verb import call_verb
from tests.fixtures.tiny_pointins import backbone_config, batch, build, dos_config, pointins_config
from tests.oracles import ptv3_peer

ROOT = Path(__file__).parents[2]
SEED = 3
# what facebookresearch/sonata's PointTransformerV3 takes
SONATA = """
    in_channels order stride enc_depths enc_channels enc_num_head enc_patch_size dec_depths dec_channels dec_num_head
    dec_patch_size mlp_ratio qkv_bias qk_scale attn_drop proj_drop drop_path layer_scale pre_norm shuffle_orders
    enable_rpe enable_flash upcast_attention upcast_softmax traceable mask_token enc_mode freeze_encoder
""".split()


def process(verb, *arguments, cwd):
    """As a user starts it; elsewhere `call_verb` spares the start of Python."""
    environment = dict(os.environ, POINTINS_HOST="embedded", OMP_NUM_THREADS="1", PYTHONPATH=str(ROOT))
    command = [sys.executable, "-m", "pointins_ext", verb, *arguments]
    return subprocess.run([*map(str, command)], cwd=cwd, env=environment, capture_output=True, text=True, timeout=120)


def exported(weight, folder, start=call_verb, **options):
    """Content of the file that the tool writes."""
    flags = [part for key, value in options.items() for part in (f"--{key}", value)]
    done = start("export", "--weight", weight, "--out", "new/out.pth", *flags, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in (folder / "new").iterdir()] == ["out.pth"] and len(done.stdout.splitlines()) == 1
    return torch.load(folder / "new" / "out.pth", weights_only=True), done.stdout


MODEL = pointins_config(
    dos_config(
        backbone=backbone_config(mask_token=True, shuffle_orders=True, enc_depths=(1, 1, 1), drop_path=0.2),
        teacher_custom=dict(drop_path=0.0),
    )
)


@pytest.fixture(scope="module")
def model():
    """Biases and tokens are not zero, and the student is not the teacher."""
    model = build(MODEL, seed=5)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.05)
    return model


@pytest.fixture(scope="module")
def weight(model, tmp_path_factory):
    """A checkpoint of Pointcept's own saver, after DDP, in its experiment's folder."""
    folder = tmp_path_factory.mktemp("exp")
    (folder / "model").mkdir()
    Config(dict(model=MODEL)).dump(folder / "config.py")
    state = {f"module.{name}": value for name, value in model.state_dict().items()}
    moments = {name: torch.zeros(2, *value.shape) for name, value in state.items()}
    torch.save(dict(epoch=1, state_dict=state, optimizer=moments), folder / "model" / "model_last.pth")
    return folder / "model" / "model_last.pth"


def scan():
    """One packed batch of two views."""
    data = batch(num_scenes=1)
    grid = (data["global_origin_coord"] / 0.05).floor().long()
    return dict(coord=grid * 0.05, grid_coord=grid, feat=data["global_feat"], offset=data["global_offset"])


def stages(backbone):
    """Features of every stage of one of our backbones, finest first."""
    torch.manual_seed(SEED)
    points = [backbone.train()(scan())]
    while "pooling_parent" in points[-1]:
        points.append(points[-1].pooling_parent)
    return [ptv3_peer.in_cell_order(point.feat, point.grid_coord, point.batch) for point in points[::-1]]


@pytest.mark.parametrize("network", ["teacher", "student"])
def test_upstreams_downstream_configs_load_it(network, model, weight, tmp_path):
    content, line = exported(weight, tmp_path, process, network=network)
    assert content["network"] == network and set(content) == {"state_dict", "config", "network"}
    backbone = content["config"]["model"]["backbone"]
    segmentor = nn.ModuleDict(dict(backbone=build_model(backbone), seg_head=nn.Linear(16, 20)))
    hook = WeightLoader(keywords="module.student.backbone", replacement="module.backbone")
    log = SimpleNamespace(info=print)
    cfg = SimpleNamespace(weight=str(tmp_path / "new" / "out.pth"), resume=False)
    hook.trainer = SimpleNamespace(model=segmentor, cfg=cfg, logger=log)
    hook.before_train()
    loaded, expected = segmentor["backbone"].state_dict(), getattr(model, network).backbone.state_dict()
    assert loaded.keys() == expected.keys() and all(torch.equal(loaded[name], expected[name]) for name in expected)
    count = sum(value.numel() for value in expected.values())
    before, after = weight.stat().st_size / 2**20, (tmp_path / "new" / "out.pth").stat().st_size / 2**20
    assert f"{network} backbone of {weight}, layout pointcept, {count / 1e6:.2f} M parameters" in line
    assert line.endswith(f"{before:.1f} -> {after:.1f} MiB\n") and after < before / 4


@pytest.mark.parametrize("network", ["teacher", "student"])
def test_sonatas_loader_reads_it(network, model, weight, tmp_path):
    content, _ = exported(weight, tmp_path, network=network, layout="sonata")
    assert list(content["config"]) == SONATA  # complete: its own defaults are others
    backbone = build_model(dict(type="PT-v3m2", **content["config"]))
    backbone.load_state_dict(content["state_dict"], strict=True)
    assert all(map(torch.equal, stages(backbone), stages(getattr(model, network).backbone)))
    assert content["config"]["drop_path"] == (0.2 if network == "student" else 0.0)


def test_torch_pointcloud_reads_it(model, weight, tmp_path):
    content, _ = exported(weight, tmp_path, network="teacher", layout="torch-pointcloud")
    registry = ptv3_peer.load("models")
    config = content["config"] | dict(use_flash_attn=False)
    path = tmp_path / "new" / "out.pth"
    theirs = registry.create_model("sonata-base.pretrain.fair", checkpoint_path=path, **config)
    assert theirs.state_dict().keys() == content["state_dict"].keys()
    for a, b in zip(stages(model.teacher.backbone), ptv3_peer.stages(theirs, scan(), SEED), strict=True):
        assert a.std() > 0.1
        torch.testing.assert_close(b, a, atol=1e-4, rtol=1e-4)


def test_arguments_of_torch_pointcloud():
    backbone = backbone_config(order=("hilbert",), shuffle_orders=False, drop_path=0.1, qkv_bias=False, mlp_ratio=2)
    config = LAYOUTS["torch-pointcloud"]({}, backbone)["config"]
    assert not config["shuffle_serialization_orders"] and not config["qkv_bias"] and config["mlp_ratio"] == 2
    assert config["serialization_orders"] == ("hilbert",) and config["drop_path"] == 0.1


def test_defaults_are_those_of_the_host():
    names = {name: tuple(value.shape) for name, value in build_model(dict(type="PT-v3m2")).state_dict().items()}
    full = build_model(dict(type="PT-v3m2", **PT_V3M2)).state_dict()
    assert names == {name: tuple(value.shape) for name, value in full.items()}
    assert list(PT_V3M2) == SONATA


def test_the_checkpoints_own_config_and_the_one_on_the_command_line(model, tmp_path):
    torch.save(dict(state_dict=model.state_dict(), config=dict(model=MODEL)), tmp_path / "ours.pth")
    torch.save(dict(state_dict=model.state_dict()), tmp_path / "bare.pth")
    Config(dict(model=MODEL)).dump(tmp_path / "run.py")
    ours, _ = exported("ours.pth", tmp_path, layout="sonata")
    bare, _ = exported("bare.pth", tmp_path, layout="sonata", config="run.py")
    assert ours["config"] == bare["config"]


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--weight", "none.pth"], "none.pth not found"),
        (["--weight", "cut.pth"], "cut.pth .*truncated"),
        (["--weight", "bare.pth"], "bare.pth carries no config; .*config.py not found; .*--config"),
        (["--weight", "bare.pth", "--config", "none.py"], "error: none.py not found"),
        (["--weight", "bare.pth", "--config", "empty.py"], "empty.py: expected the key 'model'"),
        (["--weight", "bare.pth", "--config", "wide.py"], r"differ in shape .*compare enc_channels"),
        (["--weight", "bare.pth", "--config", "deep.py"], "beside its config: missing .'enc.enc2.block1"),
        (["--weight", "student.pth", "--config", "good.py"], "no tensor begins with 'teacher.backbone.'; .* student"),
        (["--weight", "resnet.pth", "--config", "good.py"], "names like 'layer0.weight'"),
        (["--weight", "scaled.pth", "--config", "scaled.py", "--layout", "torch-pointcloud"], "no .'layer_scale': 0.1"),
        (["--weight", "bare.pth", "--config", "good.py", "--layout", "onnx"], "invalid choice: 'onnx'"),
        (["--weight", "bare.pth", "--config", "good.py", "--out", "folder"], "--out: folder is a folder"),
        (["--weight", "bare.pth", "--config", "good.py", "--out", "bare.pth"], "is the checkpoint itself"),
        (
            ["--weight", "bare.pth", "--config", "good.py", "--out", "good.py/out.pth"],
            "good.py/out.pth cannot be written: .*good.py is a file",
        ),
    ],
)
def test_bad_input_ends_in_one_line_and_leaves_nothing(
    arguments, message, model, weight, tmp_path, capsys, monkeypatch
):
    def config(name, **backbone):
        pretrainer = dict(MODEL["pretrainer"], backbone=MODEL["pretrainer"]["backbone"] | backbone)
        Config(dict(model=dict(MODEL, pretrainer=pretrainer))).dump(tmp_path / name)

    config("good.py")
    config("wide.py", enc_channels=(16, 16, 16))
    config("deep.py", enc_depths=(1, 1, 2))
    config("scaled.py", layer_scale=0.1)
    (tmp_path / "empty.py").write_text("epoch = 1\n")
    (tmp_path / "folder").mkdir()
    (tmp_path / "cut.pth").write_bytes(weight.read_bytes()[:5000])
    state = model.state_dict()
    torch.save(dict(state_dict=state), tmp_path / "bare.pth")
    torch.save({name: value for name, value in state.items() if name.startswith("student")}, tmp_path / "student.pth")
    torch.save({"layer0.weight": torch.ones(1)}, tmp_path / "resnet.pth")
    gains = {f"{name.rsplit('.norm1', 1)[0]}.ls{i}.0.gamma": value for i in (1, 2) for name, value in state.items()
             if name.endswith(".norm1.0.weight")}  # fmt: skip
    torch.save(dict(state_dict=state | gains), tmp_path / "scaled.pth")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["pointins", "export", "--out", "out.pth", *arguments])
    with pytest.raises(SystemExit) as stop:
        run_main()
    assert stop.value.code == 2
    assert re.search(message, capsys.readouterr().err.splitlines()[-1])
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def run_main():
    """The tool in this process: starting Python for every bad input would take a minute."""
    cli.main()
