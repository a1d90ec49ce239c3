"""Stand-ins get into place where something is missing, say so, and leave what works alone."""

import re
import subprocess
import sys

import pytest

CODE = """
import sys
from pointins_ext.host import stand_ins
{before}
with stand_ins.installed():
    import pointops, torch_scatter, spconv.pytorch as spconv, open3d, open3d.visualization
    from torch_scatter import scatter_softmax
    folder = torch_scatter.__file__.split("/")[-2]
    print("inside", pointops.__name__, folder, "open3d" in sys.modules)
print("after", *[name for name in ("open3d", "pointops", "torch_scatter") if name in sys.modules])
print("in one line:", stand_ins.summary())
print(*stand_ins.ANNOUNCEMENTS.values(), sep="\\n")
"""


def python(code, *path):
    environment = dict(PYTHONPATH=":".join([*map(str, path), "."]), PATH="/usr/bin:/bin", POINTINS_HOST="embedded")
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_what_is_missing_is_announced_and_all_leave(light):
    printed = python(CODE.format(before=""), light)
    assert "inside pointins_ext.host.stand_ins.pointops stand_ins True" in printed and "after\n" in printed
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


FOREIGN = """
import spconv.pytorch.utils
assert spconv.pytorch.utils.PointToVoxel == "real" and spconv.pytorch.__name__ == "spconv.pytorch"
with stand_ins.installed():
    import spconv.pytorch as again, torch_scatter as scatter_again
    assert again is stand_in and scatter_again is torch_scatter
import spconv.pytorch as after
assert after is sys.modules["spconv"].pytorch is sys.modules["spconv.pytorch"] is not stand_in
assert sys.modules["spconv.pytorch.utils"].PointToVoxel == "real"
"""


@pytest.mark.parametrize("gpu", [False, True])
def test_others_see_the_real_package(gpu, tmp_path, light):
    """Before and after somebody imports it; a later call gives the same stand-ins. The real one is a fake here."""
    (tmp_path / "spconv" / "pytorch").mkdir(parents=True)
    (tmp_path / "spconv" / "__init__.py").touch()
    (tmp_path / "spconv" / "cppconstants.py").write_text("CPU_ONLY_BUILD = True\n")
    (tmp_path / "spconv" / "pytorch" / "__init__.py").touch()
    (tmp_path / "spconv" / "pytorch" / "utils.py").write_text("PointToVoxel = 'real'\n")
    code = CODE.format(before=f"import torch; torch.cuda.is_available = lambda: {gpu}") + "stand_in = spconv\n"
    python(code + FOREIGN, light, tmp_path)


def test_numpy_without_in1d_gets_it_back(light):
    printed = python(CODE.format(before="import numpy as np\nif hasattr(np, 'in1d'): del np.in1d"), light)
    assert "numpy.in1d is gone since numpy 2.4: numpy.isin takes its place" in printed
