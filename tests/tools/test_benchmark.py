"""The benchmark: its references do what ours does, its guard bites, its figures keep their place."""

import contextlib
import json
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from pointins_ext.branch import MagnitudePrior, OffsetDistributionRegularization
from pointins_ext.evaluation import adjusted_rand_index
from pointins_ext.ops import radius_components

pytest.importorskip("sklearn")
ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import benchmark  # noqa: E402
import benchmark_cases as cases  # noqa: E402


def row(ratio, **changes):
    figures = dict(ratio=ratio, quartiles=[ratio, ratio], target=1.0, seconds=[0.1, 0.1], memory=[1, None], points=10)
    return figures | dict(threads=1, repeats=3, note="") | changes


def sample():
    coord, feat, offset, group = cases.voxels(16_000, 16)
    assert group.unique().tolist() == [0, 1] and len(coord) == 16_000
    return coord, feat, offset, group


def test_reference_of_odr_is_odr():
    _, _, offset, group = sample()
    prior = MagnitudePrior.load("indoor")
    ours = OffsetDistributionRegularization(prior)(offset, group)
    reference = cases.reference_odr(offset.numpy(), group.numpy(), prior.quantiles.double().numpy())
    np.testing.assert_allclose(ours.numpy(), reference, atol=2e-4)


def test_reference_of_components_finds_the_same_ones():
    coord, _, offset, group = sample()
    ours = radius_components(coord + offset, 0.06, group)
    reference = cases.ball_query_components((coord + offset).numpy(), group.numpy(), most=10**6)
    assert adjusted_rand_index(ours.numpy(), reference) == 1.0


def test_reference_of_scr_is_scr_where_segments_are_plain():
    coord, _, offset, group = sample()
    feat = torch.eye(20)[torch.arange(len(coord)) // 40 % 20]
    ours = cases.SpatialClusteringRegularization(20, radius=0.12)(coord, feat, offset, group)
    reference = cases.reference_scr(*(t.numpy() for t in (coord, feat, offset, group)))
    np.testing.assert_allclose(ours.center.numpy(), reference, atol=1e-4)


def test_rooms_of_one_group_do_not_meet():
    coord, *_, group = cases.voxels(16_000, 1, one_group=True)
    apart, *_, room = cases.voxels(16_000, 1)
    assert not group.any()
    low, high = (torch.stack([f(coord[room == r]) for r in (0, 1)]) for f in (lambda c: c.amin(0), lambda c: c.amax(0)))
    assert ((low[1] > high[0]) | (low[0] > high[1])).any()
    with pytest.raises(ValueError, match="900 voxels wanted"):
        cases.voxels(900, 1, grid=2.0)


def test_a_case_leaves_nothing_for_the_next():
    """Stand-ins for what Pointcept misses stay in sys.modules."""
    benchmark.apart(exec, "import sys; sys.modules['left'] = sys.modules['sys']")
    assert not benchmark.apart(eval, "'left' in __import__('sys').modules")


def test_a_case_is_measured_in_turns(monkeypatch):
    calls = []
    pair = cases.Pair(lambda: calls.append("a"), lambda: calls.append("b"), points=5, scale=0.5)
    monkeypatch.setitem(benchmark.CASES, "odr", cases.Case("nothing", lambda device, quick: pair, {"cpu": 1.0}))
    threads = torch.get_num_threads()
    figures = benchmark.measure("odr", "cpu", True, 3)
    torch.set_num_threads(threads)
    assert calls == ["a", "b"] * 5  # once to warm up, once for the memory
    assert figures["points"] == 5 and figures["quartiles"][0] <= figures["ratio"] <= figures["quartiles"][1]


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="Linux tells a peak of memory")
def test_memory_is_what_a_call_adds():
    for _ in range(2):  # the second call may not profit from the pages of the first
        found = benchmark.peak_memory(lambda: [np.ones(2**13) for _ in range(2**12)], "cpu")
        assert 0.9 * 2**28 < found < 1.3 * 2**28


