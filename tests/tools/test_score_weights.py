"""tools/score_weights.py: the scores are those of `pointins evaluate`, and its intervals hold them."""

import json

import pytest

pytest.importorskip("sklearn")
import score_weights
from pointins_ext.cli import evaluate


def test_rows_agree_with_evaluate_and_name_the_best_rival(tmp_path, monkeypatch, capsys):
    flags = ["--weight", "indoor", "--num-scenes", "3", "--seed", "5"]
    out = tmp_path / "weights.json"
    monkeypatch.setattr("sys.argv", ["score_weights.py", *flags, "--json", str(out), "--name", "three"])
    score_weights.main()
    entry = json.loads(out.read_text())["indoor/three"]
    evaluate.main([*flags, "--json", str(tmp_path / "tables.json")])
    tables = json.loads((tmp_path / "tables.json").read_text())
    capsys.readouterr()
    rows = {name: row for name, row in tables["unsupervised"].items()}
    rows |= {f"{name}_planes": row for name, row in tables["unsupervised_with_planes"].items() if name != "pointins"}
    assert entry["scenes"] == 3 and entry["objects"] == rows["pointins"]["num_objects"]
    assert entry["touching"] == pytest.approx(rows["pointins"]["recall50_touching"])
    for key in ("ap50", "map"):
        row = entry[key]
        assert row["value"] == pytest.approx(100 * rows["pointins"][key])
        best = max((name for name in rows if name != "pointins"), key=lambda name, key=key: rows[name][key])
        assert row["rival"] == best and row["rival_value"] == pytest.approx(100 * rows[best][key])
        assert row["change"] == pytest.approx(row["value"] - row["rival_value"])
        assert row["interval"][0] <= row["value"] <= row["interval"][1]
        assert row["change_interval"][0] <= row["change"] <= row["change_interval"][1]
