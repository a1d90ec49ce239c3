"""One backbone of a checkpoint in the layouts of others: nothing is lost, and what does not fit is named."""

import pytest
import torch

from pointins_ext.checkpoint import layouts

BACKBONE = dict(type="PT-v3m2", in_channels=9, enc_mode=True, mask_token=True, drop_path=0.1)
WEIGHT = {
    "embedding.stem.linear.weight": torch.ones(1),
    "embedding.stem.norm.bias": torch.ones(2),
    "embedding.mask_token": torch.ones(3),
    "enc.enc1.down.proj.weight": torch.ones(4),
    "enc.enc1.down.norm.0.weight": torch.ones(5),
    "enc.enc1.block0.cpe.0.weight": torch.ones(6),
    "enc.enc1.block0.norm1.0.weight": torch.ones(7),
    "enc.enc1.block0.mlp.0.fc2.bias": torch.ones(8),
}
STATE = {f"module.student.backbone.{name}": value for name, value in WEIGHT.items()}


def test_the_backbone_of_one_network_is_taken_out():
    state = STATE | {"module.teacher.backbone.x": torch.zeros(1), "module.student.head.x": torch.zeros(1)}
    assert layouts.backbone_weight(state, "student", "a.pth").keys() == WEIGHT.keys()
    assert layouts.backbone_weight(state, "teacher", "a.pth").keys() == {"x"}


@pytest.mark.parametrize(
    "state, message",
    [
        (STATE, "a.pth: no tensor begins with 'teacher.backbone.'; it has the backbone of student"),
        ({"conv.weight": torch.ones(1)}, "it has names like 'conv.weight'"),
    ],
)
def test_a_checkpoint_without_that_backbone_says_what_it_has(state, message):
    with pytest.raises(ValueError, match=message):
        layouts.backbone_weight(state, "teacher", "a.pth")


def test_the_config_of_a_backbone_is_that_of_its_network():
    pretrainer = dict(type="DOS-v1m1", backbone=BACKBONE, teacher_custom=dict(enc_mode=False))
    for model in (pretrainer, dict(type="PointINS-v1m1", pretrainer=pretrainer)):
        assert layouts.backbone_config(model, "student", "a.pth") == BACKBONE
        assert layouts.backbone_config(model, "teacher", "a.pth") == BACKBONE | dict(enc_mode=False)
    with pytest.raises(ValueError, match="config of a.pth: its model 'X' has no backbone; found"):
        layouts.backbone_config(dict(type="X", head=1), "student", "a.pth")


def test_every_layout_keeps_every_tensor():
    assert list(layouts.pointcept(WEIGHT, BACKBONE)["state_dict"].values()) == list(WEIGHT.values())
    assert layouts.sonata(WEIGHT, BACKBONE)["state_dict"] is WEIGHT
    theirs = layouts.torch_pointcloud(WEIGHT, BACKBONE)["state_dict"]
    assert [value.numel() for value in theirs.values()] == [1, 2, 4, 5, 6, 7, 8]  # only pretraining masks points
    assert list(theirs)[2:] == [
        *("blocks.1.downsample.proj.weight", "blocks.1.downsample.norm.weight", "blocks.1.blocks.0.cpe_conv.weight"),
        *("blocks.1.blocks.0.norm1.weight", "blocks.1.blocks.0.mlp.3.bias"),
    ]


def test_arguments_are_complete_and_the_given_ones_stay():
    config = layouts.sonata(WEIGHT, BACKBONE)["config"]
    assert config.keys() == layouts.PT_V3M2.keys()
    assert config["in_channels"] == 9 and config["drop_path"] == 0.1 and config["mlp_ratio"] == 4
    assert layouts.torch_pointcloud(WEIGHT, BACKBONE)["config"]["in_channels"] == 9


@pytest.mark.parametrize(
    "backbone, message",
    [
        (dict(BACKBONE, type="PT-v3m1"), "layout sonata holds a PT-v3m2 backbone, found 'PT-v3m1'"),
        (dict(BACKBONE, color=1), r"found 'PT-v3m2' with \['color'\]; take layout pointcept"),
    ],
)
def test_another_backbone_is_refused(backbone, message):
    with pytest.raises(ValueError, match=message):
        layouts.sonata(WEIGHT, backbone)


def test_what_torch_pointcloud_lacks_is_refused():
    with pytest.raises(ValueError, match="layout torch-pointcloud: its encoder has no {'enc_mode': False}"):
        layouts.torch_pointcloud(WEIGHT, BACKBONE | dict(enc_mode=False))
