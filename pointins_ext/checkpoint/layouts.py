"""One backbone of a pretraining checkpoint, in the layouts that others load."""

import re

from pointins_ext.errors import UserError

# Arguments of PT-v3m2 and their defaults in Pointcept; facebookresearch/sonata has the same arguments, other defaults.
PT_V3M2 = dict(
    in_channels=6,
    order=("z", "z-trans"),
    stride=(2, 2, 2, 2),
    enc_depths=(2, 2, 2, 6, 2),
    enc_channels=(32, 64, 128, 256, 512),
    enc_num_head=(2, 4, 8, 16, 32),
    enc_patch_size=(48, 48, 48, 48, 48),
    dec_depths=(2, 2, 2, 2),
    dec_channels=(64, 64, 128, 256),
    dec_num_head=(4, 4, 8, 16),
    dec_patch_size=(48, 48, 48, 48),
    mlp_ratio=4,
    qkv_bias=True,
    qk_scale=None,
    attn_drop=0.0,
    proj_drop=0.0,
    drop_path=0.3,
    layer_scale=None,
    pre_norm=True,
    shuffle_orders=True,
    enable_rpe=False,
    enable_flash=True,
    upcast_attention=False,
    upcast_softmax=False,
    traceable=False,
    mask_token=False,
    enc_mode=False,
    freeze_encoder=False,
)
# the same arguments of torch_pointcloud's PointTransformerV3Encoder
TORCH_POINTCLOUD = dict(
    in_channels="in_channels",
    order="serialization_orders",
    shuffle_orders="shuffle_serialization_orders",
    stride="strides",
    enc_depths="encoder_depths",
    enc_channels="encoder_channels",
    enc_num_head="encoder_num_heads",
    enc_patch_size="encoder_patch_size",
    mlp_ratio="mlp_ratio",
    qkv_bias="qkv_bias",
    qk_scale="qk_scale",
    attn_drop="attn_drop",
    proj_drop="proj_drop",
    drop_path="drop_path",
    enable_flash="use_flash_attn",
    upcast_attention="upcast_attn",
    upcast_softmax="upcast_softmax",
)
TORCH_POINTCLOUD_NAMES = (
    (r"^embedding\.stem\.linear\.", "stem.stem."),
    (r"^embedding\.stem\.norm\.", "stem.norm."),
    (r"^enc\.enc(\d+)\.down\.proj\.", r"blocks.\1.downsample.proj."),
    (r"^enc\.enc(\d+)\.down\.norm\.0\.", r"blocks.\1.downsample.norm."),
    (r"^enc\.enc(\d+)\.block(\d+)\.", r"blocks.\1.blocks.\2."),
    (r"\.cpe\.0\.", ".cpe_conv."),
    (r"\.cpe\.1\.", ".cpe_proj."),
    (r"\.cpe\.2\.", ".cpe_norm."),
    (r"\.(norm[12])\.0\.", r".\1."),
    (r"\.mlp\.0\.fc1\.", ".mlp.0."),
    (r"\.mlp\.0\.fc2\.", ".mlp.3."),
)


def backbone_weight(state_dict, network, path):
    """Tensors of one network's backbone under bare names. ValueError names the networks that there are."""
    names = {name.removeprefix("module."): value for name, value in state_dict.items()}
    prefix = f"{network}.backbone."
    weight = {name.removeprefix(prefix): value for name, value in names.items() if name.startswith(prefix)}
    if not weight:
        found = sorted({name.split(".backbone.")[0] for name in names if ".backbone." in name})
        hint = f"it has the backbone of {', '.join(found)}" if found else f"it has names like {next(iter(names))!r}"
        raise UserError(f"checkpoint {path}: no tensor begins with {prefix!r}; {hint}")
    return weight


def backbone_config(model, network, path):
    """`type` and arguments of a network's backbone, from the model config of a pretrainer or of PointINS around one."""
    pretrainer = model.get("pretrainer", model)
    if "backbone" not in pretrainer:
        raise UserError(
            f"config of {path}: its model {model.get('type')!r} has no backbone; found {sorted(pretrainer)}"
        )
    custom = (pretrainer.get("teacher_custom") or {}) if network == "teacher" else {}
    return {**pretrainer["backbone"], **custom}


def pointcept(weight, backbone):
    """For Pointcept's downstream configs as they are: keywords="module.student.backbone" whatever the network is."""
    return dict(
        state_dict={f"student.backbone.{name}": value for name, value in weight.items()},
        config=dict(model=dict(backbone=backbone)),
    )


def sonata(weight, backbone):
    """For loaders like sonata.load(FILE) of facebookresearch/sonata: every argument of PTv3, bare names."""
    return dict(config=_pt_v3m2(backbone, "sonata"), state_dict=weight)


def torch_pointcloud(weight, backbone):
    """For create_model("sonata-base.pretrain.fair", checkpoint_path=FILE, **config) of the package torch-pointcloud."""
    arguments = _pt_v3m2(backbone, "torch-pointcloud")
    only = dict(enc_mode=True, enable_rpe=False, pre_norm=True, layer_scale=None)
    other = {key: arguments[key] for key, value in only.items() if arguments[key] != value}
    if other:
        raise UserError(f"layout torch-pointcloud: its encoder has no {other}; expected {only}")
    config = {theirs: arguments[ours] for ours, theirs in TORCH_POINTCLOUD.items()}
    config |= dict(norm="layer_norm", norm_kwargs=dict(mode="node"), act="gelu", pooling="grid", stem_type="linear")
    # only pretraining masks points
    state_dict = {_their_name(name): value for name, value in weight.items() if name != "embedding.mask_token"}
    return dict(config=config, state_dict=state_dict)


LAYOUTS = {"pointcept": pointcept, "sonata": sonata, "torch-pointcloud": torch_pointcloud}


def _pt_v3m2(backbone, layout):
    kind, arguments = backbone.get("type"), {key: value for key, value in backbone.items() if key != "type"}
    unknown = sorted(arguments.keys() - PT_V3M2.keys())
    if kind != "PT-v3m2" or unknown:
        found = f"{kind!r}" + (f" with {unknown}" if unknown else "")
        raise UserError(f"layout {layout} holds a PT-v3m2 backbone, found {found}; take layout pointcept")
    return {**PT_V3M2, **arguments}


def _their_name(name):
    for pattern, replacement in TORCH_POINTCLOUD_NAMES:
        name = re.sub(pattern, replacement, name)
    return name
