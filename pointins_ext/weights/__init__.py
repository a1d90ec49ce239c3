"""The weights that the package ships, "indoor" and "outdoor": where they are, their cards, and which suits a scan."""

import os
from pathlib import Path

NAMES = ("indoor", "outdoor")
WIDE = 20.0  # meters; no room is so large, and a sweep of a street is larger


def located(weight):
    """The file that one of NAMES stands for; any other `weight`, and a file of that name, as it is."""
    if os.fspath(weight) in NAMES and not os.path.isfile(weight):
        return Path(__file__).with_name(f"{weight}.safetensors")
    return weight


def card(name: str) -> str:
    """What the weights `name` were trained on, where they work, and where they fail, as Markdown."""
    lines = Path(__file__).with_name(f"{name}.md").read_text(encoding="utf-8").splitlines()
    return "\n".join(line for line in lines if not line.startswith("<!--"))


def fitting(scene: dict) -> tuple[str, str]:
    """The name of NAMES that suits a scan, and why: outdoor where it has no colors and is wider than any room.

    scene: `coord` (N,3) in meters; `color` where there is one.
    """
    coord = scene["coord"]
    wide = float((coord.max(axis=0) - coord.min(axis=0)).max())
    if scene.get("color") is not None:
        return "indoor", "the scan has colors"
    if wide > WIDE:
        return "outdoor", f"the scan has no colors and is {wide:.0f} m wide"
    return "indoor", f"the scan is {wide:.3g} m wide"
