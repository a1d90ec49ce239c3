"""The tables of the READMEs are those of their rows, each stands once, and the overview says what the ladders say."""

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
    assert files == {"rooms", "drives", "mosd", "label_free"}
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
    assert len(lines) == 6
    for (data, (_, probe)), pair in zip(results_page.OVERVIEW.items(), (lines[:2], lines[2:4], lines[4:]), strict=True):
        columns = (probe, "raw_pointins_map")
        ladder = {row[0]: row[2:] for row in map(cells, results_page.ladder(data, columns).splitlines()[2:])}
        for column, (_, without, with_branch, difference, best, _) in enumerate(pair):
            assert (without, with_branch) == (ladder["none"][column], ladder["both"][column])
            assert difference == ladder["both - none"][column]
            assert (best == "") == (column == 0)
        rivals = [float(ladder[name][1]) for name in results_page.GEOMETRIC]
        assert float(pair[1][4].split()[0]) == max(rivals)


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
