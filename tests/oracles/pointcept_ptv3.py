"""Run the real Pointcept PTv3 in a process of its own: `python pointcept_ptv3.py ROOT REQUEST ANSWER`.

REQUEST is a saved list of dicts with variant ("m1" or "m2"), kwargs, and optionally state_dict, batch and seed (then
also a forward pass, in training mode: spconv's CPU build has no other). ANSWER is a saved list of dicts with shapes of
the state_dict and stages (what the returned Point and those up the pooling chain hold). Needs spconv, on one thread.
"""

import importlib
import sys
import types
from pathlib import Path

import torch


def module(name, path=None, **attributes):
    made = types.ModuleType(name)
    made.__dict__.update(attributes)
    if path is not None:
        made.__path__ = [str(path)]
    sys.modules[name] = made


def register_module(name=None):
    return lambda cls: cls


def segment_csr(value, ptr, reduce):
    reducer = {"max": lambda rows: rows.amax(0), "mean": lambda rows: rows.mean(0)}[reduce]
    return torch.stack([reducer(value[begin:end]) for begin, end in zip(ptr[:-1], ptr[1:], strict=True)])


def load(root):
    """Import the two variants from their files; what they need but do not test here is put in by hand."""
    models = Path(root) / "pointcept" / "models"
    registry = types.SimpleNamespace(register_module=register_module)
    sys.modules["ocnn"] = None  # optional there; importing it pulls torchvision
    module("torch_scatter", segment_csr=segment_csr)
    module("timm", path="")
    module("timm.layers", DropPath=torch.nn.Identity)
    module("pointcept", path=models.parent)
    module("pointcept.engines", path="")
    module("pointcept.engines.hooks", HookBase=type("HookBase", (), {}))
    module("pointcept.models", path=models)
    module("pointcept.models.builder", MODELS=registry, MODULES=registry)
    module("pointcept.models.point_prompt_training", path=models / "point_prompt_training")
    norm = importlib.import_module("pointcept.models.point_prompt_training.prompt_driven_normalization")
    sys.modules["pointcept.models.point_prompt_training"].PDNorm = norm.PDNorm
    module("pointcept.models.point_transformer_v3", path=models / "point_transformer_v3")
    return {
        name: importlib.import_module(f"pointcept.models.point_transformer_v3.point_transformer_v3{file}")
        for name, file in (("m1", "m1_base"), ("m2", "m2_sonata"))
    }


def answer(variants, request):
    model = variants[request["variant"]].PointTransformerV3(enable_flash=False, drop_path=0.0, **request["kwargs"])
    shapes = {key: tuple(value.shape) for key, value in model.state_dict().items()}
    if "batch" not in request:
        return dict(shapes=shapes)
    model.load_state_dict(request["state_dict"])
    torch.manual_seed(request["seed"])
    point, stages = model.train()(request["batch"]), []
    while True:
        stages.append({key: point[key].detach() for key in ("feat", "coord", "grid_coord", "batch")})
        if "pooling_parent" not in point:
            return dict(shapes=shapes, stages=stages)
        point = point.pooling_parent


if __name__ == "__main__":
    torch.set_num_threads(1)
    root, request, out = sys.argv[1:]
    variants = load(root)
    torch.save([answer(variants, item) for item in torch.load(request, weights_only=False)], out)
