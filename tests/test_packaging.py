"""Wheel and sdist hold all that is needed, and work far away from the repository."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from pointins_ext.datasets.readers import write_ply
from pointins_ext.datasets.rooms import generate_room

ROOT = Path(__file__).parents[1]
# where the command has trained: the package as a script has it
USE = """
import sys
from pathlib import Path

import pointins_ext
from pointins_ext.datasets.rooms import generate_room
from pointins_ext.host import default_config_parser

folder = Path(pointins_ext.__file__).parent
assert str(folder).startswith(sys.argv[1]), folder
assert pointins_ext.CONFIGS.is_relative_to(folder)
default_config_parser(str(pointins_ext.CONFIGS / "pointins/pretrain-dos-rooms.py"), dict(save_path="run"))
room = generate_room(3)
weight = "exp/pointins/run/model/model_last.pth"
instance, center = pointins_ext.segment(room["coord"], room["color"], weight=weight)
assert len(instance) == len(room["coord"]) and center.shape[1] == 3
assert len(pointins_ext.segment(room["coord"], room["color"])[1]) > 3
assert pointins_ext.load_backbone("outdoor", device="cpu").embedding is not None
print("works")
"""

# the command, in a folder without the repository: a verb with its flags -> what it prints
COMMANDS = {
    "--help": "quickstart",
    "demo": "Your own scan:  pointins segment",
    "segment --input room.ply --output shipped.ply": "weights: indoor, the scan has colors",
    "doctor --weight indoor": "Where it fails",
    "doctor": "passed: 2 training steps",
    "train -c pointins/pretrain-dos-rooms -n run -g 0 -- num_rooms=2 epoch=1 eval_epoch=1 num_worker=0": "Train: [1/1]",
    "segment --weight exp/pointins/run/model/model_last.pth --input room.ply --output out.ply": " instances, ",
}


def commands_work(command, folder, environment):
    """`pointins`, started by the words `command`, on a scan in the new `folder`."""
    folder.mkdir()
    room = generate_room(3)
    write_ply(folder / "room.ply", room["coord"], room["color"])
    for line, words in COMMANDS.items():
        assert words in checked(*command, *line.split(), cwd=folder, env=environment), line
    assert {"out.ply", "out.npz", "shipped.ply"} <= {path.name for path in folder.iterdir()}
    assert not (folder / "exp/pointins/run/code").exists()  # what is installed does not move on


def checked(*command, **options):
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A copy of what git would give: a build leaves traces beside setup.py."""
    folder = tmp_path_factory.mktemp("source")
    names = ("pointins_ext", "configs", "setup.py", "pyproject.toml", "README.md", "LICENSE")
    kept = [name for name in names if (ROOT / name).exists()]
    checked("sh", "-c", f"tar -c -f - --exclude=__pycache__ {' '.join(kept)} | tar -x -f - -C '{folder}'", cwd=ROOT)
    return folder


@pytest.fixture(scope="module")
def wheel(source):
    checked(sys.executable, "-m", "pip", "wheel", ".", "--no-deps", "--no-build-isolation", "-w", "dist", cwd=source)
    (path,) = source.glob("dist/*.whl")
    return path


def test_the_wheel_holds_package_and_configs_alone(wheel):
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    package = ROOT / "pointins_ext"
    ours = {
        f"pointins_ext/{path.relative_to(package)}"
        for kind in ("py", "js", "json", "safetensors", "md", "png")
        for path in package.glob(f"**/*.{kind}")
        if path != package / "README.md"
    }
    files = [path for kind in ("py", "json") for path in ROOT.glob(f"configs/**/*.{kind}")]
    configs = {f"pointins_ext/{path.relative_to(ROOT)}" for path in files}
    assert held == ours | configs and len(configs) > 80
    assert wheel.stat().st_size < 20 * 2**20


def test_the_sdist_builds_the_same_wheel(source, wheel, tmp_path):
    checked(sys.executable, "setup.py", "-q", "sdist", "-d", tmp_path, cwd=source)
    (archive,) = tmp_path.glob("*.tar.gz")
    checked("tar", "-x", "-f", archive, "-C", tmp_path)
    (folder,) = (path for path in tmp_path.iterdir() if path.is_dir())
    checked(sys.executable, "-m", "pip", "wheel", ".", "--no-deps", "--no-build-isolation", "-w", tmp_path, cwd=folder)
    (again,) = tmp_path.glob("*.whl")
    assert zipfile.ZipFile(again).namelist() == zipfile.ZipFile(wheel).namelist()


def test_an_installed_wheel_trains_and_segments(wheel, tmp_path):
    target = tmp_path / "site"
    checked(sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", target, wheel)
    environment = dict(os.environ, PYTHONPATH=str(target), POINTINS_HOST="embedded", OMP_NUM_THREADS="1")
    commands_work([sys.executable, target / "bin/pointins"], tmp_path / "elsewhere", environment)
    assert "works" in checked(sys.executable, "-c", USE, target, cwd=tmp_path / "elsewhere", env=environment)


@pytest.mark.slow
@pytest.mark.parametrize("extra", ["", "[viz,test]"])
def test_the_wheel_in_an_empty_environment(wheel, extra, tmp_path):
    """Nothing but Python, pip and what the wheel asks for; torch is pinned, because PyPI's newest may be gigabytes."""
    checked(sys.executable, "-m", "venv", tmp_path / "empty")
    python = tmp_path / "empty/bin/python"
    constraints = ROOT / "tools/constraints.txt"
    checked(python, "-m", "pip", "install", "-q", "-c", constraints, f"{wheel}{extra}", cwd=tmp_path)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment |= dict(POINTINS_HOST="embedded", OMP_NUM_THREADS="1")
    commands_work([tmp_path / "empty/bin/pointins"], tmp_path / "elsewhere", environment)
    assert "works" in checked(python, "-c", USE, tmp_path / "empty", cwd=tmp_path / "elsewhere", env=environment)
    assert (tmp_path / "elsewhere/out.png").exists() == bool(extra)  # without matplotlib there is no picture
