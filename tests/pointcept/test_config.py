"""Overrides of the command line mean the same on both hosts."""

import sys
from pathlib import Path

import pytest
from pointcept.engines import test
from pointcept.models.sparse_unet import spconv_unet_v1m1_base as sparse_unet

from pointins_ext.embedded.defaults import default_config_parser as embedded_parser
from pointins_ext.host import Config, default_config_parser, read_config, stand_ins

CONFIGS = Path(__file__).parents[2] / "configs" / "pointins"


@pytest.mark.parametrize(
    "name, options",
    [
        ("pretrain-dos-scans", dict(data_root="mine", grid_size=0.005, epoch=16)),
        ("pretrain-sonata-ptv3-indoor", dict(all_splits=True, base_lr=0.001)),
        ("pretrain-dos-rooms", {"num_rooms": 7, "hooks.SCRHook.num_clusters": 9, "model.offset_loss_weight": 0.5}),
    ],
)
def test_variables_are_replaced_before_what_follows_from_them(name, options, tmp_path):
    path = str(CONFIGS / f"{name}.py")
    options = dict(options, seed=3, save_path=str(tmp_path / "exp"))
    theirs = default_config_parser(path, dict(options))
    ours = embedded_parser(path, dict(options, save_path=str(tmp_path / "embedded")))
    for key in ("data", "model", "hooks", "optimizer", "scheduler", "epoch", "batch_size"):
        assert ours[key] == theirs[key], key
    assert Config.fromfile(str(tmp_path / "exp" / "config.py")).data == theirs.data


def test_a_scans_own_voxel_and_folder(tmp_path):
    options = dict(data_root="mine", grid_size=0.005, save_path=str(tmp_path))
    cfg = default_config_parser(str(CONFIGS / "pretrain-dos-scans.py"), options)
    assert cfg.data.train.data_root == "mine" and cfg.data.train.scale == pytest.approx(8.0)


@pytest.mark.parametrize(
    "options, expected", [({}, (100, 100)), (dict(epoch=800), (800, 100)), (dict(epoch=3), (3, 3))]
)
def test_a_config_without_eval_epoch_is_scored_as_often_on_both_hosts(options, expected, tmp_path):
    path = tmp_path / "short.py"
    path.write_text('data = dict(train=dict(type="ScanNetDataset"))\nresume = False\nsave_path = "unset"\nseed = 0\n')
    for parser, name in ((default_config_parser, "pointcept"), (embedded_parser, "embedded")):
        cfg = parser(str(path), dict(options, save_path=str(tmp_path / name)))
        assert (cfg.epoch, cfg.eval_epoch, cfg.data.train.loop) == (*expected, expected[0] // expected[1]), name


@pytest.mark.parametrize(
    "options, words",
    [
        (dict(batch_size=0), "batch_size = 0, expected a whole number of at least 1"),
        (dict(epoch=7, eval_epoch=2), "epoch = 7 must be a multiple of eval_epoch = 2"),
    ],
)
def test_nothing_is_written_before_the_request_is_checked(options, words, tmp_path):
    with pytest.raises(ValueError, match=words):
        default_config_parser(str(CONFIGS / "pretrain-dos-rooms.py"), dict(options, save_path=str(tmp_path / "exp")))
    assert not (tmp_path / "exp").exists()


@pytest.mark.parametrize("options", [{}, dict(num_rooms=7)], ids=("as it is", "a literal replaced"))
def test_a_config_is_called_by_its_own_name_and_records_no_helper(options, tmp_path):
    path = str(CONFIGS / "panseg-rooms.py")
    assert "_timer" in Config.fromfile(path) and read_config(path, dict(options)).filename == path
    cfg = default_config_parser(path, dict(options, save_path=str(tmp_path)))
    recorded = Config.fromfile(str(tmp_path / "config.py"))
    assert cfg.filename == path and recorded.hooks == cfg.hooks and not [key for key in recorded if key.startswith("_")]


def test_custom_imports_find_what_pointcept_finds_and_others_do_not(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "of_a_user.py").write_text("import pointops, spconv.pytorch\n")
    path = tmp_path / "mine.py"
    path.write_text(f"_base_ = '{CONFIGS / 'pretrain-dos-rooms.py'}'\ncustom_imports = dict(imports=['of_a_user'])\n")
    read_config(str(path), {})
    used = sys.modules["of_a_user"]
    assert used.pointops is test.pointops and used.spconv.pytorch.SubMConv3d is sparse_unet.spconv.SubMConv3d
    assert stand_ins.ANNOUNCEMENTS.keys().isdisjoint(sys.modules.keys() - {"torchvision"})
