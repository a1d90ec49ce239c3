import pytest
import torch
from torch import nn

from pointins_ext.checkpoint import load_weight, match_weight, rename
from pointins_ext.host import build_model
from tests.fixtures.tiny_pointins import backbone_config


@pytest.fixture
def model():
    return nn.ModuleDict(dict(backbone=nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 3)), head=nn.Linear(3, 1)))


def shapes(prefix="", **config):
    """state_dict of a small PTv3, of shapes alone."""
    with torch.device("meta"):
        model = build_model(backbone_config(**config))
    return {f"{prefix}{name}": value for name, value in model.state_dict().items()}


def test_rename_as_pointcept():
    names = {"module.student.backbone.w": 0, "student.backbone.b": 1, "teacher.w": 2}
    renamed = rename(names, "module.student.backbone", "module.backbone")
    assert renamed == {"backbone.w": 0, "backbone.b": 1, "teacher.w": 2}
    assert set(rename(names, "", "")) == {"student.backbone.w", "student.backbone.b", "teacher.w"}


def test_load_by_name(model):
    weight = {"backbone.0.weight": torch.zeros(3, 2), "other": torch.zeros(1)}
    match = load_weight(model, weight, "x.pth", min_match=0.25)
    assert (match.matched, len(match.missing), match.unexpected) == (["backbone.0.weight"], 5, ["other"])
    assert match.backbone == "1 of 4 backbone tensors" and not model["backbone"][0].weight.any()
    with pytest.raises(ValueError, match="missing .'backbone.0.bias'.* unexpected .'other'"):
        load_weight(model, weight, "x.pth", min_match=0, strict=True)
    with pytest.raises(ValueError, match=r"backbone.0.weight \(4, 2\) -> \(3, 2\)"):
        load_weight(model, {"backbone.0.weight": torch.zeros(4, 2)}, "x.pth", min_match=0)


def test_nothing_is_loaded_where_anything_is_wrong(model):
    before = {name: value.clone() for name, value in model.state_dict().items()}
    weight = {name: value + 1 for name, value in before.items()} | {"backbone.1.bias": torch.zeros(9)}
    with pytest.raises(ValueError, match="1 tensors differ"):
        load_weight(model, weight, "x.pth")
    assert all(torch.equal(model.state_dict()[name], value) for name, value in before.items())


def test_too_small_a_match_says_the_renaming_that_matches(model):
    backbone = model["backbone"].state_dict()
    student = {f"module.student.backbone.{name}": value for name, value in backbone.items()}
    both = student | {name.replace("student", "teacher"): value for name, value in student.items()}
    downstream = r"keywords='module.student.backbone', replacement='module.backbone' would match 4 of them"
    for weight in (student, both):
        with pytest.raises(ValueError, match=f"x.pth: 0 of the model's 4 backbone tensors .*; {downstream}"):
            load_weight(model, weight, "x.pth")
        with pytest.raises(ValueError, match=f"keywords='module.studnet' is in none of its names; {downstream}"):
            load_weight(model, weight, "x.pth", keywords="module.studnet", replacement="module")
    bare = {f"enc.{name}": value for name, value in backbone.items()}
    with pytest.raises(ValueError, match="keywords='module.enc', replacement='module.backbone' would match 4"):
        load_weight(model, bare, "x.pth")
    with pytest.raises(ValueError, match="keywords='module', replacement='module.backbone' would match 4"):
        load_weight(model, {name: torch.zeros(1) for name in backbone}, "x.pth")
    with pytest.raises(ValueError, match="checkpoint of another model, with 'a.b.c' where .* 'backbone.0.weight'"):
        load_weight(model, {"a.b.c": torch.zeros(1)}, "x.pth")


def test_what_is_said_is_what_works(model):
    weight = {f"student.{name}": value for name, value in model.state_dict().items()}
    match = load_weight(model, weight, "x.pth", keywords="module.student.backbone", replacement="module.backbone")
    assert match.backbone == "4 of 4 backbone tensors" and match.missing == ["head.weight", "head.bias"]


def test_a_partial_backbone_is_taken_on_request_only(model):
    weight = {name: value for name, value in model.state_dict().items() if name != "backbone.1.bias"}
    with pytest.raises(ValueError, match="3 of the model's 4 .*lacks for example 'backbone.1.bias'.* min_match=0.75"):
        load_weight(model, weight, "x.pth")
    assert load_weight(model, weight, "x.pth", min_match=0.75).missing == ["backbone.1.bias"]


