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
    if probe.model.backbone.type == "LitePT-v1" and name.endswith("-dec"):  # it has no freeze_encoder
        still = [group["keyword"] for group in probe.param_dicts if group["lr"] == 0]
        assert still == ["backbone.embedding.", "backbone.enc."] and probe.scheduler.max_lr[1:3] == [0, 0]
        assert probe.scheduler.max_lr[::3] == full.scheduler.max_lr
        return
    frozen = dict(enc_mode=name.endswith("-lin"))
    if probe.model.backbone.type != "LitePT-v1":
        frozen |= dict(freeze_encoder=name.endswith("-dec"))
    assert {key: probe.model.backbone[key] for key in frozen} == frozen
    assert probe.model.freeze_backbone == name.endswith("-lin")
    backbone = full.model.backbone
    assert not any((full.model.freeze_backbone, backbone.get("freeze_encoder"), backbone.get("enc_mode")))
