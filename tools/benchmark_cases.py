"""The cases of benchmark.py: what is measured, A, and what it is held against, B, on voxelized rooms and sweeps."""

import importlib
import importlib.util
import sys
import tempfile
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from scipy.sparse import coo_matrix, csgraph
from scipy.spatial import cKDTree
from scipy.stats import rankdata
from step_server import load, step

from pointins_ext.branch import (
    MagnitudePrior,
    OffsetDistributionRegularization,
    SpatialClusteringRegularization,
    recover_affine,
    transform_vectors,
)
from pointins_ext.datasets.rooms import SyntheticRoomsDataset
from pointins_ext.errors import UserError
from pointins_ext.host import Config, build_dataset, build_model, locate, point_collate_fn
from pointins_ext.host.stand_ins import installed
from pointins_ext.instances import instance_centers
from pointins_ext.ops import radius_components
from pointins_ext.ops.subm_conv import SubMConv3d, kernel_map

ROOT = Path(__file__).parents[1]
CONFIG = str(ROOT / "configs/pointins/pretrain-dos-rooms.py")
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


class Skip(Exception):
    """What a case needs is missing."""


@dataclass(frozen=True)
class Pair:
    a: Callable
    b: Callable
    points: int  # that a call of `a` works on
    scale: float = 1.0  # of the ratio
    note: str = ""


@dataclass(frozen=True)
class Case:
    what: str  # A against B
    make: Callable[[str, bool], Pair]  # of device and quick
    target: dict[str, float | None]  # device -> ratio that was promised
    threads: int = 1


# -- inputs ---------------------------------------------------------------------------------------------------------


@cache
def rooms(number: int, grid: float) -> tuple[np.ndarray, ...]:
    """Voxels of so many rooms: coord (N,3) meters, feat (N,9), center (N,3) of the instance, room (N,)."""
    dataset = SyntheticRoomsDataset(split="train", num_scenes=number, transform=[])
    parts = []
    for i in range(number):
        scene = dataset.get_data(i)
        _, first = np.unique(np.floor(scene["coord"] / grid).astype(int), axis=0, return_index=True)
        center = instance_centers(scene["coord"], scene["instance"]).numpy()[scene["instance"]]
        center[scene["instance"] < 0] = scene["coord"].mean(0)
        feat = np.concatenate([scene["coord"], scene["color"] / 127.5 - 1, scene["normal"]], axis=1)
        parts.append((scene["coord"][first], feat[first], center[first], np.full(len(first), i)))
    return tuple(np.concatenate(column) for column in zip(*parts, strict=True))


