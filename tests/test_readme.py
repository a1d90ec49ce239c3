"""The READMEs: their size, links and code map are right, nothing stands in two of them, the worked examples run."""

import re
from itertools import combinations
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from pointins_ext.host import HOOKS, build_dataset
from tests.fixtures.tiny_pointins import backbone_config, batch, build, pointins_config

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "pointins_ext"
PAGES = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for path in (ROOT / name / "README.md" for name in (".", "configs/pointins", "pointins_ext", "tests", "tools"))
}
PAGES["tools/results/README.md"] = (ROOT / "tools/results/README.md").read_text(encoding="utf-8")
CODE = PAGES["pointins_ext/README.md"]
EXAMPLES = re.findall(r"```python\n(.*?)```", CODE.split("## Adding to it")[1].split("\n## ")[0], re.DOTALL)


def without_code(page: str) -> str:
    return re.sub(r"```.*?```", "", page, flags=re.DOTALL)


# -- the pages ------------------------------------------------------------------------------------------------------


def test_every_readme_is_covered():
    folders = ("configs", "pointins_ext", "tests", "tools")
    found = {str(path.relative_to(ROOT)) for name in folders for path in (ROOT / name).rglob("README.md")}
    assert {"README.md", *found} == set(PAGES)


def test_the_first_page_is_short():
    lines = PAGES["README.md"].splitlines()
    assert len(lines) <= 150
    assert next(i for i, line in enumerate(lines) if line == "## In Pointcept") < 50
    for name, page in PAGES.items():
        long = [line for line in page.splitlines() if len(line) > 140 and not line.startswith("|")]
        assert not long, f"{name}: {long}"


def anchors(page: str) -> set[str]:
    """Of its headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.*)$", without_code(page), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("name", PAGES)
def test_every_relative_link_leads_somewhere(name):
    links = [link for link in re.findall(r"\]\(([^)]+)\)", without_code(PAGES[name])) if "://" not in link]
    for link in links:
        path, _, anchor = link.partition("#")
        target = (ROOT / name).parent / path if path else ROOT / name
        assert target.exists(), f"{name} links to {link}"
        if anchor:
            assert anchor in anchors(target.read_text(encoding="utf-8")), f"{name} links to {link}"


def test_the_first_page_links_to_all_others():
    for name in set(PAGES) - {"README.md"}:
        assert f"]({name})" in PAGES["README.md"], name


def test_nothing_stands_twice():
    """Sentences and table rows of some length, whatever the line breaks."""
    said = {}
    for name, page in PAGES.items():
        rows = [line for line in page.splitlines() if line.startswith("|")]
        prose = re.sub(r"^\|.*$", "", without_code(page), flags=re.MULTILINE)
        sentences = re.split(r"(?<=[.:;])\s", " ".join(prose.split()))
        said[name] = {part for part in rows + sentences if len(part) > 60 and set(part) - set("| -")}
    for a, b in combinations(PAGES, 2):
        assert not said[a] & said[b], f"{a} and {b}"


# -- the code map ---------------------------------------------------------------------------------------------------


def mapped() -> list[str]:
    """What the code map names, below the package: `room/`, `room/module` and `module.py`."""
    names, room = [], ""
    for line in CODE.split("```\n")[1].splitlines():
        if line.startswith("  "):
            names += [f"{room}{name}" for name in re.split(r",? +", line.split("  ")[1].strip()) if name]
        elif match := re.match(r"\w+/", line):
            room = match[0]
            names.append(room)
        else:
            names += re.findall(r"\w+\.py", line)
    return names


def test_the_code_map_is_short_and_names_what_is_there():
    assert len(CODE.split("```\n")[1].splitlines()) <= 40
    assert len(mapped()) > 30
    missing = [name for name in mapped() if not ((PACKAGE / name).exists() or (PACKAGE / f"{name}.py").exists())]
    assert not missing, f"the code map names {missing}"


def test_the_code_map_has_every_room():
    rooms = {f"{path.parent.name}/" for path in PACKAGE.glob("*/__init__.py")}
    assert rooms <= set(mapped()), rooms - set(mapped())


# -- the examples ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def examples():
    """What the blocks define; a name can be registered only once."""
    names = dict(__name__="readme")
    for code in EXAMPLES:
        exec(compile(code, "README.md", "exec"), names)
    return names


def test_there_are_three_examples_of_some_twenty_lines():
    assert len(EXAMPLES) == 3
    assert all(10 < len([line for line in code.splitlines() if line.strip()]) < 32 for code in EXAMPLES)


def test_the_regularizer_shortens_the_targets(examples):
    model = build(pointins_config())
    hook = HOOKS.build(dict(type="ShortenHook", limit=0.004))
    hook.trainer = SimpleNamespace(model=model)
    hook.before_train()
    model(batch())["loss"].backward()
    before, after = (field.offset.norm(dim=1) for field in (model.teacher_field, model.target_field))
    assert before.max() > 0.004 and after.max() <= 0.004 * (1 + 1e-5)
    torch.testing.assert_close(after, before.clamp(max=0.004), atol=1e-5, rtol=1e-4)


def test_the_pretrainer_learns_inside_pointins(examples):
    model = build(
        pointins_config(dict(type="Denoise-v1m1", backbone=backbone_config(), head_in_channels=32, up_cast_level=1))
    )
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-3)
    teacher = [p.clone() for p in model.teacher.parameters()]
    for _ in range(2):
        optimizer.zero_grad()
        result = model(batch())
        result["loss"].backward()
        optimizer.step()
        model.after_step()
    assert torch.isfinite(result["loss"]) and result["offset_loss"] > 0 and result["offset_matched"] > 0.5
    assert any(not torch.equal(a, b) for a, b in zip(teacher, model.teacher.parameters(), strict=True))


def test_the_dataset_reads_its_files(examples, tmp_path):
    table = np.random.default_rng(0).uniform(0, 9, (50, 6)).astype(np.float32)
    (tmp_path / "train").mkdir()
    np.savetxt(tmp_path / "train/hall.txt", table)
    collect = [dict(type="ToTensor"), dict(type="Collect", keys=("coord", "name"), feat_keys=("color",))]
    dataset = build_dataset(dict(type="TextScans", data_root=str(tmp_path), split="train", transform=collect))
    sample = dataset[0]
    np.testing.assert_allclose(sample["coord"], table[:, :3])
    np.testing.assert_allclose(sample["feat"], table[:, 3:])
    assert sample["name"] == "hall" and len(dataset) == 1
