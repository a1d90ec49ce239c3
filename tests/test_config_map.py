"""The map of configs/pointins/README.md: it names every config once, no other, and what of them trains PointINS."""

import re
from pathlib import Path

import pytest

from pointins_ext.host import Config

FOLDER = Path(__file__).parents[1] / "configs" / "pointins"
MAP = (FOLDER / "README.md").read_text(encoding="utf-8").split("\n## ")[0]
ROWS = re.findall(r"^\| `(\S+)` \| (.*?) \| .* \|$", MAP, re.MULTILINE)
PATHS = sorted(path for path in FOLDER.rglob("*.py") if "_base_" not in path.parts)
NAMES = [path.relative_to(FOLDER).with_suffix("").as_posix() for path in PATHS]


def expand(pattern):
    """Names of a pattern: `a-{b,c}` is a-b and a-c."""
    before, brace, rest = pattern.partition("{")
    if not brace:
        return [pattern]
    choices, _, after = rest.partition("}")
    return [before + choice + tail for choice in choices.split(",") for tail in expand(after)]


LINE_OF = {name: line for pattern, line in ROWS for name in expand(pattern)}


def test_every_config_stands_in_one_line_and_every_name_of_a_line_is_a_config():
    named = [name for pattern, _ in ROWS for name in expand(pattern)]
    assert sorted(named) == sorted(NAMES)


@pytest.mark.parametrize("path,name", zip(PATHS, NAMES, strict=True), ids=NAMES)
def test_a_config_trains_pointins_if_and_only_if_the_map_says_so(path, name):
    trains = Config.fromfile(str(path)).model.type == "PointINS-v1m1"
    assert trains == ("**PointINS**" in LINE_OF[name])


@pytest.mark.parametrize("name", [name for name in NAMES if name.endswith(("-dec", "-lin"))])
def test_probes_freeze_what_the_map_says(name):
    full, probe = (Config.fromfile(str(FOLDER / f"{n}.py")) for n in (name[: -len("-dec")], name))
    frozen = dict(freeze_encoder=name.endswith("-dec"), enc_mode=name.endswith("-lin"))
    assert {key: probe.model.backbone[key] for key in frozen} == frozen
    assert probe.model.freeze_backbone == name.endswith("-lin")
    assert not any((full.model.freeze_backbone, full.model.backbone.freeze_encoder, full.model.backbone.enc_mode))
