"""Two machines with two processes each, as torchrun and as SLURM start them, over gloo: the same losses."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONFIG = ("-c", "pointins/pretrain-dos-rooms")
OPTIONS = ["num_rooms=8", "epoch=1", "eval_epoch=1", "num_worker=0", "batch_size=4", "model.offset_warmup_steps=1"]
OPTIONS += ["seed=0", "hooks.InformationWriter.interval=1"]
NAMES = ("torchrun", "slurm")


def torchrun(machine, port):
    where = ["--nnodes", "2", "--node-rank", str(machine), "--nproc-per-node", "2"]
    where += ["--master-addr", "127.0.0.1", "--master-port", str(port)]
    return [sys.executable, "-m", "torch.distributed.run", *where, "-m", "pointins_ext", "train", "-n", "torchrun"], {}


def slurm(machine, folder):
    scontrol = folder / "scontrol"
    scontrol.write_text("#!/bin/sh\necho 127.0.0.1\n")
    scontrol.chmod(0o755)
    flags = ["-m", "2", "-g", "2", "-n", "slurm"]
    said = dict(PATH=f"{folder}:{os.environ['PATH']}", SLURM_NODELIST="here", SLURM_NODEID=str(machine))
    return ["sh", str(ROOT / "tools/train.sh"), "-p", sys.executable, *flags], said


def losses(log):
    return [line.split(" loss: ")[1].split()[0] for line in log.read_text().splitlines() if "Train: [" in line]


@pytest.mark.slow
def test_two_machines_of_two_processes(tmp_path):
    found = {}
    for name in NAMES:
        machines = []
        for machine in (0, 1):
            command, said = torchrun(machine, 29683) if name == "torchrun" else slurm(machine, tmp_path)
            environment = {key: value for key, value in os.environ.items() if key != "POINTCEPT_ROOT"}
            environment |= dict(POINTINS_HOST="embedded", OMP_NUM_THREADS="1", PYTHONPATH=str(ROOT)) | said
            command += [*CONFIG, "--", *OPTIONS]
            error = tmp_path / f"{name}{machine}.err"
            machines.append((subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=error.open("w")), error))
        for process, error in machines:
            assert process.wait(timeout=300) == 0, error.read_text()
        log = tmp_path / "exp" / "pointins" / name / "train.log"
        assert "processes: 4" in log.read_text()
        found[name] = losses(log)
    assert len(found["slurm"]) == 2 and found["slurm"] == found["torchrun"]