def test_waits_for_the_gpu_are_counted(monkeypatch):
    modes = []
    monkeypatch.setattr(torch.cuda, "set_sync_debug_mode", modes.append)

    def call():
        for text in (
            "called a synchronizing CUDA operation",
            "something else",
            "called a synchronizing CUDA operation",
        ):
            warnings.warn(text, stacklevel=1)

    assert benchmark.synchronizations(call, "cuda") == 2 and modes == ["warn", "default"]
    assert benchmark.synchronizations(call, "cpu") is None


def test_regressions_are_by_ratio():
    recorded = dict(scr=row(0.4), odr=row(0.4))
    assert benchmark.regressions(dict(scr=row(0.59), odr=row(0.4), data=row(9.0)), recorded) == {}
    found = benchmark.regressions(dict(scr=row(0.61), odr=row(0.4)), recorded)
    assert found == dict(scr="scr takes 0.61 times its reference, 0.40 is recorded")
    assert benchmark.regressions(dict(scr=row(0.79), odr=row(0.81)), recorded, tolerance=2.0).keys() == {"odr"}


@pytest.mark.parametrize("again, tolerance, code", [(0.5, 1.5, None), (0.7, 1.5, 1), (0.7, 2.0, None), (0.81, 2.0, 1)])
def test_what_is_slow_is_measured_again(again, tolerance, code, monkeypatch, tmp_path, capsys):
    """A burst of the machine is forgiven, a regression is not."""
    benchmark.record(str(tmp_path / "record.json"), "cpu_quick", dict(scr=row(0.4), odr=row(0.4)), {})
    measured = []

    def measure(name, device, quick, repeats):
        measured.append((name, repeats))
        return row(0.4 if name == "odr" else 0.9 if repeats == 3 else again)

    monkeypatch.setattr(benchmark, "RECORD", tmp_path / "record.json")
    monkeypatch.setattr(benchmark, "measure", measure)
    monkeypatch.setattr(benchmark, "apart", lambda call, *arguments: call(*arguments))
    monkeypatch.setattr(sys, "argv", ["benchmark.py", "--quick", "--only", "scr", "odr", "--repeats", "3"])
    sys.argv += [] if tolerance == benchmark.TOLERANCE else ["--tolerance", str(tolerance)]
    with contextlib.nullcontext() if code is None else pytest.raises(SystemExit, match=str(code)):
        benchmark.main()
    assert measured == [("scr", 3), ("odr", 3), ("scr", 12)]
    printed = capsys.readouterr()
    assert f"| {again:.2f} (" in printed.out and (f"scr takes {again:.2f} times" in printed.err) == (code == 1)


def test_figures_join_those_on_record(tmp_path):
    path = tmp_path / "figures.json"
    benchmark.record(str(path), "cpu", dict(odr=row(0.5), scr=row(0.4)), dict(cores=2))
    benchmark.record(str(path), "cpu", dict(odr=row(0.3)), dict(cores=4))
    benchmark.record(str(path), "cuda", dict(odr=row(0.1)), {})
    found = json.loads(path.read_text())
    assert {name: figures["ratio"] for name, figures in found["cpu"]["cases"].items()} == dict(scr=0.4, odr=0.3)
    assert list(found["cpu"]["cases"]) == ["scr", "odr"]  # in the order of the cases
    assert found["cuda"]["cases"]["odr"]["ratio"] == 0.1 and found["cpu"]["machine"] == dict(cores=4)


def test_the_table_says_whether_a_target_is_met():
    lines = benchmark.table(dict(scr=row(0.4), odr=row(1.2), components=row(3.0, target=None))).splitlines()
    assert [line.split("|")[6].strip() for line in lines[2:]] == ["yes", "no", ""]
    assert len({line.count("|") for line in lines}) == 1


def test_a_missing_peer_is_left_out_and_said(monkeypatch, capsys):
    def make(device, quick):
        raise cases.Skip("peer is not installed")

    monkeypatch.setitem(benchmark.CASES, "scr", cases.Case("", make, {"cpu": 1.0}))
    monkeypatch.setattr(benchmark, "apart", lambda call, *arguments: call(*arguments))
    args = SimpleNamespace(device="cpu", quick=True)
    assert benchmark.run(args, ["scr"], 3) == {}
    assert "scr left out: peer is not installed" in capsys.readouterr().err
