"""One import registers all that configs name, as a spawned process of a run does it."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
SCRIPT = """
import pointins_ext.plugin
from pointins_ext.host import DATASETS, HOOKS, MODELS, TESTERS, TRANSFORMS
missing = [name for registry, names in (
    (MODELS, ("PointINS-v1m1", "OffsetHead", "DOS-v1m1", "PSA-v1m1", "Sonata-v1m1", "PanSeg-v1m1")),
    (HOOKS, ("ODRHook", "SCRHook", "OffsetMonitor", "WeightLoader", "PanSegEvaluator")),
    (DATASETS, ("ScanDataset", "SyntheticRoomsDataset", "SyntheticDrivesDataset")),
    (TESTERS, ("SemanticTester", "InstanceTester", "PanSegTester")),
    (TRANSFORMS, ("CheckLabels", "ObjectSegment", "ClusterBoxes")),
) for name in names if registry.get(name) is None]
print("missing:", missing)
"""


def test_everything_is_registered():
    environment = dict(os.environ, POINTINS_HOST="embedded", PYTHONPATH=str(ROOT))
    done = subprocess.run([sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("missing: []\n")
