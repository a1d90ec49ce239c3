import importlib

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from pointins_ext.ops import kmeans, segment_mean

module = importlib.import_module("pointins_ext.ops.kmeans")  # the package attribute of that name is the function


def blobs(num_points, num_blobs=6, channels=16, seed=0):
    generator = torch.Generator().manual_seed(seed)
    center = 4 * torch.randn(num_blobs, channels, generator=generator)
    return torch.cat([center, center])[torch.arange(num_points) % num_blobs] + torch.randn(
        num_points, channels, generator=generator
    )


def inertia(feat, label):
    return float((feat - segment_mean(feat, label, int(label.max()) + 1)[label]).square().sum())


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("subsample", [4096, 300])
def test_as_tight_as_scikit_learn(subsample):
    sklearn = pytest.importorskip("sklearn.cluster")
    feat = torch.rand(2000, 8, generator=seeded())  # no clear clusters: many local optima, all about as good
    label = kmeans(feat, torch.zeros(2000, dtype=torch.long), 10, seeded(), num_iterations=50, subsample=subsample)
    peer = sklearn.KMeans(10, n_init=1, random_state=0).fit(feat.numpy())
    assert inertia(feat, label) <= (1.02 if subsample > 2000 else 1.08) * peer.inertia_


def test_lloyd_equals_scikit_learn_from_the_same_centers():
    sklearn = pytest.importorskip("sklearn.cluster")
    feat = blobs(400)
    point, mask = feat[None] - feat.mean(0), torch.ones(1, 400, dtype=torch.bool)
    center, exists = module._seed(point, mask, 6, seeded(3))
    ours = module._nearest(point, module._lloyd(point, mask, center, exists, 100), exists)[0]
    peer = sklearn.KMeans(6, init=center[0].numpy(), n_init=1, algorithm="lloyd", tol=0).fit(point[0].numpy())
    assert np.array_equal(ours.numpy(), peer.labels_)


def test_groups_do_not_influence_each_other():
    feat, group = blobs(300), torch.arange(300) % 3  # each group holds two of the six blobs
    label = kmeans(feat, group, 2, seeded())
    for g in range(3):
        truth = (torch.arange(300)[group == g] % 6 == g).long()
        assert torch.equal(label[group == g], truth) or torch.equal(label[group == g], 1 - truth)


def test_padding_of_uneven_groups_is_not_seen():
    feat, group = torch.randn(300, 4, generator=seeded()), torch.arange(300).clamp(max=100) // 100
    other = torch.where(group[:, None] == 0, feat, feat.flip(1) * 3 + 50)
    label, again = kmeans(feat, group, 8, seeded()), kmeans(other, group, 8, seeded())
    assert torch.equal(label[group == 0], again[group == 0])


def test_same_generator_state_same_labels():
    feat, group = torch.randn(500, 8, generator=seeded()), torch.arange(500) // 250
    first = kmeans(feat, group, 5, seeded(1))
    torch.rand(3)  # the global stream plays no part
    assert torch.equal(first, kmeans(feat, group, 5, seeded(1)))
    assert not torch.equal(first, kmeans(feat, group, 5, seeded(2)))


def test_normalize_clusters_directions():
    feat = torch.randn(3000, 8, generator=torch.Generator().manual_seed(0))
    group = torch.arange(3000) % 2
    label = kmeans(feat, group, 5, generator=torch.Generator().manual_seed(1), normalize=True)
    unit = F.normalize(feat, dim=1)
    assert torch.equal(label, kmeans(unit, group, 5, generator=torch.Generator().manual_seed(1)))
    assert not torch.equal(label, kmeans(feat, group, 5, generator=torch.Generator().manual_seed(1)))


def test_a_large_common_shift_changes_nothing():
    feat, group = blobs(300), torch.zeros(300, dtype=torch.long)
    assert torch.equal(kmeans(feat, group, 6, seeded()), kmeans(feat + 1024, group, 6, seeded()))


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.sampled_from([0, 2, 3]), st.integers(0, 4)), max_size=30), st.integers(1, 6))
def test_as_many_clusters_as_distinct_points_at_most(entries, num_clusters):
    group = torch.tensor([g for g, _ in entries], dtype=torch.long)
    feat = torch.tensor([v for _, v in entries], dtype=torch.float32).view(-1, 1) * torch.tensor([[0.3, -1.0]])
    label = kmeans(feat, group, num_clusters, seeded())
    assert len(label) == len(entries)
    for g in set(group.tolist()):
        inside = group == g
        used, distinct = label[inside].unique(), feat[inside].unique(dim=0)
        assert used.tolist() == list(range(len(used)))
        assert len(used) <= num_clusters
        if len(distinct) <= num_clusters:  # then every distinct point is its own cluster
            assert len(used) == len(distinct)
            assert inertia(feat[inside], label[inside]) < 1e-9


def test_the_sum_of_many_half_precision_features_is_finite():
    feat = torch.full((400, 8), 100.0, dtype=torch.float16)  # 320,000 in all, beyond the largest half
    assert (kmeans(feat, torch.zeros(400, dtype=torch.long), 2) == 0).all()


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_bad_input_is_refused(bad):
    group = torch.zeros(4, dtype=torch.long)
    with pytest.raises(ValueError, match="NaN"):
        kmeans(torch.tensor([[0.0], [1.0], [bad], [2.0]]), group, 2)
    with pytest.raises(ValueError, match="num_clusters"):
        kmeans(torch.zeros(4, 1), group, 0)


def test_full_precision_under_autocast():
    feat, group = torch.randn(4000, 32, generator=seeded()), torch.zeros(4000, dtype=torch.long)
    with torch.autocast("cpu", torch.bfloat16):
        label = kmeans(feat, group, 20, seeded())
    assert torch.equal(label, kmeans(feat, group, 20, seeded()))
