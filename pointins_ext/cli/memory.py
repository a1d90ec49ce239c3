"""`pointins doctor --config`: the memory of a GPU that a training config needs, from steps on a few points.

What a forward pass keeps for its backward pass grows by a line with the points; weights, gradients and the optimizer's
moments come on top. The points are a procedural room's or street's, so no data set is needed.
"""

import math
import sys
from types import SimpleNamespace
from typing import NamedTuple

import torch

from pointins_ext.cli.experiments import find_config
from pointins_ext.cli.request import check_config, configured
from pointins_ext.embedded.env import set_seed
from pointins_ext.engine.step import AMP_DTYPE, to_device
from pointins_ext.host.request import reader

SIZES = (8000, 24000)  # points of a scene in all its views: large beside a patch of attention
SWEEP, SCENE = 35_000, 120_000  # voxels of a usual sweep of 32 beams, and of a usual one of 64, or a room
CARD = 80  # GiB, of the usual GPU
HEADROOM = 1.3  # times what is kept: what a step holds for a moment beside it, 4 to 27 % of it, and gaps
CONTEXT = 2**30  # bytes that CUDA takes for itself
VIEWS = ("MultiViewGenerator", "GlobalViewGenerator")


class Need(NamedTuple):
    """What one GPU holds in a step: bytes of weights and all that goes with each, bytes a point, points a scene."""

    parameters: int
    fixed: int
    per_point: float
    points: int
    bounded: bool

    def total(self, scenes):
        """Bytes for so many scenes on the GPU."""
        return CONTEXT + self.fixed + self.per_scene * scenes

    @property
    def per_scene(self):
        return HEADROOM * self.per_point * self.points


def report(name, gpus=None):
    """Print what the config `name` needs on each of `gpus` GPUs, by default all that are found, else one.

    UserError for a batch that they cannot share.
    """
    found = torch.cuda.device_count()
    gpus = gpus or max(found, 1)
    cfg = read(name, gpus)
    print("two forward passes on a few points: up to a minute on a CPU ...", file=sys.stderr, flush=True)
    need = measure(cfg, distributed=gpus > 1)
    scenes = cfg.batch_size // gpus
    card = torch.cuda.get_device_properties(0).total_memory / 2**30 if found else CARD
    print("\n".join(lines(name, cfg.batch_size, gpus, need, scenes, card)))


def read(name, gpus):
    """Config of `name` or a path, as a run of it on `gpus` GPUs would get it."""
    request = SimpleNamespace(config_file=str(find_config(name)[0]), options={}, extend=None)
    cfg = configured(reader().read_config, request)
    check_config(cfg, SimpleNamespace(num_gpus=gpus, num_machines=1))
    return cfg


def lines(name, batch, gpus, need, scenes, card):
    """What is said of a `need`: the batch, the memory, and the batch that a GPU of `card` GiB takes."""
    total = need.total(scenes) / 2**30
    most = "at most" if need.bounded else "usually"
    cards = f"{gpus} GPU{'s' * (gpus > 1)}"
    yield f"{name}: {batch} scenes a step, {scenes} on each of {cards}, of {most} {need.points:,} points"
    yield (
        f"{total:.1f} GiB on each: {need.fixed / 2**30:.1f} for {need.parameters / 1e6:.0f} M parameters, and "
        f"{need.per_scene * scenes / 2**30:.1f} for the points, {need.per_point / 1000:.1f} kB each and 30 % more"
    )
    fitting = largest_batch(need, card)
    if fitting >= scenes:
        yield f"A GPU of {card:.0f} GiB takes it, and up to {fitting} scenes"
    elif fitting:
        steps = math.ceil(scenes / fitting)
        yield (
            f"A GPU of {card:.0f} GiB takes {fitting} scenes: {math.ceil(batch / fitting)} GPUs, or "
            f"-- batch_size={max(batch // steps // gpus, 1) * gpus} gradient_accumulation_steps={steps}"
        )
    else:
        yield f"A GPU of {card:.0f} GiB takes not even one scene: lower max_size of its views, or point_max of its crop"


def largest_batch(need, card):
    """How many scenes fit on a GPU of `card` GiB; 0 for none."""
    return max(int((card * 2**30 - need.total(0)) / need.per_scene), 0)


