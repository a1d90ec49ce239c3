"""Stand-ins for compiled parts against slow re-statements of what those promise, and how they get into place."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pointins_ext.host.stand_ins import pointgroup_ops, pointops, spconv_modules, torch_cluster, torch_scatter
from pointins_ext.host.stand_ins import spconv_pytorch as spconv
from pointins_ext.host.stand_ins.placeholder import Placeholder

seeds = st.integers(0, 2**32 - 1)
quick = settings(max_examples=25, deadline=None)
NUMPY = dict(sum=np.sum, mean=np.mean, min=np.min, max=np.max)


def ragged(seed, channels=2):
    """Values (N, C) and the sorted segment of each, some segments empty."""
    generator = np.random.default_rng(seed)
    index = np.sort(generator.integers(0, 6, generator.integers(1, 30)))
    return torch.from_numpy(generator.normal(size=(len(index), channels))).float(), torch.from_numpy(index)


# torch_scatter


@quick
@given(seeds, st.sampled_from(sorted(NUMPY)))
def test_segments_are_reduced_like_slices(seed, reduce):
    value, index = ragged(seed)
    size = int(index[-1]) + 1
    expected = np.zeros((size, 2), np.float32)
    for i in set(index.tolist()):
        expected[i] = NUMPY[reduce](value[index == i].numpy(), axis=0)
    indptr = torch.searchsorted(index, torch.arange(size + 1))
    for found in (
        torch_scatter.segment_csr(value, indptr, reduce=reduce),
        torch_scatter.segment_coo(value, index, reduce=reduce),
        torch_scatter.scatter(value, index, dim=0, reduce=reduce),
        torch_scatter.scatter(value.T, index, dim=-1, reduce=reduce).T,
    ):
        np.testing.assert_allclose(found.numpy(), expected, rtol=1e-5, atol=1e-6)
    shuffled = torch.randperm(len(index))
    found = torch_scatter.scatter(value[shuffled], index[shuffled], dim=0, dim_size=9, reduce=reduce)
    np.testing.assert_allclose(found[:size].numpy(), expected, rtol=1e-5, atol=1e-6)
    assert found.shape == (9, 2) and (found[size:] == 0).all()


@pytest.mark.parametrize("reduce", ["sum", "mean", "max"])
def test_segments_pass_the_gradient_and_empty_ones_none(reduce):
    value = torch.tensor([1.0, 3.0, 2.0, 5.0], dtype=torch.float64, requires_grad=True)
    indptr = torch.tensor([0, 2, 2, 4])
    assert torch.autograd.gradcheck(lambda v: torch_scatter.segment_csr(v, indptr, reduce=reduce), value)


def test_integers_keep_their_type_and_minima_their_position():
    value = torch.tensor([[5, 1], [3, 1], [7, -2], [3, 9]])
    low, position = torch_scatter.scatter_min(value, torch.tensor([1, 1, 0, 1]), dim=0)
    assert low.tolist() == [[7, -2], [3, 1]] and low.dtype == torch.long
    assert position.tolist() == [[2, 2], [1, 0]]
    high, position = torch_scatter.scatter_max(value, torch.tensor([3, 1, 1, 3]), dim=0)
    assert high[1].tolist() == [7, 1] and high[3].tolist() == [5, 9] and position[0].tolist() == [4, 4]
    assert torch_scatter.segment_coo(value, torch.tensor([0, 0, 2, 2]), reduce="min").tolist() == [
        [3, 1],
        [0, 0],
        [3, -2],
    ]


# pointops and torch_cluster


def clouds(seed, counts):
    generator = np.random.default_rng(seed)
    return torch.from_numpy(generator.normal(size=(sum(counts), 3))).float(), torch.tensor(counts).cumsum(0)


@quick
@given(seeds, st.integers(1, 4))
def test_nearest_neighbours_stay_in_their_cloud(seed, k):
    xyz, offset = clouds(seed, [5, 3, 7])
    query, query_offset = clouds(seed + 1, [2, 6, 1])
    index, distance = pointops.knn_query(k, xyz, offset.int(), query, query_offset.int())
    assert index.dtype == torch.int32 and index.shape == distance.shape == (9, k)
    start = [0, 5, 8]
    for i in range(9):
        cloud = int(torch.searchsorted(query_offset, i, right=True))
        own = slice(start[cloud], int(offset[cloud]))
        expected = (xyz[own] - query[i]).norm(dim=1).sort().values[:k]
        count = len(expected)
        torch.testing.assert_close(distance[i, :count], expected)
        torch.testing.assert_close((xyz[index[i, :count].long()] - query[i]).norm(dim=1), expected)
        assert (index[i, count:] == -1).all() and (distance[i, count:] == pointops.MISSING).all()


def test_without_a_query_points_find_themselves_and_knn_pairs_agree():
    xyz, offset = clouds(0, [4, 6])
    index, distance = pointops.knn_query(1, xyz, offset)
    assert index.squeeze(1).tolist() == list(range(10)) and float(distance.max()) == 0
    batch = torch.tensor([0] * 4 + [1] * 6)
    query, support = torch_cluster.knn(xyz, xyz + 1e-4, 2, batch, batch)
    assert query.tolist() == sorted(list(range(10)) * 2) and (batch[query] == batch[support]).all()
    assert support[::2].tolist() == list(range(10))


# pointgroup_ops


def search_from_point_0_upwards(label, coord, batch, radius, threshold):
    """Breadth-first search over all pairs, as PointGroup defines it."""
    near = (coord[:, None] - coord[None]).norm(dim=2) < radius
    near &= (batch[:, None] == batch[None]) & (label[:, None] == label[None])
    seen, clusters = set(), []
    for seed in range(len(label)):
        if seed in seen:
            continue
        found, queue = {seed}, [seed]
        while queue:
            for other in near[queue.pop()].nonzero().squeeze(1).tolist():
                if other not in found:
                    found.add(other)
                    queue.append(other)
        seen |= found
        if len(found) >= threshold:
            clusters.append(sorted(found))
    return clusters


@quick
@given(seeds, st.floats(0.2, 1.5), st.integers(1, 4))
def test_clusters_are_those_of_a_breadth_first_search(seed, radius, threshold):
    coord, offset = clouds(seed, [20, 12])
    generator = np.random.default_rng(seed)
    label = torch.from_numpy(generator.integers(0, 2, 32)).int()
    batch = torch.tensor([0] * 20 + [1] * 12).int()
    begin = torch.cat([torch.zeros(1), offset]).int()
    index, start_len = pointgroup_ops.ballquery_batch_p(coord, batch, begin, radius, 300)
    assert index.dtype == start_len.dtype == torch.int32
    assert torch.equal(start_len[:, 0], torch.cat([torch.zeros(1), start_len[:, 1].cumsum(0)[:-1]]).int())
    members, cluster_begin = pointgroup_ops.bfs_cluster(label, index, start_len, threshold)
    found = [
        members[a:b, 1].tolist() for a, b in zip(cluster_begin[:-1].tolist(), cluster_begin[1:].tolist(), strict=True)
    ]
    expected = search_from_point_0_upwards(label, coord, batch, radius, threshold)
    assert [sorted(cluster) for cluster in found] == expected
    assert members[:, 0].tolist() == [i for i, cluster in enumerate(found) for _ in cluster]


def test_a_crowded_ball_keeps_its_first_thousand_points():
    coord = torch.zeros(1200, 3)
    index, start_len = pointgroup_ops.ballquery_batch_p(coord, torch.zeros(1200).int(), torch.tensor([0, 1200]), 1.0, 1)
    assert (start_len[:, 1] == 1000).all() and torch.equal(index[-1000:], torch.arange(1000).int())
    label = torch.zeros(1200).int()
    assert pointgroup_ops.bfs_cluster(label, index, start_len, 50)[1].tolist() == [0, 1200]
    empty = pointgroup_ops.ballquery_batch_p(coord[:0], torch.zeros(0).int(), torch.tensor([0]), 1.0, 1)
    assert [len(part) for part in pointgroup_ops.bfs_cluster(label[:0], *empty, 1)] == [0, 1]


# spconv


@pytest.mark.parametrize("mode", ["train", "eval"])
def test_submanifold_convolution_is_the_dense_one_at_the_voxels(mode):
    torch.manual_seed(0)
    grid = torch.unique(torch.randint(0, 6, (80, 3)), dim=0)
    indices = torch.cat([torch.zeros(len(grid), 1), grid], dim=1).int()
    feat = torch.randn(len(grid), 4, requires_grad=True)
    conv = getattr(spconv.SubMConv3d(4, 5, kernel_size=3, padding=1, indice_key="stem"), mode)()
    tensor = spconv.SparseConvTensor(feat, indices, [6, 6, 6], 1)
    out = spconv.SparseSequential(conv, torch.nn.GELU(), spconv.Identity())(tensor)
    dense = torch.zeros(6, 6, 6, 4).index_put(tuple(grid.T), feat).permute(3, 0, 1, 2)[None]
    expected = torch.nn.functional.conv3d(dense, conv.weight.permute(0, 4, 1, 2, 3), conv.bias, padding=1)
    expected = torch.nn.functional.gelu(expected[0, :, grid[:, 0], grid[:, 1], grid[:, 2]].T)
    torch.testing.assert_close(out.features, expected, rtol=1e-5, atol=1e-5)
    ours = torch.autograd.grad(out.features.square().sum(), [feat, *conv.parameters()], retain_graph=True)
    theirs = torch.autograd.grad(expected.square().sum(), [feat, *conv.parameters()])
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)
    assert out.indice_dict is tensor.indice_dict and len(tensor.indice_dict) == 1
    assert spconv_modules.is_spconv_module(conv) and not spconv_modules.is_spconv_module(torch.nn.Linear(1, 1))


# placeholders, and getting into place


def test_a_placeholder_can_be_imported_and_derived_from_but_not_used():
    module = Placeholder("wandb")

    class Sink(module.Run):
        pass

    for use in (Sink, lambda: module.init(project="x"), lambda: module.Settings(api_key=1)):
        with pytest.raises(ImportError, match="wandb is not installed.*install wandb"):
            use()
    assert not hasattr(module, "__wrapped__")


CODE = """
import importlib.util, sys
from pointins_ext.host import stand_ins
{before}
with stand_ins.installed():
    import pointops, torch_scatter, spconv.pytorch as spconv, open3d, open3d.visualization
    from torch_scatter import scatter_softmax
    folder = torch_scatter.__file__.split("/")[-2]
    print("inside", pointops.__name__, folder, "open3d" in sys.modules)
