"""The tables of the READMEs are those of their rows, each stands once, and the overview says what the ladders say."""

import itertools
import json
import re
import sys
from pathlib import Path

import pytest

import results_page
from pointins_ext.errors import UserError

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("path", results_page.PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_page_is_up_to_date(path):
    page = path.read_text(encoding="utf-8")
    assert results_page.with_tables(page) == page, "run python tools/results_page.py"


def test_every_table_stands_once_and_every_file_of_rows_is_shown():
    pages = "".join(path.read_text(encoding="utf-8") for path in results_page.PAGES)
    assert sorted(name for _, name, _ in results_page.MARKED.findall(pages)) == sorted(results_page.TABLES)
    files = {path.stem for path in (ROOT / "tools/results").glob("*.json")}
    ladders = {"rooms", "rooms_varied", "drives", "mosd", "mosd_default"}
    assert files == ladders | {"label_free", "rule", "channels", "targets", "weights", "finetuning"}
    for name in files:
        assert f"({name}.json)" in pages


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip()[1:-1].split("|")]


def test_a_changed_row_changes_the_page(monkeypatch):
    """Each score of each method, seed and data set stands in its table, rounded."""
    runs = json.loads((ROOT / "tools/results/label_free.json").read_text(encoding="utf-8"))
    before = results_page.label_free("rooms", "val")
    runs[0]["unsupervised"]["hdbscan"]["ap50"] = 0.4321
    monkeypatch.setattr(results_page, "stored", lambda name: runs)
    changed = [
        (cells(old), cells(new))
        for old, new in zip(before.splitlines(), results_page.label_free("rooms", "val").splitlines(), strict=True)
        if old != new
    ]
    ((old, new),) = changed
    assert new[:3] == ["HDBSCAN", "0", "43.2"] and old[3:] == new[3:] and old[2] != "43.2"


def test_the_overview_agrees_with_the_ladders():
    lines = [cells(line) for line in results_page.overview().splitlines()[2:]]
    probes = lines[2 * len(results_page.LABEL_FREE) :]
    for (data, (_, probe, arm)), line in zip(results_page.PROBES.items(), probes, strict=True):
        ladder = {row[0]: row[2] for row in map(cells, results_page.ladder(data, (probe,)).splitlines()[2:])}
        assert line[2:] == [ladder["none"], ladder[arm], ladder[f"{arm} - none"]]


def test_the_overview_says_what_the_shipped_weights_reach():
    lines = [cells(line) for line in results_page.overview().splitlines()[2:]]
    pairs = itertools.product(results_page.LABEL_FREE, ("ap50", "map"))
    for (key, score), (_, _, best, own, difference) in zip(pairs, lines, strict=False):
        row = results_page.stored("weights")[key][score]
        assert float(best) == pytest.approx(row["rival_value"], abs=0.06)
        assert float(own) == pytest.approx(row["value"], abs=0.06)
        assert float(difference.split(" ")[0]) == pytest.approx(float(own) - float(best), abs=0.11)


def test_the_rivals_of_the_shipped_weights_are_those_of_the_rows_of_all_methods():
    """Their parameters and scenes are the same, and none but k-means needs a network."""
    for data in ("rooms", "mosd", "pandaset", "drives"):
        weight = "outdoor" if data in ("pandaset", "drives") else "indoor"
        entry = results_page.stored("weights")[f"{weight}/{data}"]
        run = next(
            r for r in results_page.stored("label_free") if (r["data"], r["split"], r["seed"]) == (data, "val", 0)
        )
        assert entry["objects"] == run["unsupervised"]["hdbscan"]["num_objects"]
        for score in ("ap50", "map"):
            tables = run["unsupervised"], run["unsupervised_with_planes"]
            best = max(100 * table[name][score] for table in tables for name in ("hdbscan", "components"))
            assert entry[score]["rival_value"] >= best - 0.01


def test_an_unknown_table_and_a_lost_marker_are_named():
    with pytest.raises(UserError, match="no table 'ladders'; there are overview, "):
        results_page.with_tables("<!-- table: ladders -->\n<!-- end of table -->")
    with pytest.raises(UserError, match="lacks its second marker"):
        results_page.with_tables("<!-- table: overview -->\nrows")


def test_text_around_a_table_stays():
    page = "before\n<!-- table: rivals -->\nold\n<!-- end of table -->\nafter\n"
    updated = results_page.with_tables(page)
    assert updated.startswith("before\n<!-- table: rivals -->\n| data |") and updated.endswith(
        "\n<!-- end of table -->\nafter\n"
    )
    assert "old" not in updated and results_page.with_tables(updated) == updated


def test_check_fails_on_an_old_page_and_writes_nothing(tmp_path, monkeypatch):
    page = tmp_path / "README.md"
    page.write_text("<!-- table: rivals -->\nold\n<!-- end of table -->\n")
    monkeypatch.setattr(results_page, "PAGES", (page,))
    monkeypatch.setattr(sys, "argv", ["results_page.py", "--check"])
    with pytest.raises(UserError, match=re.escape(f"{page} is out of date; run")):
        results_page.main()
    assert "old" in page.read_text()
    monkeypatch.setattr(sys, "argv", ["results_page.py"])
    results_page.main()
    monkeypatch.setattr(sys, "argv", ["results_page.py", "--check"])
    results_page.main()
