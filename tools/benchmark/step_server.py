"""One host of compare_hosts.py: answers "load" and the names of variants on standard input with one line of JSON.

python tools/benchmark/step_server.py CONFIG SCENES FOLDER
"""

import json
import sys
import time
from pathlib import Path

import torch

from pointins_ext.branch import OffsetDistributionRegularization
from pointins_ext.engine.step import to_device
from pointins_ext.host import HOOKS, Config, build_dataset, build_model, point_collate_fn
from pointins_ext.host.flash import disable_flash


def load(config, num_scenes, folder, device="cpu", **scr):
    """The batch, and both variants with their optimizers; whoever comes first writes batch and weights to `folder`.

    scr: options of SCRHook in the place of the config's.
    """
    cfg = Config.fromfile(config)
    disable_flash(cfg.model)
    torch.manual_seed(0)
    branch = build_model(dict(cfg.model, offset_warmup_steps=0)).train()
    plain = build_model(cfg.model.pretrainer).train()
    hook = HOOKS.build(dict(next(hook for hook in cfg.hooks if hook["type"] == "SCRHook"), **scr))
    hook.spread_scenes(torch.device(device), num_scenes)
    branch.add_regularizer(OffsetDistributionRegularization("indoor"))
    branch.add_regularizer(hook.scr)
    path = Path(folder) / "batch.pth"
    if not path.is_file():
        dataset = build_dataset(dict(cfg.data.train, num_scenes=num_scenes))
        batch = point_collate_fn([dataset[i] for i in range(num_scenes)])
        torch.save(dict(batch=batch, state_dict=branch.state_dict()), path)
    saved = torch.load(path, weights_only=True)
    branch.load_state_dict(saved["state_dict"])
    plain.load_state_dict({name: value for name, value in saved["state_dict"].items() if "offset_head" not in name})
    plain, branch = plain.to(device), branch.to(device)
    return to_device(saved["batch"], device), dict(plain=(plain, optimizer(plain)), branch=(branch, optimizer(branch)))


def optimizer(model):
    return torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-4)


def step(model, optimizer, batch):
    """Seconds of forward, backward, update and EMA."""
    begin = time.perf_counter()
    optimizer.zero_grad()
    model({key: value.clone() if torch.is_tensor(value) else value for key, value in batch.items()})["loss"].backward()
    optimizer.step()
    model.after_step()
    return time.perf_counter() - begin


def main(config, num_scenes, folder):
    for word in map(str.strip, sys.stdin):
        if word == "load":
            batch, variants = load(config, int(num_scenes), folder)
            answer = dict(points=int(batch["global_offset"][-1]))
        else:
            answer = dict(seconds=step(*variants[word], batch))
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
