"""Where the shipped configs differ from Pointcept's published ones, and why: the table of configs/pointins/README.md.

    POINTCEPT_ROOT=... python tools/config_deviations.py [--check]

Trees are compared key by key as Pointcept understands them: what a config leaves out has the default of the class it is
for. Every difference needs a line in REASONS; one without, and a line that nothing needs, is an error.
"""

import argparse
import difflib
import inspect
import math
import re
from fnmatch import fnmatchcase
from itertools import product

from pointins_ext import CONFIGS, host
from pointins_ext.embedded.config import Config
from pointins_ext.errors import UserError, exit_on_user_error
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
        for (task, group), data, (ours, theirs) in product((("semseg", ""), ("insseg", "-pg")), DATA, PROTOCOLS.items())
    },
    **{
        f"{task}-ptv3-scannet-enc48{ours}": f"sonata/{task}-sonata-v1m1-0{theirs.format('scannet' + group)}"
        for (task, group), (ours, theirs) in product((("semseg", ""), ("insseg", "-pg")), PROTOCOLS.items())
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
ABSENT = "-"
WIDTH = "follows from the network's width"
BLOCKS = "the same rule: a rate for each block, of a network of 14 blocks for 24"
RATE = "follows batch_size by its square root"
# configs (a pattern), keys (patterns) -> why they differ
REASONS = {
    ("*", "model.backbone.enc_*"): "the paper's PTv3 of 39 M parameters, not Sonata's of 108 M",
    ("*", "model.head_in_channels model.backbone_out_channels"): WIDTH,
    ("pretrain-*", "param_dicts scheduler.max_lr"): BLOCKS,
    ("pretrain-*", "model.teacher_custom.attn_drop model.teacher_custom.proj_drop"): "0 in the student, too",
    ("*-lin", "model.backbone.dec_*"): "not used: linear probes have no decoder",
    ("*", "num_worker"): "a matter of the machine, not of the result",
    ("*", "enable_wandb wandb_*"): "TensorBoard alone: W&B wants an account",
    ("pretrain-*", "*.ElasticDistortion"): "offsets can be turned back through affine maps alone",
    ("pretrain-*", "*.Collect.keys"): "colors are in the features already, and nothing else reads them",
    ("pretrain-*", "hooks.ODRHook hooks.SCRHook hooks.OffsetMonitor"): "the offset branch",
    ("pretrain-*", "hooks.CheckpointSaver.save_freq"): "the last checkpoint alone; twenty of them fill a disk",
    ("pretrain-*", "test"): "a pretraining has nothing to test",
    ("*-indoor", "epoch"): "the paper has three of the six data sets",
    ("*-indoor", "data.train.datasets.*"): (
        "the paper has three of the six data sets; none with the split that is reported on, which all_splits=True adds"
    ),
    ("pretrain-*-scannet", "epoch"): "one of the six data sets, seen more often",
    ("pretrain-*-scannet", "data.train.type data.train.data_root data.train.split data.train.datasets"): (
        "one of the six data sets, without the splits that are reported on, which all_splits=True adds"
    ),
    ("*seg-*", "*.transform.CheckLabels"): "a label of no class is named before it becomes a crash on the GPU",
    ("*seg-*", "data.train.transform.Collect.keys"): "the name of the scene, for messages",
    (
        "*semseg-*",
        "data.val.transform.Copy.keys_dict.coord data.val.transform.GridSample.return_inverse "
        "data.val.transform.Collect.keys data.val.transform.Collect.offset_keys_dict",
    ): "our evaluators score all points, each by its nearest voxel, whatever the task and the batch",
    ("*seg-*", "hooks.PreciseEvaluator"): "a run ends with its training; tools/test.sh tests",
    ("*seg-*", "test.verbose"): "ours have no such option",
    (
        "semseg-ptv3-nuscenes",
        "model.backbone.type model.backbone.traceable model.backbone.mask_token model.backbone.freeze_encoder "
        "model.backbone.pdnorm_* model.backbone.dec_*",
    ): "the network that is pretrained, with the decoder of Sonata's probes",
    ("semseg-ptv3-nuscenes", "hooks.CheckpointLoader.*"): "from the weights of a pretraining; theirs is from scratch",
    ("semseg-ptv3-nuscenes", "hooks.ModelHook"): "a segmentor has no schedules of its own",
    ("semseg-ptv3-nuscenes", "clip_grad"): "as Sonata's semantic fine-tuning; theirs is from scratch",
    ("semseg-ptv3-nuscenes", "batch_size"): "8 GPUs can share 16 and not 12",
    ("semseg-ptv3-nuscenes", "optimizer.lr scheduler.max_lr param_dicts"): RATE,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--check", action="store_true", help="write nothing; an error where the README is not up to date"
    )
    args = parser.parse_args()
    text = README.read_text(encoding="utf-8")
    updated = with_table(text, table(deviations()))
    if args.check and updated != text:
        raise UserError(f"{README} is not up to date; run python tools/config_deviations.py")
    if not args.check:
        write_text(README, updated)


def with_table(text, rows) -> str:
    """The README with other rows between its markers."""
    before, _, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        raise UserError(f"{README} lacks the markers {BEGIN} and {END}")
    return f"{before}{BEGIN}\n{rows}\n{END}{after}"


def table(found) -> str:
    """Markdown: a row for every line of REASONS.

    ValueError for a difference without a reason, and for a reason without a difference.
    """
    rows, used = {}, set()
    for (key, theirs, ours), names in found.items():
        for name in names:
            line = reason_line(name, key)
            if line is None:
                raise UserError(f"{name}: {key} is {ours}, published is {theirs}; follow it, or add why to REASONS")
            used.add(line)
            rows.setdefault(line, {})[f"`{key}`: {theirs} → {ours}"] = None
    unused = [line for line in REASONS if line not in used]
    if unused:
        raise UserError(f"REASONS has lines that nothing needs: {unused}")
    lines = ["| configs | key: published → shipped | why |", "| --- | --- | --- |"]
    lines += [f"| `{line[0]}` | {'<br>'.join(keys)} | {REASONS[line]} |" for line, keys in rows.items()]
    return "\n".join(lines)


def reason_line(name, key):
    """First line of REASONS for a key of a config, or None."""
    for configs, keys in REASONS:
        if fnmatchcase(name, configs) and any(fnmatchcase(key, pattern) for pattern in keys.split()):
            return configs, keys
    return None


def deviations() -> dict:
    """(key, published value, shipped value) -> names of the shipped configs where they differ so."""
    if host.NAME != "pointcept":
        raise UserError(f"the published configs are Pointcept's, and the host is {host.NAME}: {host.REASON}")
    found = {}
    for ours, theirs in PAIRS.items():
        shipped = tree(CONFIGS / "pointins" / f"{ours}.py")
        published = tree(locate.pointcept_root() / "configs" / f"{theirs}.py")
        for difference in compare(published, shipped):
            found.setdefault(difference, []).append(ours)
    return found


def tree(path) -> dict:
    """What a run takes from a config: no variables of the file, no wrapper of PointINS, one pipeline of all data."""
    runtime = Config.fromfile(locate.pointcept_root() / "configs" / "_base_" / "default_runtime.py")
    cfg = Config.fromfile(path).to_dict()
    if cfg["model"]["type"] == "PointINS-v1m1":
        cfg["model"] = cfg["model"]["pretrainer"]
    train = cfg["data"]["train"]
    pipelines = [part.pop("transform") for part in train.get("datasets", []) if "transform" in part]
    if pipelines:
        assert all(pipeline == pipelines[0] for pipeline in pipelines), f"{path}: pipelines differ"
        train["transform"] = pipelines[0]
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
    if name == "keys":  # of Collect, where their order means nothing
        values = [sorted(value) for value in values]
    return compare(*values, path)


def compare_components(theirs, ours, key):
    """Lists of components, matched by their types in order."""
    kinds = [[node["type"] for node in theirs], [SAME_PLACE.get(node["type"], node["type"]) for node in ours]]
    found = []
    for tag, i, i_end, j, j_end in difflib.SequenceMatcher(None, *kinds, autojunk=False).get_opcodes():
        left, right = theirs[i:i_end], ours[j:j_end]
        pairs = zip(left, right, strict=True)
        if tag != "equal":
            pairs = [*((node, ABSENT) for node in left), *((ABSENT, node) for node in right)]
        for published, shipped in pairs:
            kind = (shipped if published == ABSENT else published)["type"]
            found += compare(published, shipped, f"{key}.{kind}")
    return found


def default(kind, name):
    """Default of a constructor's argument, also of those that a class hands on to its bases; or ABSENT."""
    registries = (host.MODELS, host.HOOKS, host.DATASETS, host.TRANSFORMS, host.TESTERS, host.TRAINERS)
    cls = next((registry.get(kind) for registry in registries if kind and registry.get(kind)), object)
    for base in cls.__mro__:
        parameter = inspect.signature(base.__init__).parameters.get(name)
        if parameter is not None and parameter.default is not parameter.empty:
            return parameter.default
    return ABSENT


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


def shown(value) -> str:
    """A value in a cell of the table; long ones by their kind."""
    if isinstance(value, dict):
        return "there"
    if isinstance(value, (list, tuple)) and len(str(value)) > 60:
        return f"{len(value)} items"
    return re.sub(r"\d\.\d{5,}", lambda number: f"{float(number[0]):.4g}", str(value)) or "''"


if __name__ == "__main__":
    exit_on_user_error(main)