def test_equal_endings_elsewhere_are_no_advice():
    wanted = shapes("backbone.")
    kept = {name: value for name, value in wanted.items() if "enc1" not in name}
    weight = kept | {f"head.mlp.{i}.{kind}": torch.zeros(1) for i in range(4) for kind in ("weight", "bias")}
    with pytest.raises(ValueError, match="lacks for example 'backbone.enc.enc1.*, set min_match=0"):
        match_weight(wanted, weight, "x.pth")


def test_a_model_without_backbone_counts_every_name():
    wanted = nn.Linear(2, 2).state_dict()
    assert match_weight(wanted, dict(wanted), "x.pth").backbone == "2 of 2 tensors"
    with pytest.raises(ValueError, match="1 of the model's 2 tensors"):
        match_weight(wanted, dict(weight=wanted["weight"]), "x.pth")


def test_a_decoder_counts_only_where_the_checkpoint_has_one():
    decoder = dict(
        enc_mode=False, dec_depths=(2, 1), dec_channels=(8, 16), dec_num_head=(1, 2), dec_patch_size=(32, 32)
    )
    encoder, whole = shapes("backbone."), shapes("backbone.", **decoder)
    assert len(encoder) < 0.6 * len(whole)
    match = match_weight(whole, encoder, "x.pth")
    assert len(match.matched) == len(encoder) and all("dec" in name.split(".") for name in match.missing)
    half = encoder | {name: value for name, value in whole.items() if ".dec0.up." in name}
    with pytest.raises(ValueError, match="lacks for example 'backbone.dec"):
        match_weight(whole, half, "x.pth")


def test_two_tensors_of_one_name_are_refused(model):
    weight = dict(model.state_dict()) | {"teacher.backbone.0.bias": torch.zeros(3)}
    with pytest.raises(ValueError, match="makes 7 names 6"):
        load_weight(model, weight, "x.pth", keywords="module.teacher.backbone", replacement="module.backbone")


RPE, MASK = dict(enable_rpe=True), dict(mask_token=True)
DEC = dict(enc_mode=False, dec_depths=(1, 1), dec_channels=(8, 16), dec_num_head=(1, 2), dec_patch_size=(32, 32))


@pytest.mark.parametrize(
    "base, change, name, key",
    [
        ({}, dict(in_channels=4), r"embedding.stem.linear.weight \(8, 4\) -> \(8, 6\)", "in_channels"),
        ({}, dict(enc_channels=(16, 16, 16)), r"embedding.stem.linear.weight \(16, 6\) -> \(8, 6\)", "enc_channels"),
        (MASK, dict(enc_channels=(16, 16, 16)), r"embedding.mask_token \(1, 16\) -> \(1, 8\)", "enc_channels"),
        ({}, dict(enc_channels=(8, 16, 32)), "enc.enc2.down.proj.weight", r"enc_channels \(stage 2\)"),
        ({}, dict(mlp_ratio=2), "enc.enc1.block0.mlp.0.fc1.weight", "mlp_ratio"),
        (RPE, dict(enc_num_head=(1, 4, 4)), "enc.enc1.block0.attn.rpe.rpe_table", "enc_num_head"),
        (RPE, dict(enc_patch_size=(64, 64, 64)), "enc.enc1.block0.attn.rpe.rpe_table", "enc_patch_size"),
        (DEC, dict(dec_channels=(32, 16)), "dec.dec0.up.proj.0.weight", r"dec_channels \(stage 0\)"),
    ],
)
def test_other_widths_name_tensor_shapes_and_config_key(base, change, name, key):
    with pytest.raises(ValueError, match=f"x.pth: .* tensors differ in shape from the model: {name}.*; compare {key} "):
        match_weight(shapes(**base), shapes(**base | change), "x.pth")


def test_other_widths_of_heads():
    def head(name, *shape):
        return {f"{name}.weight": torch.zeros(shape)}

    for name, found, wanted, key in (
        ("seg_head", (20, 8), (13, 8), "num_classes"),
        ("seg_head", (20, 8), (20, 9), "backbone_out_channels"),
        ("offset_head.mlp.0", (256, 8), (128, 8), "offset_head.hidden_channels"),
        ("mask_head.prototype", (64, 8), (32, 8), "head_num_prototypes"),
    ):
        with pytest.raises(ValueError, match=f"compare {key} of"):
            match_weight(head(name, *wanted), head(name, *found), "x.pth")
