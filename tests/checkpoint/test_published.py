"""Published weights, of the names and shapes of their classes, go into every model with a backbone."""

import logging
import shlex
from types import SimpleNamespace

import pytest
import torch

from pointins_ext.checkpoint.layouts import sonata
from pointins_ext.checkpoint.loading import WeightLoading
from pointins_ext.checkpoint.published import for_every_backbone
from pointins_ext.host import Config, build_model
from tests.fixtures.tiny_pointins import backbone_config, build, dos_config, pointins_config

WIDE = dict(enc_channels=(8, 16, 32), enc_num_head=(1, 2, 4), enc_depths=(0, 1, 2))
SEGMENTOR = dict(type="DefaultSegmentorV2", num_classes=3, backbone_out_channels=40, backbone=backbone_config())


def published(path, layout, **changes):
    """A file of another backbone's weights, in one of the layouts in use."""
    backbone = backbone_config(**changes)
    torch.manual_seed(1)
    weight = build_model(backbone).state_dict()
    if layout == "config":
        torch.save(sonata(weight, backbone), path)
    else:
        torch.save({f"{layout}{name}": value for name, value in weight.items()}, path)
    return weight


def load(model, config, path, messages=None, **options):
    logger = logging.getLogger("published")
    if messages is not None:
        logger.info = messages.append
    hook = WeightLoading(**options)
    cfg = Config(dict(weight=str(path), resume=False, model=config))
    hook.trainer = SimpleNamespace(cfg=cfg, model=model, logger=logger)
    hook.before_train()


@pytest.mark.parametrize("layout", ["config", "", "module."])
def test_student_and_teacher_start_from_it_and_all_else_is_fresh(tmp_path, layout):
    weight = published(tmp_path / "a.pth", layout)
    model, fresh = build(pointins_config()), build(pointins_config()).state_dict()
    messages = []
    load(model, pointins_config(), tmp_path / "a.pth", messages)
    state = model.state_dict()
    for network in ("student", "teacher"):
        for name, value in weight.items():
            assert torch.equal(state[f"{network}.backbone.{name}"], value)
    others = [name for name in state if ".backbone." not in name]
    assert others and all(torch.equal(state[name], fresh[name]) for name in others)
    total = 2 * len(weight)
    assert (
        f"{total} of {total} backbone tensors; a backbone alone, taken for student.backbone and teacher.backbone; all"
        in messages[0]
    )


def test_downstream_with_the_keywords_of_our_checkpoints(tmp_path):
    weight = published(tmp_path / "a.pth", "config")
    model = build(SEGMENTOR)
    load(model, SEGMENTOR, tmp_path / "a.pth", keywords="module.student.backbone", replacement="module.backbone")
    state = model.state_dict()
    assert all(torch.equal(state[f"backbone.{name}"], value) for name, value in weight.items())


def test_other_widths_are_told_with_the_overrides_that_fit(tmp_path):
    weight = published(tmp_path / "a.pth", "config", **WIDE)
    config = pointins_config(dos_config(head_in_channels=32))
    with pytest.raises(ValueError, match="differ in shape.*fits with the overrides") as error:
        load(build(config), config, tmp_path / "a.pth")
    flags = shlex.split(str(error.value).split("with the overrides ")[1])
    assert [flag.split("=")[0].split(".")[-1] for flag in flags] == [
        "enc_depths",
        "enc_channels",
        "enc_num_head",
        "head_in_channels",
    ]
    cfg = Config(dict(model=config))
    cfg.merge_from_dict({flag.split("=", 1)[0]: eval(flag.split("=", 1)[1]) for flag in flags})
    model = build(cfg.model)
    load(model, cfg.model, tmp_path / "a.pth")
    assert all(torch.equal(model.state_dict()[f"teacher.backbone.{name}"], value) for name, value in weight.items())


def test_a_bare_file_of_other_widths_names_the_shapes_alone(tmp_path):
    published(tmp_path / "a.pth", "", **WIDE)
    with pytest.raises(ValueError, match="differ in shape.*compare enc_channels") as error:
        load(build(pointins_config()), pointins_config(), tmp_path / "a.pth")
    assert "overrides" not in str(error.value)


def test_files_of_whole_models_keep_their_names():
    state = build(pointins_config()).state_dict()
    assert for_every_backbone(state, state) == (state, [])
    head = {"weight": torch.zeros(1), "bias": torch.zeros(1)}
    assert for_every_backbone(head, state) == (head, [])
