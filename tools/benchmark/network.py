"""Cases of the network: convolution and PTv3 against spconv, torch-pointcloud, and Pointcept."""

import importlib
import importlib.util
import sys
from pathlib import Path

import numpy as np
import torch

from benchmark.inputs import rooms, voxels
from benchmark.pairs import Pair, Skip
from pointins_ext.host import build_model, locate
from pointins_ext.host.stand_ins import installed
from pointins_ext.ops.subm_conv import SubMConv3d, kernel_map

ROOT = Path(__file__).parents[2]
BACKBONE = dict(
    in_channels=9,
    order=("z", "z-trans", "hilbert", "hilbert-trans"),
    stride=(2, 2, 2, 2),
    enc_depths=(2, 2, 2, 6, 2),
    enc_channels=(32, 64, 128, 256, 512),
    enc_num_head=(2, 4, 8, 16, 32),
    enc_patch_size=(1024,) * 5,
    drop_path=0.0,
    enc_mode=True,
    traceable=True,
    mask_token=False,
    enable_flash=False,
)


def submconv(device, quick):
    try:
        spconv = importlib.import_module("spconv.pytorch")
    except ImportError as error:
        raise Skip(f"spconv cannot be imported ({error})") from error
    coord, _, _, group = voxels(10_000 if quick else 50_000, 1)
    grid = ((coord - coord.amin(0)) / 0.04).long()
    feat = torch.randn(len(coord), 64)
    ours, theirs = SubMConv3d(64, 64, 3), spconv.SubMConv3d(64, 64, 3, padding=1, indice_key="case")
    index = torch.cat([group[:, None], grid], dim=1).int()
    shape = (grid.amax(0) + 1).tolist()

    def a():
        with torch.no_grad():
            ours(feat, kernel_map(grid, group, 3))

    def b():
        theirs(spconv.SparseConvTensor(feat, index, shape, int(group.max()) + 1))

    note = "with the table of neighbors, forward alone: spconv's CPU build fails in backward"
    return Pair(a, b, points=len(coord), note=note)


def network_input(device, quick):
    size = 0.08 if quick else 0.04
    coord, feat, _, room = rooms(2, size)
    kept = room < (1 if quick else 2)
    grid = np.floor((coord[kept] - coord[kept].min(0)) / size)
    return dict(
        coord=torch.from_numpy(coord[kept]).float().to(device),
        grid_coord=torch.from_numpy(grid).long().to(device),
        feat=torch.from_numpy(feat[kept]).float().to(device),
        batch=torch.from_numpy(room[kept]).to(device),
        offset=torch.from_numpy(np.bincount(room[kept]).cumsum()).to(device),
    )


def forward_and_backward(model, batch):
    model({key: value.clone() for key, value in batch.items()}).feat.square().mean().backward()


def ptv3_step(device, quick):
    problem = locate.pointcept_problem()
    if problem:
        raise Skip(problem)
    with installed():
        theirs = importlib.import_module("pointcept.models.point_transformer_v3.point_transformer_v3m2_sonata")
    torch.manual_seed(0)
    ours = build_model(dict(BACKBONE, type="PT-v3m2")).to(device)
    theirs = theirs.PointTransformerV3(**BACKBONE).to(device)
    theirs.load_state_dict(ours.state_dict())
    batch = network_input(device, quick)
    return Pair(
        lambda: forward_and_backward(ours, batch),
        lambda: forward_and_backward(theirs, batch),
        points=len(batch["coord"]),
    )


def ptv3_forward(device, quick):
    for package in ("torch_pointcloud", "spconv", "ocnn", "pytest"):
        if importlib.util.find_spec(package) is None:
            raise Skip(f"{package} is not installed; sh tests/run.sh brings it")
    sys.path.insert(0, str(ROOT))  # the tests know how to import that package
    theirs = importlib.import_module("tests.oracles.ptv3_peer").build("PT-v3m2", BACKBONE).to(device)
    ours = build_model(dict(BACKBONE, type="PT-v3m2")).to(device)
    batch = network_input(device, quick)

    def a():
        with torch.no_grad():
            ours({key: value.clone() for key, value in batch.items()})

    def b():
        with torch.no_grad():
            theirs(batch["feat"], batch["grid_coord"], batch["batch"])

    return Pair(a, b, points=len(batch["coord"]))