def measure(cfg, distributed=False):
    """`Need` of a config, measured on a GPU if there is one; `distributed`: several processes share the gradients."""
    from pointins_ext import plugin  # noqa: F401  here, once it is known that the request is sound
    from pointins_ext.host import build_model
    from pointins_ext.host.flash import disable_flash, has_flash

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if not has_flash(device):
        disable_flash(cfg.model)
    model = build_model(cfg.model).to(device).train()
    dtype = AMP_DTYPE[cfg.amp_dtype] if cfg.get("enable_amp") else None
    points, memory = zip(*[kept(model, few_points(cfg, size), dtype, device) for size in SIZES], strict=True)
    per_point = (memory[1] - memory[0]) / (points[1] - points[0])
    trained = sum(p.nbytes for p in model.parameters() if p.requires_grad)
    held = sum(tensor.nbytes for tensor in (*model.parameters(), *model.buffers()))
    copies = 1 + (2 if cfg.optimizer.type.startswith("Adam") else 1) + distributed  # gradients, moments, buckets
    return Need(
        parameters=sum(p.numel() for p in model.parameters()),
        # what is left of a step without points are the copies of the weights in half precision
        fixed=round(held + copies * trained + max(memory[0] - per_point * points[0], 0)),
        per_point=per_point,
        **points_of_a_scene(cfg),
    )


def kept(model, batch, dtype, device):
    """(points, bytes): what a forward pass keeps for its backward pass."""
    points = sum(len(value) for name, value in batch.items() if name in ("coord", "global_coord", "local_coord"))
    weights = {p.untyped_storage().data_ptr() for p in model.parameters()}
    storages = {}

    def keep(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            storages[storage.data_ptr()] = storage.nbytes()
        return tensor

    batch = to_device(batch, device)
    with (
        torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor),
        torch.autocast(device.type, dtype=dtype or torch.bfloat16, enabled=dtype is not None),
    ):
        result = model(batch)
    del result
    return points, sum(storages.values())


def few_points(cfg, size):
    """A batch of one procedural scene through the config's pipeline, with at most `size` points in all its views."""
    from pointins_ext.host import build_dataset, point_collate_fn

    transform = [dict(item) for item in pipeline(cfg)]
    bounds = shares(cfg)
    for i, (key, share) in bounds.items():
        transform[i][key] = round(size / share)
    if not bounds:
        last = max(i for i, item in enumerate(transform) if item["type"] == "GridSample")
        transform.insert(last + 1, dict(type="SphereCrop", point_max=size))
    for item in transform:
        if item["type"] == "ClusterBoxes":
            item["cache_dir"] = None
    set_seed(0)  # the same views at every call
    return point_collate_fn([build_dataset(scene(cfg, transform))[0]])


def scene(cfg, transform):
    """A dataset of one procedural room, or of one sweep where the config reads the strength of reflections."""
    reads_strength = "strength" in str(cfg.data.train)
    kind = "SyntheticDrivesDataset" if reads_strength else "SyntheticRoomsDataset"
    return dict(type=kind, num_scenes=1, split="train", transform=transform)


def pipeline(cfg):
    """The training transforms: of a mix of data sets those of the first."""
    train = cfg.data.train
    return train["transform"] if train.get("transform") else train["datasets"][0]["transform"]


def shares(cfg):
    """Index of each transform that bounds the points -> (its key, points of all views over that bound)."""
    found = {}
    for i, item in enumerate(pipeline(cfg)):
        if item["type"] in VIEWS:
            views = [(item.get(f"{kind}_view_num", 0), item.get(f"{kind}_view_scale")) for kind in ("global", "local")]
            found[i] = "max_size", sum(number * scale[1] for number, scale in views if number)
        elif item["type"] == "SphereCrop" and item.get("sample_rate") is None:
            found[i] = "point_max", 1
    return found


def points_of_a_scene(cfg):
    """Points in all views of a scene: `bounded` by the config, or those of a usual one, which are fewer."""
    usual = SWEEP if "NuScenes" in cfg.data.train.type else SCENE
    points, bounded = usual, False
    for i, (key, share) in shares(cfg).items():
        bound = pipeline(cfg)[i][key]
        points, bounded = round(share * min(bound, usual)), bound <= usual
    return dict(points=points, bounded=bounded)
