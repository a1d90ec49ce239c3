import numpy as np
import pytest
import torch

from pointins_ext.branch import MagnitudePrior
from pointins_ext.instances import fit_label_free, label_free_instances, magnitudes_from_instances


def test_magnitudes_are_distances_to_the_centroids():
    coord = torch.tensor([[0.0, 0, 0], [2, 0, 0], [5, 5, 5], [1, 4, 0], [1, 0, 0]])
    lengths = magnitudes_from_instances(coord, torch.tensor([7, 7, -1, 2, 7]))
    assert lengths.tolist() == pytest.approx([1.0, 1.0, 0.0, 0.0])
    assert len(magnitudes_from_instances(coord, torch.full((5,), -1))) == 0


def room(num_boxes=3, seed=0):
    """A floor of 4 x 4 m and boxes of 0.4 m standing on it; the box of every point, -1 on the floor."""
    generator = np.random.default_rng(seed)
    floor = np.stack(np.meshgrid(np.arange(0, 4, 0.05), np.arange(0, 4, 0.05), [0.0], indexing="ij"), -1).reshape(-1, 3)
    edge = np.arange(0, 0.401, 0.04)
    cells = np.stack(np.meshgrid(edge, edge, edge, indexing="ij"), -1).reshape(-1, 3)
    shell = cells[((cells < 1e-9) | (cells > 0.4 - 1e-9)).any(1)]
    parts = [shell + (0.5 + 1.1 * number, 1.0 + number % 2, 0.15) for number in range(num_boxes)]
    coord = np.concatenate([floor + generator.normal(0, 1e-3, floor.shape), *parts])
    instance = np.repeat([-1, *range(num_boxes)], [len(floor)] + [len(shell)] * num_boxes)
    return torch.tensor(coord, dtype=torch.float32), torch.from_numpy(instance)


def test_label_free_instances_are_what_stands_on_the_floor():
    coord, instance = room()
    label = label_free_instances(coord)
    assert (label[instance < 0] < 0).all()
    for number in range(3):
        member = instance == number
        assert (label >= 0)[member].all() and len(label[member].unique()) == 1
    assert len(label[label >= 0].unique()) == 3


def test_label_free_prior_equals_the_labeled_one():
    coord, instance = room()
    fitted = fit_label_free([coord, coord + 7], "two rooms")
    truth = MagnitudePrior.fit(magnitudes_from_instances(coord, instance))
    torch.testing.assert_close(fitted.quantiles, truth.quantiles, atol=5e-3, rtol=0)
    assert fitted.source == "two rooms"


def test_hdbscan_agrees_with_components():
    pytest.importorskip("sklearn")
    coord, _ = room()
    hdbscan, plain = (fit_label_free([coord], method=m) for m in ("hdbscan", "components"))
    torch.testing.assert_close(hdbscan.quantiles, plain.quantiles, atol=0.05, rtol=0)


def test_implausible_groups_are_dropped():
    coord, _ = room()
    assert (label_free_instances(coord, min_points=10000) < 0).all()
    assert (label_free_instances(coord, max_extent=0.3) < 0).all()
    assert label_free_instances(coord[:0]).shape == (0,)


def test_scans_without_objects_are_an_error():
    coord, instance = room()
    for scans in ([], [coord[instance < 0]]):
        with pytest.raises(ValueError, match="only 0 points lie on plausible objects; expected at least 100"):
            fit_label_free(scans)
    with pytest.raises(ValueError, match="method 'dbscan' is unknown; expected 'components' or 'hdbscan'"):
        fit_label_free([coord], method="dbscan")
