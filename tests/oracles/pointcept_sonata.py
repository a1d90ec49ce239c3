"""Run the real Pointcept Sonata in a process of its own: `python pointcept_sonata.py ROOT REQUEST ANSWER`.

REQUEST is a saved list of dicts with config, state_dict, batch, seed, momentum and total_steps. ANSWER is a saved list
of dicts with shapes of the state_dict, losses, gradients by name, the teacher after one EMA step, the scheduled values
of all steps, and the features that return_point gives. The backbone is `PoolingBackbone`.
"""

import importlib
import sys
from pathlib import Path
from types import SimpleNamespace

import torch

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.oracles.pointcept_ptv3 import module  # noqa: E402
from tests.oracles.pooling_backbone import PoolingBackbone  # noqa: E402

SCHEDULED = ("mask_size", "mask_ratio", "teacher_temp", "momentum")


def segment_coo(value, index, reduce):
    reducer = {"min": lambda rows: rows.amin(0), "mean": lambda rows: rows.mean(0)}[reduce]
    return torch.stack([reducer(value[index == i]) for i in range(int(index.max()) + 1)])


def knn_query(k, support, support_offset, query, query_offset):
    assert k == 1
    group = [
        torch.repeat_interleave(offset.diff(prepend=offset.new_zeros(1)).long())
        for offset in (query_offset, support_offset)
    ]
    distance = torch.cdist(query.double(), support.double(), compute_mode="donot_use_mm_for_euclid_dist")
    distance.masked_fill_(group[0][:, None] != group[1][None], float("inf"))
    nearest, index = distance.min(1, keepdim=True)
    return index.int(), nearest.float()


def load(root):
    """Pointcept's registry of models with its Sonata classes; what they need but do not test here is put in by hand."""
    package = Path(root) / "pointcept"
    sys.modules["ocnn"] = None  # optional there
    module("torch_scatter", segment_coo=segment_coo)
    module("pointops", knn_query=knn_query)
    module("spconv", path="")
    module("spconv.pytorch")
    sys.modules["spconv"].pytorch = sys.modules["spconv.pytorch"]
    module("timm", path="")
    module("timm.layers", trunc_normal_=torch.nn.init.trunc_normal_)
    module("pointcept", path=package)
    module("pointcept.engines", path="")
    module("pointcept.engines.hooks", HookBase=type("HookBase", (), {}))
    module("pointcept.models", path=package / "models")
    module("pointcept.models.sonata", path=package / "models" / "sonata")
    for name in ("sonata_v1m1_base", "sonata_v1m2_uni_teacher_head"):
        importlib.import_module(f"pointcept.models.sonata.{name}")
    models = sys.modules["pointcept.models.builder"].MODELS
    models.register_module(module=PoolingBackbone)
    return models


def answer(models, request):
    model = models.build(request["config"]).train()
    shapes = {key: tuple(value.shape) for key, value in model.state_dict().items()}
    model.load_state_dict(request["state_dict"])
    torch.manual_seed(request["seed"])
    losses = model(request["batch"])
    losses["loss"].backward()
    gradients = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    scheduled = follow(model, request["total_steps"])
    model.momentum = request["momentum"]
    model.after_step()
    view = {key: request["batch"][f"global_{key}"] for key in ("coord", "origin_coord", "feat", "offset")} | dict(
        grid_size=request["batch"]["grid_size"][0]
    )
    point = sys.modules["pointcept.models.utils.structure"].Point(view)
    return dict(
        shapes=shapes,
        losses={name: value.detach() for name, value in losses.items()},
        gradients=gradients,
        scheduled=scheduled,
        teacher=model.teacher.state_dict(),
        feat=model(point, return_point=True)["point"].feat.detach(),
    )


def follow(model, total_steps):
    """Scheduled values of every step of a run, and of one that starts in the middle."""
    cfg = SimpleNamespace(scheduler=SimpleNamespace(total_steps=total_steps))
    values = []
    for start_epoch in (0, 1):
        loader = range(total_steps // 2)
        model.trainer = SimpleNamespace(cfg=cfg, start_epoch=start_epoch, max_epoch=2, train_loader=loader, writer=None)
        model.before_train()
        for _ in range(total_steps - start_epoch * len(loader)):
            model.before_step()
            values.append([float(getattr(model, name)) for name in SCHEDULED])
    return values


if __name__ == "__main__":
    torch.set_num_threads(1)
    root, request, out = sys.argv[1:]
    models = load(root)
    torch.save([answer(models, item) for item in torch.load(request, weights_only=False)], out)
