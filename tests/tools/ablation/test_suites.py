"""The arms of the ablations: each in a suite, each its ScanNet config with other data."""

import pytest

from ablation.runs import Run
from ablation.suites import ARMS, CONFIGS, SETTINGS, SUITES
from pointins_ext.host import HOOKS, Config, default_config_parser
from tests.fixtures.ablations import request

TRAINED = [
    (data, name)
    for data in SETTINGS
    for name, arm in ARMS.items()
    if arm.config and ("plugin" not in arm.config or "rooms" in data)
]


def test_every_arm_is_in_a_suite_with_what_it_is_compared_with():
    assert set(ARMS) == {name for arms in SUITES.values() for name in arms}
    for arms in SUITES.values():
        assert set(arms.values()) <= set(arms)


@pytest.mark.parametrize("data,name", TRAINED)
def test_an_arm_is_its_scannet_config_with_other_data(data, name, tmp_path):
    run = Run(request(tmp_path, data=data), name, 0, 4)
    run.folder.mkdir(parents=True)
    options = dict(run.setting.pretrain | run.scans | run.arm.options, save_path=str(tmp_path))
    cfg = default_config_parser(str(run.config()), options)
    paper = Config.fromfile(str(CONFIGS / f"{run.arm.config}.py"))
    kinds = [hook["type"] for hook in cfg.hooks if hook["type"] != "WeightDecaySchedular"]
    assert kinds == [hook["type"] for hook in paper.hooks if hook["type"] != "WeightDecaySchedular"]
    if "model.offset_loss_weight" not in run.arm.options:
        assert cfg.model.offset_loss_weight == paper.model.offset_loss_weight
    assert cfg.model.pretrainer.type == paper.model.pretrainer.type
    kinds = dict(drives="SyntheticDrivesDataset", mosd="ScanDataset")
    kinds |= dict.fromkeys(("rooms", "ptv3-rooms"), "SyntheticRoomsDataset")
    assert cfg.data.train.type == kinds[data]
    regularizers = ("SCRHook", "ODRHook")
    assert all(name.split(".")[1] in regularizers for name in run.arm.options if "hooks" in name)
    for hook in (hook for hook in cfg.hooks if hook["type"] in regularizers):
        HOOKS.build(hook)
