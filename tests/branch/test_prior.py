import json
import os

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pointins_ext.branch import MagnitudePrior


def sample(num_lengths=2000, seed=0):
    return 0.4 * torch.exp(0.5 * torch.randn(num_lengths, generator=torch.Generator().manual_seed(seed)))


@pytest.mark.parametrize("name, median, clip", [("indoor", 0.45, 2.5), ("outdoor", 1.2, 6.0)])
def test_built_in_priors_are_clipped_log_normals(name, median, clip):
    prior = MagnitudePrior.load(name)
    assert float(prior.quantile(torch.tensor(0.5))) == pytest.approx(median, rel=0.02)
    assert float(prior.quantile(torch.tensor(1.0))) == pytest.approx(clip, rel=1e-5)
    assert float(prior.quantile(torch.tensor(0.0))) == 0.0 and name in prior.source


@settings(max_examples=30, deadline=None)
@given(levels=st.lists(st.floats(0, 1), min_size=1, max_size=20), seed=st.integers(0, 99))
def test_quantile_and_cdf_are_inverse_and_monotone(levels, seed):
    prior = MagnitudePrior.fit(sample(300, seed))
    level = torch.tensor(levels).sort().values
    length = prior.quantile(level)
    assert (length.diff() >= 0).all() and length.min() >= 0
    torch.testing.assert_close(prior.cdf(length), level, atol=1e-4, rtol=0)
    expected = np.interp(level.numpy(), np.linspace(0, 1, len(prior.quantiles)), prior.quantiles.numpy())
    np.testing.assert_allclose(length.numpy(), expected, rtol=1e-4, atol=1e-6)


def test_shapes_and_the_ends():
    prior = MagnitudePrior(torch.tensor([1.0, 2.0, 4.0]))
    level = torch.tensor([[-1.0, 0.0, 0.25], [0.5, 0.75, 2.0]])
    torch.testing.assert_close(prior.quantile(level), torch.tensor([[1.0, 1.0, 1.5], [2.0, 3.0, 4.0]]))
    length = torch.tensor([[0.0, 1.0], [3.0, 9.0]])
    torch.testing.assert_close(prior.cdf(length), torch.tensor([[0.0, 0.0], [0.75, 1.0]]))


def test_plateaus_are_jumps_of_the_cdf():
    prior = MagnitudePrior(torch.tensor([0.0, 1.0, 1.0, 1.0, 2.0]))
    torch.testing.assert_close(prior.cdf(torch.tensor([0.5, 1.0, 1.5])), torch.tensor([0.125, 0.75, 0.875]))
    assert prior.quantile(torch.tensor([0.25, 0.5, 0.75])).tolist() == [1.0, 1.0, 1.0]


def test_fit_gives_the_quantiles_of_the_sample():
    lengths = sample(5000)
    prior = MagnitudePrior.fit(lengths, "a sample")
    level = torch.tensor([0.01, 0.25, 0.5, 0.9, 0.999])
    expected = np.quantile(lengths.double().numpy(), level.double().numpy())
    np.testing.assert_allclose(prior.quantile(level).numpy(), expected, rtol=1e-2)
    assert prior.source == "a sample"
    shuffled = lengths[torch.randperm(5000)]
    assert torch.equal(MagnitudePrior.fit(shuffled).quantiles, prior.quantiles)


def test_save_and_load(tmp_path):
    prior = MagnitudePrior.fit(sample())
    path = tmp_path / "new" / "prior.json"
    prior.save(path)
    again = MagnitudePrior.load(path)
    torch.testing.assert_close(again.quantiles, prior.quantiles, atol=1e-6, rtol=0)
    assert again.source == str(path) and os.listdir(path.parent) == ["prior.json"]
    assert torch.equal(MagnitudePrior.load(str(path)).quantiles, again.quantiles)


def test_an_interrupted_save_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "prior.json"
    MagnitudePrior.fit(sample()).save(path)
    before = path.read_bytes()

    def full_disk(*args):
        raise OSError("no space left")

    monkeypatch.setattr(os, "replace", full_disk)
    with pytest.raises(OSError, match="no space"):
        MagnitudePrior.load("outdoor").save(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "content, message",
    [
        ({"quantiles": [0.1, 0.3, 0.2]}, r"not increasing at entry 2 \(0.3 then 0.2\); expected lengths in meters"),
        ({"quantiles": [-0.1, 0.3]}, r"a negative length \(-0.1\)"),
        ({"quantiles": [0.1, float("nan"), 0.2]}, "NaN or infinite"),
        ({"quantiles": [0.1, float("inf")]}, "NaN or infinite"),
        ({"quantiles": [0.5, 0.5, 0.5]}, r"constant \(0.5\)"),
        ({"quantiles": [0.5]}, "1 quantiles"),
        ({"quantiles": []}, "0 quantiles"),
        ({"quantiles": ["a", "b"]}, "not a prior file .* expected JSON with a list 'quantiles'"),
        ({"quantiles": [0.1, None]}, "not a prior file"),
        ({"lengths": [0.1, 0.2]}, "not a prior file .*'quantiles'"),
        ([0.1, 0.2], "not a prior file"),
        ("{broken", "not a prior file"),
        ("", "not a prior file"),
        (b"\xff\xfe\x00binary", "not a prior file"),
    ],
)
def test_unusable_files_are_named(tmp_path, content, message):
    path = tmp_path / "bad.json"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(ValueError, match=f"bad.json: .*{message}"):
        MagnitudePrior.load(path)


def test_a_missing_file_names_what_is_built_in(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"prior 'idnoor' is neither a file nor built in \(indoor, outdoor\)"):
        MagnitudePrior.load("idnoor")
    with pytest.raises(FileNotFoundError, match="fit one with pointins prior"):
        MagnitudePrior.load(tmp_path)


@pytest.mark.parametrize("lengths", [[], [0.3], [0.3, float("nan")], [0.3, 0.3], [-0.2, 0.4]])
def test_samples_that_are_no_distribution(lengths):
    with pytest.raises(ValueError, match="my scans: "):
        MagnitudePrior.fit(torch.tensor(lengths), "my scans")