def voxels(count: int, channels: int, one_group=False, grid=0.04):
    """`count` voxels of rooms with smooth features and half-learned offsets: coord, feat, offset, group, tensors.

    one_group: the rooms stand side by side in a single scene.
    """
    coord, feat, center, room = rooms(-(-count // 9000), grid)
    if len(coord) < count:
        raise UserError(f"{count} voxels wanted, the rooms have {len(coord)}")
    coord, feat, center, room = coord[:count], feat[:count], center[:count], room[:count]
    rng = np.random.default_rng(0)
    offset = 0.6 * (center - coord) + rng.normal(0, 0.03, coord.shape)
    if one_group:
        coord = coord + np.stack([room % 10, room // 10, 0 * room], axis=1) * 12.0
        room = 0 * room
    wave = np.cos(feat @ rng.normal(0, 1, (9, channels)) + rng.uniform(0, 6, channels))
    feat = wave + rng.normal(0, 0.1, wave.shape)
    tensors = (torch.from_numpy(array.astype(np.float32)) for array in (coord, feat, offset))
    return *tensors, torch.from_numpy(room)


# -- the method -----------------------------------------------------------------------------------------------------


def branch_overhead(device, quick):
    with tempfile.TemporaryDirectory() as folder:
        batch, variants = load(CONFIG, 1 if quick else 2, folder, device)
    return Pair(
        lambda: step(*variants["branch"], batch),
        lambda: step(*variants["plain"], batch),
        points=int(batch["global_offset"][-1]),
    )


def scr(device, quick):
    data = [t.to(device) for t in voxels(10_000 if quick else 100_000, 512)]
    rule = SpatialClusteringRegularization(20, radius=0.12, min_points=10)
    arrays = [t.cpu().numpy() for t in data]
    return Pair(lambda: rule(*data), lambda: reference_scr(*arrays), points=len(data[0]))


def reference_scr(coord, feat, offset, group):
    """SCR of libraries: scikit-learn, SciPy's tree and components; a view after the other."""
    from sklearn.cluster import KMeans

    center = np.empty_like(coord)
    feat = feat / np.linalg.norm(feat, axis=1, keepdims=True)
    for view in np.unique(group):
        rows = np.flatnonzero(group == view)
        segment = KMeans(20, n_init=1, random_state=0).fit(feat[rows]).labels_
        for cluster in range(20):
            member = rows[segment == cluster]
            shifted = coord[member] + offset[member]
            distance, index = cKDTree(shifted).query(shifted, min(9, len(member)), distance_upper_bound=0.12)
            source = np.repeat(np.arange(len(member)), index.shape[1])[np.isfinite(distance).ravel()]
            target = index[np.isfinite(distance)]
            graph = coo_matrix((np.ones(len(source)), (source, target)), shape=(len(member),) * 2)
            number, label = csgraph.connected_components(graph, directed=False)
            count = np.bincount(label, minlength=number)
            for axis in range(3):
                center[member, axis] = (np.bincount(label, coord[member, axis], number) / count)[label]
    return center


def odr(device, quick):
    _, _, offset, group = (t.to(device) for t in voxels(20_000 if quick else 100_000, 1))
    prior = MagnitudePrior.load("indoor")
    rule = OffsetDistributionRegularization(prior)
    quantiles = prior.quantiles.double().numpy()
    arrays = offset.cpu().numpy(), group.cpu().numpy()
    return Pair(lambda: rule(offset, group), lambda: reference_odr(*arrays, quantiles), points=len(offset))


def reference_odr(offset, group, quantiles):
    """ODR from its definition with scipy.stats.rankdata and numpy.interp; a view after the other."""
    result = np.empty_like(offset)
    for view in np.unique(group):
        rows = np.flatnonzero(group == view)
        length = np.linalg.norm(offset[rows], axis=1)
        unit = offset[rows] / length[:, None]
        regular = np.stack([2 * (rankdata(unit[:, i]) - 0.5) / len(rows) - 1 for i in range(3)], axis=1)
        regular /= np.linalg.norm(regular, axis=1, keepdims=True)
        level = (rankdata(length) - 0.5) / len(rows)
        result[rows] = np.interp(level, np.linspace(0, 1, len(quantiles)), quantiles)[:, None] * regular
    return result


def components(device, quick):
    coord, _, offset, group = (t.to(device) for t in voxels(20_000 if quick else 200_000, 1))
    center = coord + offset
    arrays = center.cpu().numpy(), group.cpu().numpy()
    return Pair(
        lambda: radius_components(center, 0.06, group), lambda: ball_query_components(*arrays), points=len(center)
    )


def ball_query_components(coord, group, radius=0.06, most=300):
    """PointGroup's clustering from its definition: up to `most` neighbors in a ball, then breadth first."""
    label, number = np.full(len(coord), -1), 0
    for view in np.unique(group):
        rows = np.flatnonzero(group == view)
        balls = cKDTree(coord[rows]).query_ball_point(coord[rows], radius)
        for start in range(len(rows)):
            if label[rows[start]] >= 0:
                continue
            label[rows[start]] = number
            queue = deque([start])
            while queue:
                for other in balls[queue.popleft()][:most]:
                    if label[rows[other]] < 0:
                        label[rows[other]] = number
                        queue.append(other)
            number += 1
    return label


def scaling(device, quick):
    large, small = (100_000, 10_000) if quick else (1_000_000, 100_000)
    calls = []
    for count in (large, small):
        data = [t.to(device) for t in voxels(count, 64, one_group=True, grid=0.02)]
        calls.append(lambda data=data: targets(*data))
    return Pair(*calls, points=large)


def targets(coord, feat, offset, group):
    """Pose, ODR and SCR of one view that is turned by half a radian."""
    turn = torch.tensor([[0.878, -0.479, 0.0], [0.479, 0.878, 0.0], [0.0, 0.0, 1.0]], device=coord.device)
    affine = recover_affine(coord @ turn, coord, group, 1)
    offset = transform_vectors(affine.matrix, offset @ turn, group)
    offset = OffsetDistributionRegularization("indoor")(offset, group)
    return SpatialClusteringRegularization(20, radius=0.06, min_points=10)(coord, feat, offset, group)


# -- the network ----------------------------------------------------------------------------------------------------


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


# -- the data -------------------------------------------------------------------------------------------------------


def data(device, quick):
    number = 2 if quick else 4
    dataset = build_dataset(dict(Config.fromfile(CONFIG).data.train, num_scenes=number))
    with tempfile.TemporaryDirectory() as folder:
        batch, variants = load(CONFIG, number, folder, device)
    workers = 2
    return Pair(
        lambda: point_collate_fn([dataset[i] for i in range(number)]),
        lambda: step(*variants["branch"], batch),
        points=int(batch["global_offset"][-1]),
        scale=1 / workers,
        note=f"A of one worker, the ratio for {workers}",
    )


CASES = {
    "branch_overhead": Case(
        "training step of PointINS on DOS against the same step of DOS", branch_overhead, {"cpu": 1.1, "cuda": 1.05}
    ),
    "scr": Case(
        "SCR, 512 features, against scikit-learn's KMeans(n_init=1), SciPy's cKDTree and connected_components",
        scr,
        {"cpu": 0.5, "cuda": 0.02},
        threads=2,
    ),
    "odr": Case("ODR against SciPy's rankdata and numpy.interp", odr, {"cpu": 0.5, "cuda": None}),
    "components": Case(
        "clustering of shifted points against ball query and breadth-first search",
        components,
        {"cpu": 0.2, "cuda": None},
    ),
    "scaling": Case("pose, ODR and SCR of ten times as many voxels, in one view", scaling, {"cpu": 12, "cuda": 12}),
    "submconv": Case("submanifold convolution, 64 channels, against spconv", submconv, {"cpu": 0.5}),
    "ptv3_forward": Case("forward of PT-v3m2 against torch-pointcloud's encoder", ptv3_forward, {"cpu": 1.0}),
    "data": Case("loading a batch with its views against its training step", data, {"cpu": 1.0, "cuda": 1.0}),
    "ptv3_step": Case(
        "forward and backward of PT-v3m2 against Pointcept's with stand-ins", ptv3_step, {"cpu": 1.0, "cuda": 1.0}
    ),
}
