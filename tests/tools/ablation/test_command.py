"""What tools/ablate.py takes and says."""

import json
import sys

import pytest

from ablation import command
from ablation.runs import Run
from pointins_ext.files import write_text
from tests.fixtures.ablations import ROWS, request

pytest.importorskip("matplotlib")


def test_rows_from_elsewhere_are_done_and_own_ones_stay(tmp_path, monkeypatch):
    theirs = tmp_path / "rows.json"
    theirs.write_text(json.dumps([row for row in ROWS if row["arm"] == "none"]))
    own = Run(request(tmp_path / "exp"), "none", 1, 4000).row
    write_text(own, json.dumps(ROWS[1] | dict(map=99.0)))
    flags = [
        "--suite",
        "components",
        "--data",
        "rooms",
        "--arms",
        "none",
        "--rows",
        theirs,
        "--output",
        tmp_path / "exp",
    ]
    monkeypatch.setattr(sys, "argv", ["ablate.py", *map(str, flags)])
    monkeypatch.setattr(Run, "start", None)  # nothing is left to run
    command.main()
    rows = json.loads((tmp_path / "exp/rows.json").read_text())
    assert [row["map"] for row in rows] == [ROWS[0]["map"], 99.0, ROWS[2]["map"]]


@pytest.mark.parametrize(
    "flags,error,message",
    [
        (
            ["--suite", "layout", "--data", "rooms", "--arms", "paper"],
            ValueError,
            "no arm .'paper'.; it has none, both",
        ),
        (["--suite", "plugin", "--data", "drives"], ValueError, "for rooms or ptv3-rooms alone, not drives"),
        (["--suite", "scr", "--data", "mosd", "--data-root", "nowhere"], FileNotFoundError, "found 'nowhere'"),
    ],
)
def test_unusable_requests_are_named(flags, error, message, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["ablate.py", *flags])
    with pytest.raises(error, match=message):
        command.arguments()


def test_failed_runs_end_in_a_line(tmp_path, monkeypatch):
    flags = ["--suite", "layout", "--data", "rooms", "--arms", "none", "--output", str(tmp_path)]

    def broken(run):
        raise RuntimeError(f"{run.folder.name}: pretrain failed")

    monkeypatch.setattr(sys, "argv", ["ablate.py", *flags])
    monkeypatch.setattr(Run, "advance", broken)
    with pytest.raises(SystemExit, match="^error: 3 of 3 runs failed; the same command tries them again$"):
        command.main()
