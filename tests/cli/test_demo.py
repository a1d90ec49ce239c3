"""`pointins demo`: two scans of its own, and what `pointins segment` makes of them with the shipped weights."""

import importlib.util
import json

import numpy as np

from tests.fixtures.call_verb import call_verb


def test_a_room_and_a_street(tmp_path):
    done = call_verb("demo", "--output", "out", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert sum("weights: indoor, the scan has colors" in line for line in lines) == 1
    assert sum("weights: outdoor, the scan has no colors" in line for line in lines) == 1
    for name in ("room", "street"):
        scan, result = (np.load(tmp_path / "out" / f"{place}{name}.npz") for place in ("scans/", ""))
        assert len(result["instance"]) == len(scan["coord"]) and "instance" not in scan
        assert len(result["score"]) == result["instance"].max() + 1 > 5
        assert len(json.loads((tmp_path / "out" / f"{name}.boxes.json").read_text())["boxes"]) == len(result["score"])
        assert (tmp_path / "out" / f"{name}.ply").exists()
        if importlib.util.find_spec("plotly"):
            assert f"out/{name}.html" in done.stdout and (tmp_path / "out" / f"{name}.html").exists()
    assert lines[-1].startswith("Your own scan:  pointins segment --input")
