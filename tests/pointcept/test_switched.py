"""`-e pointins` on Pointcept's own pretraining config: the branch is set as in the config that we ship."""

import os
from pathlib import Path

from pointins_ext.extend import extend
from pointins_ext.host import Config
from tests.fixtures.branch_settings import settings

ROOT = Path(__file__).parents[2]
PUBLISHED = Path(os.environ["POINTCEPT_ROOT"]) / "configs" / "sonata" / "pretrain-sonata-v1m1-0-base.py"


def test_sonatas_config_gets_the_hooks_of_ours():
    cfg = Config.fromfile(str(PUBLISHED))
    extend(cfg)
    shipped = Config.fromfile(str(ROOT / "configs" / "pointins" / "pretrain-sonata-ptv3-indoor.py"))
    assert settings(cfg.hooks) == settings(shipped.hooks)
    assert settings(cfg.hooks)["SCRHook"]["cut"] == "pairwise"
