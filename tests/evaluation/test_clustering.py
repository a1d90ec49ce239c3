import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointins_ext.evaluation.clustering import adjusted_rand_index, purity

LABELS = st.lists(st.tuples(st.integers(-1, 4), st.integers(0, 4)), min_size=1, max_size=40)


@settings(max_examples=100, deadline=None)
@given(LABELS)
def test_rand_index_equals_scikit_learn(pairs):
    metrics = pytest.importorskip("sklearn.metrics")
    prediction, target = np.array(pairs).T
    assert adjusted_rand_index(prediction, target) == pytest.approx(metrics.adjusted_rand_score(target, prediction))


@settings(max_examples=30, deadline=None)
@given(LABELS)
def test_purity_equals_counting(pairs):
    prediction, target = np.array(pairs).T
    best = sum(max(np.sum(target[prediction == c] == t) for t in set(target)) for c in set(prediction))
    assert purity(prediction, target) == pytest.approx(best / len(pairs))


def test_nothing_to_disagree_about():
    assert adjusted_rand_index(np.zeros(0, int), np.zeros(0, int)) == 1.0
    assert adjusted_rand_index([0], [5]) == 1.0
    assert purity([], []) == 1.0
    with pytest.raises(ValueError, match="same"):
        adjusted_rand_index([0, 1], [0, 1, 2])
