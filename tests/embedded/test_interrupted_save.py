"""A run that dies while it saves, or that fills the disk: the last checkpoint is whole, and the run goes on from it."""

import errno
import io
import os
import re
import resource
import signal
import subprocess
import sys

import pytest

from pointins_ext import files
from pointins_ext.checkpoint import read_checkpoint, save_checkpoint
from pointins_ext.embedded import hooks
from pointins_ext.errors import exit_on_user_error

pytestmark = pytest.mark.usefixtures("hidden_gpus")

SIZE = 21_000  # bytes of a checkpoint of the tiny model, about
POINTS = [0, 1, 5_000, 10_000, 20_000, "rename"]  # bytes that are written, or all of them
NO_SPACE = os.strerror(errno.ENOSPC)


class Interrupted(io.FileIO):
    """A file whose writing comes to an end after `at` bytes: `action` is called."""

    def __init__(self, path, at, action):
        super().__init__(path, "wb")
        self.at, self.action = at, action

    def write(self, data):
        room = self.at - self.tell()
        if len(data) > room:
            super().write(bytes(data)[: max(room, 0)])
            self.action()
        return super().write(data)


def interrupt(at, action):
    """Call `action` when the next checkpoint has `at` bytes, or is about to take its name."""
    if at == "rename":
        files.os = type("os", (), dict(vars(os), replace=lambda *_: action()))
    else:
        files.open = lambda path, mode: Interrupted(path, at, action)


def no_space():
    raise OSError(errno.ENOSPC, NO_SPACE)


@pytest.fixture
def run(build_trainer, tmp_path):
    """run(before_second_save) -> (exit status, stderr) of a process that trains four epochs."""

    def run(before_second_save, name="run"):
        child = os.fork()
        if child == 0:
            child_main(build_trainer, before_second_save, name, tmp_path / "stderr")
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), (tmp_path / "stderr").read_text()

    return run


def child_main(build_trainer, before_second_save, name, stderr):
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    saves = []

    def save(state, path):
        saves.append(path)
        if len(saves) == 2:
            before_second_save()
        save_checkpoint(state, path)

    hooks.save_checkpoint = save
    code = 99
    try:
        sys.stderr = open(stderr, "w")
        exit_on_user_error(build_trainer(name, hooks__5__save_freq=1).train)
    except SystemExit as end:
        code = end.code
    finally:
        try:
            sys.stderr.flush()
        finally:  # whatever happens: a child that returned would go on as a second pytest
            os._exit(code if isinstance(code, int) else 98)


def goes_on(build_trainer, read_losses, folder):
    """The first epoch's checkpoint is whole, and a resumed run ends with the losses of one that was left alone."""
    assert read_checkpoint(folder / "model/model_last.pth")["epoch"] == 1
    build_trainer("whole").train()
    resumed = build_trainer(folder.name, resume=True)
    resumed.train()
    assert resumed.start_epoch == 1 and read_losses(folder.name) == read_losses("whole")
    assert not list(folder.rglob("*.tmp"))  # the resumed run has overwritten what the killed one left


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["SIGTERM", "SIGKILL"])
@pytest.mark.parametrize("at", POINTS)
def test_killed_while_it_saves(at, number, run, build_trainer, read_losses, tmp_path):
    status, _ = run(lambda: interrupt(at, lambda: os.kill(os.getpid(), number)))
    assert status == -number
    goes_on(build_trainer, read_losses, tmp_path / "run")


@pytest.mark.parametrize("action", [lambda: os.kill(os.getpid(), signal.SIGKILL), no_space], ids=["SIGKILL", "full"])
def test_ends_while_it_copies_a_checkpoint(action, run, build_trainer, read_losses, tmp_path):
    def copies():
        hooks.shutil = type("shutil", (), dict(copyfileobj=lambda content, stream: (stream.write(b"half"), action())))

    status, stderr = run(copies)
    assert status == -signal.SIGKILL or (
        status == 2 and re.fullmatch(f"error: .*{NO_SPACE}: '.*epoch_2.pth'\n", stderr)
    )
    assert read_checkpoint(tmp_path / "run/model/model_last.pth")["epoch"] == 2
    assert read_checkpoint(tmp_path / "run/model/epoch_1.pth")["epoch"] == 1
    assert not (tmp_path / "run/model/epoch_2.pth").exists()
    build_trainer("run", resume=True, hooks__5__save_freq=1).train()
    assert read_checkpoint(tmp_path / "run/model/epoch_4.pth")["epoch"] == 4


@pytest.mark.parametrize("at", POINTS)
def test_a_full_disk(at, run, build_trainer, read_losses, tmp_path):
    status, stderr = run(lambda: interrupt(at, no_space))
    is_one_clear_line(status, stderr)
    assert not list(tmp_path.rglob("*.tmp"))
    goes_on(build_trainer, read_losses, tmp_path / "run")


def is_one_clear_line(status, stderr, reason=NO_SPACE):
    assert status == 2 and stderr.count("\n") == 1 and stderr.startswith("error: "), stderr
    assert reason in stderr and "model_last.pth" in stderr and "the one that was there before is whole" in stderr


def test_a_file_limit_of_the_system(run, build_trainer, read_losses, tmp_path):
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (SIZE // 2, SIZE // 2))

    status, stderr = run(limit)
    is_one_clear_line(status, stderr, os.strerror(errno.EFBIG))
    goes_on(build_trainer, read_losses, tmp_path / "run")


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 512 KiB at the folder of the experiment "disk"."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", folder], capture_output=True).returncode:
        pytest.skip("no right to mount a file system")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.mark.skipif(sys.platform != "linux", reason="mounts a tmpfs")
def test_a_disk_that_is_full(small_disk, run, build_trainer, read_losses):
    ballast = small_disk / "ballast"

    def fill():
        room = os.statvfs(small_disk)
        ballast.write_bytes(bytes(room.f_bavail * room.f_frsize - SIZE // 2))

    status, stderr = run(fill, small_disk.name)
    is_one_clear_line(status, stderr)
    ballast.unlink()
    goes_on(build_trainer, read_losses, small_disk)
