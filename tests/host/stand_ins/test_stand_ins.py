"""Stand-ins get into place where something is missing, say so, and leave what works alone."""

import re
import subprocess
import sys

CODE = """
import importlib.util, sys
from pointins_ext.host import stand_ins
{before}
with stand_ins.installed():
    import pointops, torch_scatter, spconv.pytorch as spconv, open3d, open3d.visualization
    from torch_scatter import scatter_softmax
    folder = torch_scatter.__file__.split("/")[-2]
    print("inside", pointops.__name__, folder, "open3d" in sys.modules)
print("after", "open3d" in sys.modules, importlib.util.find_spec("pointops") is not None)
print("in one line:", stand_ins.summary())
print(*stand_ins.ANNOUNCEMENTS.values(), sep="\\n")
"""


def python(code, *path):
    environment = dict(PYTHONPATH=":".join([*map(str, path), "."]), PATH="/usr/bin:/bin", POINTINS_HOST="embedded")
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_what_is_missing_is_announced_and_placeholders_leave(light):
    printed = python(CODE.format(before=""), light)
    assert "inside pointins_ext.host.stand_ins.pointops stand_ins True" in printed and "after False True" in printed
    assert "pointops is not installed: plain PyTorch takes its place" in printed
    assert re.search(r"in one line: pointops, .*torch_\w+ \(not installed: plain PyTorch takes its place\); ", printed)
    announced = [line.split()[0] for line in printed.splitlines()[3:]]
    assert len(announced) == len(set(announced)) >= 4


def test_what_is_installed_is_preferred(tmp_path, light):
    for name in ("pointops", "torch_scatter"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("scatter_softmax = knn_query = None\n")
    printed = python(CODE.format(before=""), light, tmp_path)
    assert f"inside pointops {'torch_scatter'} True" in printed
    assert "pointops is not" not in printed and "torch_scatter is not" not in printed
    assert "spconv" in printed  # no GPU here or no spconv: announced


def test_a_second_call_finds_its_own_stand_ins(light):
    """Also where there is a GPU, and spconv is asked whether it is the CPU build."""
    code = CODE.format(before="import torch; torch.cuda.is_available = lambda: True")
    again = "package = sys.modules['spconv']\nwith stand_ins.installed(): pass\nassert sys.modules['spconv'] is package"
    assert "spconv" in python(code + again, light)


def test_numpy_without_in1d_gets_it_back(light):
    printed = python(CODE.format(before="import numpy as np\nif hasattr(np, 'in1d'): del np.in1d"), light)
    assert "numpy.in1d is gone since numpy 2.4: numpy.isin takes its place" in printed
