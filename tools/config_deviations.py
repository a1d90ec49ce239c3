"""Where the shipped configs differ from Pointcept's published ones, and why: the table of configs/pointins/README.md.

    POINTCEPT_ROOT=... python tools/config_deviations.py [--check]

Trees are compared key by key as Pointcept understands them: what a config leaves out has the default of the class it is
for. Every difference needs a line in REASONS; one without, and a line that nothing needs, is an error.
"""

import argparse
import difflib
import inspect
import math
from fnmatch import fnmatchcase
from itertools import product
from pathlib import Path

from pointins_ext import CONFIGS, host
from pointins_ext.embedded.config import Config
from pointins_ext.errors import exit_on_user_error
from pointins_ext.files import write_text
from pointins_ext.host import locate

README = CONFIGS / "pointins" / "README.md"
BEGIN, END = "<!-- deviations: tools/config_deviations.py writes what follows -->", "<!-- end of deviations -->"

DATA = dict(scannet=0, scannet200=1, s3dis=3)  # data set -> its number among Sonata's configs
PROTOCOLS = {"-lin": "a-{}-lin", "-dec": "b-{}-dec", "": "c-{}-ft"}
LIMITED = ("la20", "la50", "la100", "la200", "lr1", "lr5", "lr10", "lr20")
# shipped config -> published config
PAIRS = {
    **{f"pretrain-sonata-ptv3-{data}": "sonata/pretrain-sonata-v1m1-0-base" for data in ("scannet", "indoor")},
    **{
        f"{task}-ptv3-{data}{ours}": f"sonata/{task}-sonata-v1m1-{DATA[data]}{theirs.format(data + group)}"
        for (task, group), data, (ours, theirs) in product(
            (("semseg", ""), ("insseg", "-pg")), DATA, PROTOCOLS.items()
        )
    },
    **{
        f"label_efficiency/semseg-ptv3-scannet-{name}": f"sonata/semseg-sonata-v1m1-0e{i}-scannet-ft-{name}"
        for i, name in enumerate(LIMITED)
    },
    "semseg-ptv3-nuscenes": "nuscenes/semseg-pt-v3m1-0-base",
}
# ours -> the class of Pointcept whose place it takes
SAME_PLACE = dict(
    WeightLoader="CheckpointLoader",
    SemanticEvaluator="SemSegEvaluator",
    InstanceEvaluator="InsSegEvaluator",
    SemanticTester="SemSegTester",
    InstanceTester="InsSegTester",
    PointINSTrainer="DefaultTrainer",
    MixedDataset="ConcatDataset",
)
REASONS = []
ABSENT = "-"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; fail where the README is not up to date")
    args = parser.parse_args()
    for key, value in sorted(deviations().items(), key=str):
        print(key, value)


def deviations() -> dict:
    """(key, published value, shipped value) -> names of the shipped configs where they differ so."""
    if host.NAME != "pointcept":
        raise ValueError(f"the published configs are Pointcept's, and the host is {host.NAME}: {host.REASON}")
    found = {}
    for ours, theirs in PAIRS.items():
        shipped = tree(CONFIGS / "pointins" / f"{ours}.py")
        published = tree(locate.pointcept_root() / "configs" / f"{theirs}.py")
        for difference in compare(published, shipped):
            found.setdefault(difference, []).append(ours)
    return found


def tree(path) -> dict:
    """What a run takes from a config; without the variables that only its file uses, and without PointINS' wrapper."""
    runtime = Config.fromfile(locate.pointcept_root() / "configs" / "_base_" / "default_runtime.py")
    cfg = Config.fromfile(path).to_dict()
    if cfg["model"]["type"] == "PointINS-v1m1":
        cfg["model"] = cfg["model"]["pretrainer"]
    keys = (*runtime, "model", "data", "optimizer", "scheduler")
    return {key: cfg[key] for key in keys if key in cfg}


def compare(theirs, ours, key="") -> list[tuple[str, str, str]]:
    """Differences below `key`, as (key, published value, shipped value)."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        return [d for name in merged_keys(theirs, ours) for d in compare_item(theirs, ours, name, key)]
    if is_components(theirs) and is_components(ours):
        return compare_components(theirs, ours, key)
    return [] if same(theirs, ours) else [(key, shown(theirs), shown(ours))]


def compare_item(theirs, ours, name, key):
    path = f"{key}.{name}" if key else name
    if name == "type":
        return [] if SAME_PLACE.get(ours[name], ours[name]) == theirs[name] else [(path, theirs[name], ours[name])]
    values = [node.get(name, default(node.get("type"), name)) for node in (theirs, ours)]
    return compare(*values, path)


def compare_components(theirs, ours, key):
    """Lists of components, matched by their types in order."""
    kinds = [[node["type"] for node in theirs], [SAME_PLACE.get(node["type"], node["type"]) for node in ours]]
    found = []
    for tag, i, i_end, j, j_end in difflib.SequenceMatcher(None, *kinds, autojunk=False).get_opcodes():
        if tag == "equal":
            for left, right in zip(theirs[i:i_end], ours[j:j_end], strict=True):
                found += compare(left, right, f"{key}.{left['type']}")
            continue
        found += [(f"{key}.{node['type']}", shown(node), ABSENT) for node in theirs[i:i_end]]
        found += [(f"{key}.{node['type']}", ABSENT, shown(node)) for node in ours[j:j_end]]
    return found


def default(kind, name):
    """Default of a constructor's argument, or ABSENT."""
    registries = (host.MODELS, host.HOOKS, host.DATASETS, host.TRANSFORMS, host.TESTERS, host.TRAINERS)
    cls = next((registry.get(kind) for registry in registries if kind and registry.get(kind)), None)
    parameter = inspect.signature(cls).parameters.get(name) if cls else None
    return ABSENT if parameter is None or parameter.default is parameter.empty else parameter.default


def merged_keys(theirs, ours):
    return [*theirs, *(name for name in ours if name not in theirs)]


def is_components(value):
    return isinstance(value, (list, tuple)) and all(isinstance(item, dict) and "type" in item for item in value)


def same(left, right):
    """Equal, numbers up to rounding; a tuple is a list."""
    if isinstance(left, (list, tuple)) and isinstance(right, (list, tuple)):
        return len(left) == len(right) and all(map(same, left, right))
    numbers = all(isinstance(value, (int, float)) for value in (left, right))
    return math.isclose(left, right, rel_tol=1e-9) if numbers else left == right


def shown(value):
    return str(value)


if __name__ == "__main__":
    exit_on_user_error(main)
