"""The cases of the benchmark: what is measured, A, and what it is held against, B."""

from benchmark.method import components, odr, scaling, scr
from benchmark.network import ptv3_forward, ptv3_step, submconv
from benchmark.pairs import Case
from benchmark.training import branch_overhead, branch_overhead_kmeans, data

CASES = {
    "branch_overhead": Case(
        "training step of PointINS on DOS against the same step of DOS", branch_overhead, {"cpu": 1.08, "cuda": 1.05}
    ),
    "branch_overhead_kmeans": Case(
        "the same with K-means in the place of the graph rule", branch_overhead_kmeans, {"cpu": 1.08, "cuda": 1.05}
    ),
    "scr": Case(
        "SCR, 512 features, against scikit-learn's KMeans(n_init=1), SciPy's cKDTree and connected_components",
        scr,
        {"cpu": 0.5, "cuda": 0.02},
        threads=2,
    ),
    "odr": Case("ODR against SciPy's rankdata and numpy.interp", odr, {"cpu": 0.3, "cuda": None}),
    "components": Case(
        "clustering of shifted points against ball query and breadth-first search",
        components,
        {"cpu": 0.15, "cuda": None},
    ),
    "scaling": Case("pose, ODR and SCR of ten times as many voxels, in one view", scaling, {"cpu": 11, "cuda": 11}),
    "submconv": Case("submanifold convolution, 64 channels, against spconv", submconv, {"cpu": 0.6}),
    "ptv3_forward": Case("forward of PT-v3m2 against torch-pointcloud's encoder", ptv3_forward, {"cpu": 1.0}),
    "data": Case("loading a batch with its views against its training step", data, {"cpu": 1.0, "cuda": 1.0}),
    "ptv3_step": Case(
        "forward and backward of PT-v3m2 against Pointcept's with stand-ins", ptv3_step, {"cpu": 1.0, "cuda": 1.0}
    ),
}