print("after", "open3d" in sys.modules, importlib.util.find_spec("pointops") is not None)
print(*stand_ins.ANNOUNCEMENTS.values(), sep="\\n")
"""


def python(code, *path):
    environment = dict(PYTHONPATH=":".join([*map(str, path), "."]), PATH="/usr/bin:/bin", POINTINS_HOST="embedded")
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_what_is_missing_is_announced_and_placeholders_leave():
    printed = python(CODE.format(before=""))
    assert "inside pointins_ext.host.stand_ins.pointops stand_ins True" in printed and "after False True" in printed
    assert "pointops is not installed: plain PyTorch takes its place" in printed
    announced = [line.split()[0] for line in printed.splitlines()[2:]]
    assert len(announced) == len(set(announced)) >= 4


def test_what_is_installed_is_preferred(tmp_path):
    for name in ("pointops", "torch_scatter"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("scatter_softmax = knn_query = None\n")
    printed = python(CODE.format(before=""), tmp_path)
    assert f"inside pointops {'torch_scatter'} True" in printed
    assert "pointops is not" not in printed and "torch_scatter is not" not in printed
    assert "spconv" in printed  # no GPU here or no spconv: announced


def test_numpy_without_in1d_gets_it_back():
    printed = python(CODE.format(before="import numpy as np\nif hasattr(np, 'in1d'): del np.in1d"))
    assert "numpy.in1d is gone since numpy 2.4: numpy.isin takes its place" in printed
