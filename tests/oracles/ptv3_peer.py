"""PTv3 encoder and curve codes of the PyPI package torch-pointcloud: written independently, over spconv and ocnn."""

import importlib.util
import re
import sys
import types

import pytest
import torch

PACKAGES = ("torch_pointcloud", "spconv", "ocnn")
VARIANTS = {
    "PT-v3m1": dict(pooling="serialized", stem_type="sparse_conv", norm="batch_norm"),
    "PT-v3m2": dict(pooling="grid", stem_type="linear", norm="layer_norm", norm_kwargs=dict(mode="node")),
}
VARIANTS["PT-v3m1"]["norm_kwargs"] = dict(eps=1e-3, momentum=0.01)
RENAMED = (
    (r"embedding\.stem\.(linear|conv)\.", "stem.stem."),
    (r"embedding\.stem\.norm\.", "stem.norm."),
    (r"enc\.enc(\d+)\.block(\d+)\.", r"blocks.\1.blocks.\2."),
    (r"enc\.enc(\d+)\.down\.", r"blocks.\1.downsample."),
    (r"cpe\.0", "cpe_conv"),
    (r"cpe\.1", "cpe_proj"),
    (r"cpe\.2", "cpe_norm"),
    (r"(norm\d?)\.0\.", r"\1."),
    (r"mlp\.0\.fc1", "mlp.0"),
    (r"mlp\.0\.fc2", "mlp.3"),
)


def load(name):
    """A module of the package, e.g. "ops.serialization"; skips the test where a package is missing."""
    missing = [package for package in PACKAGES if importlib.util.find_spec(package) is None]
    if missing:
        pytest.skip(f"needs {', '.join(missing)}: pip install torch-pointcloud spconv ocnn")
    if "ocnn" not in sys.modules:
        import_with_torchvision_stub("ocnn.octree")
    return importlib.import_module(f"torch_pointcloud.{name}")


def import_with_torchvision_stub(name):
    """ocnn imports torchvision without needing it here, and its PyPI wheel breaks next to a CPU build of torch."""
    stubs = {key: types.ModuleType(key) for key in ("torchvision", "torchvision.models")}
    stubs["torchvision.models"].resnet18 = None
    kept = {key: sys.modules.get(key) for key in stubs}
    sys.modules.update(stubs)
    try:
        importlib.import_module(name)
    finally:
        for key, value in kept.items():
            sys.modules.pop(key)
            if value is not None:
                sys.modules[key] = value


def encoder_stages(variant, state_dict, batch, encoder, seed):
    """Features of every encoder stage, finest first, voxels in (batch, x, y, z) order.

    `encoder`: keyword arguments as in Pointcept; `seed` of the shuffled orders.
    """
    model = build(variant, encoder)
    model.load_state_dict({rename(key, variant): value for key, value in state_dict.items()})
    return stages(model, batch, seed)


def build(variant, encoder):
    """The package's encoder of the size that keyword arguments `encoder` give Pointcept's."""
    return load("models.point_transformer_v3").PointTransformerV3Encoder(
        in_channels=encoder["in_channels"],
        serialization_orders=encoder["order"],
        strides=encoder["stride"],
        encoder_depths=encoder["enc_depths"],
        encoder_channels=encoder["enc_channels"],
        encoder_num_heads=encoder["enc_num_head"],
        encoder_patch_size=encoder["enc_patch_size"],
        use_flash_attn=False,
        drop_path=0.0,
        **VARIANTS[variant],
    )


def stages(model, batch, seed):
    """The same of an encoder of the package. In training mode: spconv's CPU build has no other. On one thread: with
    more, that build loses updates.
    """
    torch.set_num_threads(1)
    index = torch.arange(len(batch["offset"])).repeat_interleave(batch["offset"].diff(prepend=torch.zeros(1).long()))
    torch.manual_seed(seed)
    feat, cells, index, finer = model.train()(batch["feat"], batch["grid_coord"], index, return_intermediates=True)
    found = [(stage["x"], stage["pos_grid"], stage["batch"]) for stage in finer] + [(feat, cells, index)]
    return [in_cell_order(*stage) for stage in found]


def in_cell_order(feat, grid_coord, batch):
    """Rows of `feat` sorted by batch, x, y, z."""
    key = batch.long()
    for axis in grid_coord.long().unbind(1):
        key = key * 2**16 + axis
    return feat[key.argsort()]


def rename(key, variant):
    for pattern, replacement in RENAMED:
        key = re.sub(pattern, replacement, key)
    if variant == "PT-v3m1":  # BatchNorm sits in a wrapper there
        key = re.sub(r"^(stem|blocks\.\d+\.downsample)\.norm\.", r"\1.norm.module.", key)
    return key
