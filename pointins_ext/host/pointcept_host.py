# ruff: noqa: F401 (the names of `host.NAMES`, re-exported)
"""Pointcept as the host, under the names that the plug-in uses."""

from pointcept.datasets.builder import DATASETS, build_dataset
from pointcept.datasets.defaults import DefaultDataset
from pointcept.datasets.transform import TRANSFORMS, Compose
from pointcept.datasets.utils import point_collate_fn
from pointcept.engines.defaults import default_argument_parser, default_config_parser, default_setup
from pointcept.engines.hooks.builder import HOOKS
from pointcept.engines.hooks.default import HookBase
from pointcept.engines.launch import launch
from pointcept.engines.train import TRAINERS, Trainer
from pointcept.models.builder import MODELS, build_model
from pointcept.models.modules import PointModel, PointModule
from pointcept.models.utils import batch2offset, offset2batch, offset2bincount
from pointcept.models.utils.structure import Point
from pointcept.utils import comm
from pointcept.utils.config import Config
from pointcept.utils.logger import get_root_logger
from pointcept.utils.scheduler import CosineScheduler
