"""`-e pointins`: any pretraining config of the host becomes a PointINS config, without editing it."""

import copy
import importlib.util
import os
import tempfile
from contextlib import contextmanager

from pointins_ext.embedded.config import Config
from pointins_ext.embedded.config_file import read_file
from pointins_ext.errors import UserError
from pointins_ext.hooks import presets

# Datasets of driving scenes: longer offsets, coarser voxels.
OUTDOOR = ("NuScenes", "SemanticKITTI", "Waymo")
# Pointcept's trainers, and those of the plug-in that do the same without a GPU, too.
TRAINERS = dict(DefaultTrainer="PointINSTrainer", PartialSampledTrainer="PointINSPartialSampledTrainer")


@contextmanager
def switched_config_file(path, options):
    """Path of a temporary config file: that of `path` with the offset branch, and `pointins_changes`, what was changed.

    Those of the `options` of the command line that name a literal variable replace it before the file runs; the others
    address the switched config. ValueError where it cannot be switched.
    """
    cfg = Config(read_file(path, options)[0], filename=os.fspath(path))
    cfg.pointins_changes = extend(cfg)
    with tempfile.TemporaryDirectory() as folder:
        switched = os.path.join(folder, os.path.basename(path))
        cfg.dump(switched)
        yield switched


def extend(cfg) -> list[str]:
    """Switch a pretraining config to PointINS in place; returns one line for every change.

    The model is wrapped, elastic distortion leaves the training views (offsets cannot be turned back through it), the
    hooks of the branch follow ModelHook, and trainer and loader become those that also run without a GPU. ValueError
    for a config that already has the branch, or whose model is no pretrainer.
    """
    return [
        *_wrap_model(cfg),
        *_remove_elastic(cfg.data.train),
        *_switch_hooks(cfg),
        *_switch_runtime(cfg),
    ]


def _wrap_model(cfg):
    kind = cfg.model.get("type")
    if kind == "PointINS-v1m1":
        raise UserError(f"{cfg.filename}: its model is PointINS-v1m1 already; leave -e pointins out")
    if "backbone_t" in cfg.model:
        raise UserError(
            f"{cfg.filename}: its model {kind!r} distills a trained model, whose offsets the branch cannot correct; "
            "pretrain that model with -e pointins, and distill it without"
        )
    if "backbone" not in cfg.model or "head_in_channels" not in cfg.model:
        raise UserError(
            f"{cfg.filename}: its model {kind!r} is no teacher-student pretrainer; -e pointins takes pretraining "
            "configs such as sonata/pretrain-sonata-v1m1-0-base"
        )
    in_channels = cfg.model["head_in_channels"]
    # the head's in_channels follow those of the pretrainer, which an option may change
    head = dict(type="OffsetHead", hidden_channels=256)
    cfg.model = dict(type="PointINS-v1m1", pretrainer=cfg.model, offset_head=head)
    yield f"model: {kind} inside PointINS-v1m1, offset head on {in_channels} channels"


def _remove_elastic(data):
    lists = list(_lists_with(data, "ElasticDistortion"))
    for transforms in lists:
        transforms[:] = [transform for transform in transforms if transform["type"] != "ElasticDistortion"]
    if lists:
        yield f"data.train: ElasticDistortion taken out of {len(lists)} lists of transforms"


def _switch_hooks(cfg):
    outdoor = [str(dataset["type"]).startswith(OUTDOOR) for dataset in _datasets(cfg.data.train)]
    kind = "outdoor" if all(outdoor) else "indoor"
    if any(outdoor) and kind == "indoor":
        yield (
            "scenes: outdoor and others, taken for indoor. That fits where the transforms bring all to one scale, as "
            "Utonia's; else set prior of ODRHook and max_length of SCRHook"
        )
    hooks = [dict(hook) for hook in cfg.hooks]
    for hook in hooks:
        if hook["type"] == "CheckpointLoader":
            hook["type"] = "WeightLoader"
            yield "hooks: WeightLoader instead of CheckpointLoader"
    types = [hook["type"] for hook in hooks]
    if "ModelHook" not in types:
        hooks.insert(types.index("WeightLoader") + 1 if "WeightLoader" in types else 0, dict(type="ModelHook"))
        yield "hooks: ModelHook added"
    place = [hook["type"] for hook in hooks].index("ModelHook") + 1
    branch = dict(ODRHook=presets.ODR, SCRHook=presets.SCR, OffsetMonitor=presets.MONITOR)
    # every option with its value, so that the experiment's config shows it
    hooks[place:place] = [dict(type=name, **copy.deepcopy(table[kind])) for name, table in branch.items()]
    cfg.hooks = hooks
    yield f"hooks: ODRHook, SCRHook and OffsetMonitor after ModelHook, for {kind} scenes"


def _switch_runtime(cfg):
    trainer = cfg.train["type"]
    if trainer in TRAINERS:
        cfg.train = dict(cfg.train, type=TRAINERS[trainer])
        yield f"train: {TRAINERS[trainer]} instead of {trainer}"
    imports = list(cfg.get("custom_imports", dict(imports=[]))["imports"])
    cfg.custom_imports = dict(imports=[*imports, "pointins_ext"], allow_failed_imports=False)
    yield "custom_imports: pointins_ext added"
    if cfg.get("enable_wandb") and importlib.util.find_spec("wandb") is None:
        cfg.enable_wandb = False
        yield "enable_wandb: off, wandb is not installed"


def _datasets(data) -> list[dict]:
    """The data set, or those that it joins."""
    return [part for joined in data["datasets"] for part in _datasets(joined)] if "datasets" in data else [data]


def _lists_with(node, kind):
    """Every list below `node` that holds a component of type `kind`."""
    children = node.values() if isinstance(node, dict) else node if isinstance(node, (list, tuple)) else ()
    if isinstance(node, list) and any(isinstance(item, dict) and item.get("type") == kind for item in node):
        yield node
    for child in children:
        yield from _lists_with(child, kind)
