# ruff: noqa: F401 (the names of `host.NAMES`, re-exported)
"""Pointcept as the host, under the names that the plug-in uses."""

import os
from functools import partial

import torch.distributed as dist
from pointcept.datasets.builder import DATASETS, build_dataset
from pointcept.datasets.defaults import DefaultDataset
from pointcept.datasets.nuscenes import NuScenesDataset
from pointcept.datasets.semantic_kitti import SemanticKITTIDataset
from pointcept.datasets.transform import TRANSFORMS, Compose
from pointcept.datasets.utils import point_collate_fn
from pointcept.engines.defaults import default_setup
from pointcept.engines.hooks.builder import HOOKS
from pointcept.engines.hooks.default import HookBase
from pointcept.engines.test import TESTERS
from pointcept.engines.train import TRAINERS, Trainer
from pointcept.models.builder import MODELS
from pointcept.models.losses.builder import build_criteria
from pointcept.models.modules import PointModel, PointModule
from pointcept.models.utils import batch2offset, offset2batch, offset2bincount
from pointcept.models.utils.structure import Point
from pointcept.utils import comm
from pointcept.utils.logger import get_root_logger
from pointcept.utils.scheduler import CosineScheduler

from pointins_ext.engine.launch import launch as _launch
from pointins_ext.host import pointcept_trainer
from pointins_ext.host.pointcept_config import Config, default_argument_parser, default_config_parser, read_config
from pointins_ext.host.pointcept_model import build_model


def begin_log():
    """Pointcept writes its logs from the first line on."""


def launch(main_func, num_gpus_per_machine, *args, **kwargs):
    """Our launcher (torchrun, gloo without a GPU) with the process group that Pointcept's `comm` expects."""
    _launch(partial(_with_local_group, main_func, num_gpus_per_machine), num_gpus_per_machine, *args, **kwargs)


def _with_local_group(main_func, num_local, *cfg):
    if comm.get_world_size() > 1:
        num_local = int(os.environ.get("LOCAL_WORLD_SIZE", num_local))  # torchrun's word, where it started us
        for first in range(0, comm.get_world_size(), num_local):
            group = dist.new_group(range(first, first + num_local))
            if first <= comm.get_rank() < first + num_local:
                comm._LOCAL_PROCESS_GROUP = group
    main_func(*cfg)
