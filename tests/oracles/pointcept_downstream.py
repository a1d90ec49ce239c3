"""Load a pretraining checkpoint into an upstream instance segmentation config: `python ... CONFIG CHECKPOINT BACKBONE`.

The config stays as it is but for the size of its backbone (a Python dict). Prints the names that upstream's own
CheckpointLoader would report as missing in the backbone, and loads the file with WeightLoader under the same options.
"""

import ast
import logging
import sys
import types

import torch

from pointins_ext.host import HOOKS, NAME, Config, build_model

assert NAME == "pointcept"
config, checkpoint, backbone = sys.argv[1:]
cfg = Config.fromfile(config)
cfg.model.backbone.update(ast.literal_eval(backbone), enable_flash=False)
cfg.model.backbone_out_channels = sum(cfg.model.backbone.enc_channels)
model = build_model(cfg.model)
loader = next(dict(hook) for hook in cfg.hooks if hook["type"] == "CheckpointLoader")

# upstream's rule: "module." in front, one replacement of the keyword, a load that is not strict
weight = {}
for name, value in torch.load(checkpoint, map_location="cpu", weights_only=False)["state_dict"].items():
    name = name if name.startswith("module.") else f"module.{name}"
    weight[name.replace(loader["keywords"], loader["replacement"], 1)[7:]] = value
missing = [name for name in model.load_state_dict(weight, strict=False).missing_keys if name.startswith("backbone")]
print("missing backbone keys:", len(missing), missing[:3])

logging.basicConfig(level=logging.INFO, stream=sys.stdout)
hook = HOOKS.build(dict(loader, type="WeightLoader", min_match=1.0))
hook.trainer = types.SimpleNamespace(
    cfg=types.SimpleNamespace(weight=checkpoint, resume=False), model=model, logger=logging.getLogger()
)
hook.before_train()
