# ruff: noqa: F401 (the names of `host.NAMES`, re-exported)
"""The embedded host, under the names that the plug-in uses."""

from pointins_ext.embedded.config import Config
from pointins_ext.embedded.dataset import DefaultDataset, point_collate_fn
from pointins_ext.embedded.dataset_outdoor import NuScenesDataset, SemanticKITTIDataset
from pointins_ext.embedded.defaults import default_argument_parser, default_config_parser, default_setup
from pointins_ext.embedded.defaults import default_config_parser as read_config  # it writes nothing
from pointins_ext.embedded.hooks import HookBase
from pointins_ext.embedded.logger import begin_log, get_root_logger
from pointins_ext.embedded.losses import build_criteria
from pointins_ext.embedded.modules import PointModel, PointModule
from pointins_ext.embedded.registry import (
    DATASETS,
    HOOKS,
    MODELS,
    TESTERS,
    TRAINERS,
    TRANSFORMS,
    build_dataset,
    build_model,
)
from pointins_ext.embedded.scheduler import CosineScheduler
from pointins_ext.embedded.structure import Point, batch2offset, offset2batch, offset2bincount
from pointins_ext.embedded.train import Trainer
from pointins_ext.embedded.transform import Compose
from pointins_ext.engine import comm
from pointins_ext.engine.launch import launch
