"""Samples of every shipped config's training pipeline on the bound host: `python run_pipelines.py FOLDER`.

Writes tiny data sets and samples.pth, config -> list of samples, into FOLDER; the same seeds on every host.
"""

import os
import random
import sys
from pathlib import Path

import numpy as np
import torch

from pointins_ext.host import Config, build_dataset
from tests.test_configs import CONFIGS, write_data


def samples(path, folder):
    folder.mkdir(parents=True)
    os.chdir(folder)
    cfg = Config.fromfile(str(path))
    write_data(cfg)
    dataset = build_dataset(cfg.data.train)
    # by name: some of Pointcept's datasets list folders in the order of the disk
    for seed, index in enumerate(sorted(range(len(dataset)), key=lambda i: dataset.get_data(i)["name"])):
        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)
        yield dataset[index]


def run(folder):
    folder = Path(folder).absolute()
    torch.save({path.stem: list(samples(path, folder / path.stem)) for path in CONFIGS}, folder / "samples.pth")
    return torch.load(folder / "samples.pth", weights_only=False)


if __name__ == "__main__":
    run(sys.argv[1])
