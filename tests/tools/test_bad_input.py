"""What a clumsy user types: exit code 2 and one line that names the culprit, no traceback, no file left or changed."""

import logging
import os
import re
import runpy
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from pointins_ext import segment
from pointins_ext.errors import exit_on_user_error
from pointins_ext.host import NAME
from tests.fixtures import bad_inputs

pytest.importorskip("matplotlib")
for reader in ("plyfile", "pypcd4", "laspy"):
    pytest.importorskip(reader)
pytestmark = pytest.mark.skipif(NAME != "embedded", reason="messages of the embedded host")

ROOT = Path(__file__).parents[2]
PLACES = {
    "ROOMS": ROOT / "configs/pointins/pretrain-dos-rooms.py",
    "SCANS": ROOT / "configs/pointins/pretrain-dos-scans.py",
}

# scan -> what the error says; every one is given to tools/segment.py
SCANS = {
    "none.ply": "none.ply: no such file or folder",
    "empty.ply": r"empty.ply: cannot be read: it is empty \(0 bytes\)",
    "cut.ply": "cut.ply: cannot be read: .*early end-of-file",
    "header.ply": "header.ply: cannot be read",
    "words.ply": "words.ply: cannot be read: .*expected 'ply'",
    "novertex.ply": "novertex.ply: .*no element vertex",
    "novertices.ply": "novertices.ply: 0 points, expected at least 10",
    "noz.ply": "noz.ply: no coordinates",
    "folder.ply": "folder.ply: no scans in this folder",
    "words.npz": "words.npz: .*no file of NumPy arrays",
    "cut.npz": "cut.npz: cannot be read",
    "nan.npz": "nan.npz: 395 of 400 points have NaN or Inf in coord; expected at least 10",
    "inf.npz": "inf.npz: 395 of 400 points have NaN or Inf in coord",
    "one.npz": "one.npz: 1 points, expected at least 10",
    "flat.npz": r"flat.npz: coord has shape \(400, 2\), expected \(N, 3\)",
    "keys.npz": "keys.npz: no coordinates, found 'position_of_points'",
    "uneven.npz": "uneven.npz: color has 300 rows, expected 400",
    "letters.npz": "letters.npz: coord holds .*, expected numbers",
    "objects.npz": "objects.npz: cannot be read: Object arrays",
    "far.npz": "far.npz: the points spread over .* m, .* remove outlying points",
    "apart.npz": "apart.npz: the points spread over 1e.09 m",
    "words.npy": "words.npy: .*no file of NumPy arrays",
    "five.npy": r"five.npy: a table of 5 columns, .*np.savez\(.*strength=a\[:, 3\], segment=a\[:, 4\]",
    "line.npy": r"line.npy: an array of shape \(20,\), .*a.reshape\(-1, 3\)",
    "words.las": "words.las: cannot be read",
    "cut.las": "cut.las: cannot be read",
    "words.pcd": "words.pcd: cannot be read",
    "cut.pcd": "cut.pcd: cannot be read",
    "odd.bin": "odd.bin: .*expected a multiple of 4",
    "pointer.ply": "pointer.ply: .*a pointer of Git LFS .* git lfs pull",
    "page.laz": "page.laz: .*a web page instead of the file",
    "packed.npz": "packed.npz: .*compressed by gzip: unpack it",
    "nodata.pcd": "nodata.pcd: .*no line DATA",
    "nofields.pcd": "nofields.pcd: .*its header has no FIELDS, SIZE, TYPE, WIDTH",
    "turned.npy": r"turned.npy: an array of shape \(3, 400\), .*rows are points: np.save\(file, a.T\)",
    "deep.npy": r"deep.npy: an array of shape \(1, 400, 3\), .*a.reshape\(-1, 3\)",
    "seven.npy": r"seven.npy: a table of 7 columns, .*np.savez\(.*color=a\[:, 3:6\], segment=a\[:, 6\]",
    "six.npy": "six.npy: a table of 6 columns, neither colors nor normals; .*np.savez",
    "pickle.npy": "pickle.npy: cannot be read: Object arrays .*write plain arrays: np.savez",
    "pair.npz": "pair.npz: no coordinates, found 'arr_0', 'arr_1'",
    "turned.npz": r"turned.npz: coord has shape \(3, 400\), expected \(N, 3\); transpose it",
    "ragged.npz": "ragged.npz: x, y, z have the shapes",
    "'words of labels.npz'": "words of labels.npz: segment holds up to 327720, .*word & 0xFFFF",
    "range.npz": r"range.npz: colors from .*expected 0\.\.1, 0\.\.255 or 0\.\.65535",
    "double.bin": "double.bin: holds float64 numbers, expected float32",
    "scan.xyz": "scan.xyz: 1 points, expected at least 10",
    "scan.obj": "scan.obj: unknown format '.obj', expected one of .ply",
    "words.csv": "words.csv: cannot be read: line 1: found 'this is no scan', expected numbers or names of columns",
    "'my scans'": "my scans: no scans in this folder",
    "'broken scans'": "broken scans/nan scan.npz: .*NaN or Inf",
    "scene": "scene: color has 100 rows, expected 400",
}
# checkpoint -> what the error says; every one is given to all tools that read one
WEIGHTS = {
    "none.pth": "none.pth not found; expected a file",
    "folder.pth": "folder.pth is a folder; expected a file",
    "empty.pth": "empty.pth .0 bytes.: it is truncated",
    "cut.pth": "cut.pth .20000 bytes.: it is truncated",
    "words.pth": "words.pth .* not a file of tensors",
    "archive.pth": "archive.pth .* not a file of tensors",
    "evil.pth": "evil.pth .*it asks to run (posix|nt).mkdir",
    "nothing.pth": "nothing.pth has no 'state_dict' of tensors; found 1 entries epoch",
    "tensor.pth": "tensor.pth has no 'state_dict' of tensors; found a Tensor",
}
READERS = {
    "segment": "--input room.ply --output OUT/x.ply",
    "evaluate_label_free": "--num-scenes 1 --json OUT.json",
    "tune_rivals": "--num-scenes 1 --output OUT.json",
    "study_targets": "--num-scenes 1",
    "export": "--out OUT.pth",
}
# options of tools/train.py on a tiny config -> what the error says
OPTIONS = {
    "epoch": "takes key=value, found 'epoch'",
    "epohc=2": "option 'epohc': tiny.py has no key 'epohc'; did you mean epoch",
    "epoch=two": "option 'epoch': found 'two', expected a number",
    "epoch=0": "tiny.py: epoch = 0, expected a whole number of at least 1",
    "epoch=-1": "epoch = -1, expected",
    "epoch=1.5": "epoch = 1.5, expected a whole number",
    "eval_epoch=0": "eval_epoch = 0, expected",
    "eval_epoch=3": "epoch = 4 must be a multiple of eval_epoch = 3",
    "batch_size=0": "batch_size = 0, expected a whole number of at least 1",
    "batch_size=-2": "batch_size = -2, expected",
    "batch_size=many": "option 'batch_size': found 'many', expected a number",
    "batch_size_val=0": "batch_size_val = 0, expected",
    "num_worker=-1": "num_worker = -1, expected a whole number of at least 0",
    "seed=x": "option 'seed': found 'x'",
    "gradient_accumulation_steps=0": "gradient_accumulation_steps = 0, expected",
    "gradient_accumulation_steps=100": "gradient_accumulation_steps = 100, but the whole run has 16 batches",
    "clip_grad=-1": "clip_grad = -1, expected a number above 0",
    "model=TinyModel": "option 'model': found 'TinyModel', expected a dict",
    "model.type=TinyModle": "'TinyModle' is not in the registry 'models'; did you mean 'TinyModel'",
    "model.width=wide": "TinyModel: width = 'wide', expected a number",
    "model.depth=4": "TinyModel: unknown key 'depth'; did you mean 'width'",
    "hooks=5": "option 'hooks': found 5, expected a list",
    "hooks.0.type=Nothing": "'Nothing' is not in the registry 'hooks'",
    "hooks.9.type=Nothing": "'9' is no index of a list of 6 items",
    "optimizer.lr.x=1": "option 'optimizer.lr.x': cannot set 'x' inside the float",
    "optimizer.type=Adamw": "'Adamw' is not in the registry 'optimizers'; did you mean",
    "optimizer.lr=fast": "option 'optimizer.lr': found 'fast', expected a number",
    "optimizer.lr=-1": "AdamW: Invalid learning rate: -1",
    "optimizer.momentum=1": "AdamW: unknown key 'momentum'",
    "scheduler.type=Cosine": "'Cosine' is not in the registry 'schedulers'",
    "scheduler.max_lr=x": "option 'scheduler.max_lr': found 'x'",
    "train.type=Trainre": "'Trainre' is not in the registry 'trainers'",
    "data=none": "data = None, expected a dict",
    "data.train=None": "data = dict.train=dict.* is missing",
    "data.train.type=Tiny": "'Tiny' is not in the registry 'datasets'",
    "data.train.num_scenes=0": "TinyScenes holds no scene",
    "evaluate=True": "evaluate=True needs data = dict.val",
    "evaluate=yes": "option 'evaluate': found 'yes', expected a truth value",
    "'enable_amp=True' amp_dtype=half": "amp_dtype is one of .*found 'half'",
    "weight=good.pth": "good.pth: 0 of the model's 2 backbone tensors",
    "resume=True": "OUT/model/model_last.pth not found",
    "save_path=words.npz": "words.npz cannot be written: .* is a file",
    "save_path=words.npz/run": "words.npz/run cannot be written",
    "save_path=/proc/nowhere": "/proc/nowhere",
} | {f"weight={path}": words for path, words in WEIGHTS.items()}
# other config files of tools/train.py -> what the error says
CONFIGS = {
    "none.py": "config file .*none.py not found; near names",
    "folder.ply": "config file .*folder.ply not found",
    "syntax.py": "syntax.py, line 1: syntax error",
    "raises.py": "raises.py, line 1: NameError: name 'undefined_name'",
    "nobase.py": "config file .*nowhere.py not found",
    "loops.py": "loops.py: _base_ leads back",
    "blank.py": r"blank.py: data = dict\(train=dict\(type=...\)\) is missing",
    "binary.py": "binary.py is no text",
    "noimport.py": "noimport.py: custom_imports: cannot import 'no.such.module'",
    "reserved.py": "reserved.py: the keys .'filename'. are reserved",
    "width.py": "TinyModel: width = 'wide', expected a number",
}
# everything else, as it is typed
LINES = {
    "segment --weight nohead.pth --input room.ply --output OUT/x.ply": "nohead.pth: .*expected .*teacher.offset_head",
    "segment --weight wide.pth --input room.ply --output OUT/x.ply": "wide.pth: .*differ .*compare enc_channels",
    "segment --weight bare.pth --input room.ply --output OUT/x.ply": "bare.pth carries no config; .*give the config.py",
    "segment --weight grid.pth --input room.ply --output OUT/x.ply": "has no GridSample .*not a pretraining config",
    "segment --weight good.pth --input room.ply": "arguments are required: --output",
    "segment --weight good.pth --input . --output OUT/x.ply": "is one file, but . holds .* scans; give a folder",
    "segment --weight good.pth --input room.ply --output words.ply/x.ply": "words.ply/x.ply cannot be written",
    "segment --weight good.pth --input room.ply --output words.npz": "words.npz is a file, not a folder",
    "segment --weight good.pth --input room.ply --output folder.ply": "folder.ply is a folder; name a file",
    "segment --weight good.pth --input room.ply --output room.ply": "would write over the scan room.ply",
    "segment --weight good.pth --input good.npz --output good.ply": "would write over the scan good.npz",
    "segment --weight good.pth --input room.ply --output /proc/nowhere/x.ply": "/proc/nowhere",
    "segment --weight good.pth --input room.ply --output OUT/x.ply --grid-size 0": "--grid-size: found '0', expected",
    "segment --weight good.pth --input room.ply --output OUT/x.ply --grid-size -1": "--grid-size: found '-1', expected",
    "segment --weight good.pth --input room.ply --output OUT/x.ply --grid-size nan": "--grid-size: found 'nan'",
    "segment --weight good.pth --input room.ply --output OUT/x.ply --grid-size big": "--grid-size: found 'big'",
    "segment --weight good.pth --input room.ply --output OUT/x.ply --grid-size 1e-12": "room.ply: the points spread",
    "segment --weight good.pth --input room.ply --output OUT/x.ply --radius 0": "--radius: found '0', expected",
    "segment --weight good.pth --input room.ply --output OUT/x.ply --min-points -3": "--min-points: found '-3'",
    "segment --weight good.pth --input room.ply --output OUT/x.ply --network both": "--network: invalid choice: 'both'",
    "segment --weight good.pth --input room.ply --output OUT/x.ply --device cuda": "unrecognized arguments: --device",
    "evaluate_label_free --weight good.pth --data nowhere": "nowhere/val does not exist; expected .ply",
    "evaluate_label_free --weight good.pth --data unlabeled --split ''": "good: no instance labels; expected instance",
    "evaluate_label_free --weight good.pth --data words.npz": "words.npz/val does not exist",
    "evaluate_label_free --weight good.pth --num-scenes 0": "--num-scenes: found '0', expected",
    "evaluate_label_free --weight good.pth --seed -1": "--seed: found '-1', expected",
    "evaluate_label_free --weight good.pth --split nowhere": "split is 'nowhere': .* knows train, val, test",
    "evaluate_label_free --weight good.pth --num-clusters 0": "--num-clusters: found '0', expected",
    "evaluate_label_free --weight good.pth --methods magic": "--methods: invalid choice: 'magic'",
    "evaluate_label_free --weight good.pth --rivals magic": "--rivals: invalid choice: 'magic'",
    "tune_rivals --weight good.pth --data nowhere --output OUT.json": "nowhere/train does not exist; expected .ply",
    "tune_rivals --weight good.pth --methods pointins --output OUT.json": "--methods: invalid choice: 'pointins'",
    "tune_rivals --weight good.pth --output folder.ply": "--output: folder.ply is a folder",
    "tune_rivals --weight good.pth --output words.npz/x.json": "--output: words.npz/x.json cannot be written",
    "tune_rivals --weight good.pth --num-scenes 1 --output falling.json": "falling.json: no file of this tool",
    "tune_rivals --weight good.pth --num-scenes 1 --output broken.json": "broken.json: no file of this tool",
    "evaluate_label_free --weight good.pth --grid-size -1": "--grid-size: found '-1', expected",
    "evaluate_label_free --weight good.pth --json words.npz/x.json": "--json: words.npz/x.json cannot be written",
    "evaluate_label_free --weight good.pth --json folder.ply": "--json: folder.ply is a folder",
    "study_targets --weight good.pth --num-scenes 1 --prior nowhere.json": "prior 'nowhere.json' is neither a file",
    "study_targets --weight good.pth --num-scenes 1 --prior falling.json": "falling.json: not increasing at entry 1",
    "study_targets --weight good.pth --num-scenes 1 --prior noprior.json": "noprior.json: not a prior file",
    "study_targets --weight good.pth --num-scenes 1 --prior broken.json": "broken.json: not a prior file",
    "study_targets --weight good.pth --num-clusters 0": "--num-clusters: found '0'",
    "study_targets --weight good.pth --feature color": "--feature: invalid choice: 'color'",
    "study_targets --weight good.pth --radius -1": "--radius: found '-1'",
    "study_targets --weight good.pth --data unlabeled --split ''": "good: no instance labels",
    "fit_prior --data nowhere --output OUT.json": "nowhere does not exist",
    "fit_prior --data 'my scans' --output OUT.json": "my scans has no scans",
    "fit_prior --data 'broken scans' --output OUT.json": "broken scans/nan scan.npz: .*NaN or Inf",
    "fit_prior --data unlabeled --output OUT.json": "only 0 points lie on plausible objects",
    "fit_prior --data unlabeled --method labels --output OUT.json": "good: no instance labels; use --method",
    "fit_prior --data unlabeled --scale 0 --output OUT.json": "--scale: found '0'",
    "fit_prior --num-scenes -1 --output OUT.json": "--num-scenes: found '-1'",
    "fit_prior --grid-size 0 --output OUT.json": "--grid-size: found '0'",
    "fit_prior --radius 0 --output OUT.json": "--radius: found '0'",
    "fit_prior --method magic --output OUT.json": "--method: invalid choice: 'magic'",
    "fit_prior --split nowhere --output OUT.json": "split is 'nowhere'",
    "fit_prior --output folder.ply": "--output: folder.ply is a folder",
    "fit_prior --output words.npz/p.json": "--output: words.npz/p.json cannot be written",
    "export --weight good.pth --out folder.pth": "--out: folder.pth is a folder",
    "export --weight good.pth --out good.pth": "--out good.pth is the checkpoint itself",
    "export --weight good.pth --out words.pth/x.pth": "--out: words.pth/x.pth cannot be written",
    "export --weight good.pth --out /proc/nowhere/x.pth": "/proc/nowhere",
    "export --weight good.pth --out OUT.pth --layout onnx": "--layout: invalid choice: 'onnx'",
    "export --weight bare.pth --config syntax.py --out OUT.pth": "syntax.py, line 1: syntax error",
    "submit": "arguments are required: -e",
    "submit -e nowhere": "nowhere/config.py not found; -e takes the folder of an experiment",
    "submit -e exp/plain": "no submission is known for data.test.type = TinyScenes",
    "submit -e exp/scannet": "nowhere/val does not exist",
    "submit -e exp/scannet --out words.npz": "words.npz exists; remove it",
    "submit -e exp/unkept": "exp/unkept/result does not exist; keep the predictions first",
    "train --config-file tiny.py --num-gpus -1 --options save_path=OUT": "--num-gpus: found '-1', expected",
    "train --config-file tiny.py --num-machines 2 --options save_path=OUT": "need the address of machine 0: --dist-url",
    "train --config-file tiny.py --num-machines 0 --options save_path=OUT": "--num-machines: found '0'",
    "train --config-file tiny.py --extend sonata --options save_path=OUT": "--extend: invalid choice: 'sonata'",
    "train --config-file tiny.py --extend pointins --options save_path=OUT": "'TinyModel' is no teacher-student",
    "train --config-file ROOMS --options save_path=OUT num_rooms=0": "num_scenes is 0: .* needs at least 1 scene",
    "train --config-file ROOMS --options save_path=OUT room_seed=-1": "seed is -1: .* at least 0",
    "train --config-file ROOMS --options save_path=OUT data.train.split=x": "split is 'x': .* knows train, val, test",
    "train --config-file ROOMS --options save_path=OUT data.train.transform.0.type=Grid": "'Grid' is not in the",
    "train --config-file ROOMS --options save_path=OUT data.train.transform.0.grid_size=-1": "grid_size is -1, exp",
    "train --config-file ROOMS --options save_path=OUT num_rooms=1 hooks.ODRHook.prior=falling.json": "json: not",
    "train --config-file ROOMS --options save_path=OUT num_rooms=1 hooks.SCRHook.num_clusters=0": "num_clusters is 0",
    "train --config-file SCANS --options save_path=OUT data_root=nowhere": "nowhere does not exist; expected .ply",
    "train --config-file SCANS --options save_path=OUT 'data_root=my scans'": "my scans has no scans",
    "train --config-file SCANS --options save_path=OUT 'data_root=broken scans'": "broken scans/nan scan.npz",
    "train --config-file SCANS --options save_path=OUT data_root=unlabeled grid_size=0": "pretrain-dos-scans.py, line",
    "train --config-file SCANS --options save_path=OUT data_root=unlabeled grid_size=fine": "'grid_size': found",
    "test --config-file none.py --options save_path=OUT": "config file .*none.py not found",
    "test --config-file exp/untested/config.py --options save_path=OUT": "nothing to test, test = dict.* is missing",
    "test --config-file exp/plain/config.py --options save_path=OUT weight=none.pth": "none.pth not found",
    "test --config-file exp/plain/config.py --options save_path=OUT weight=evil.pth": "it asks to run",
    "test --config-file exp/plain/config.py --options save_path=OUT weight=good.pth": "good.pth: 0 of the model's 2",
    "test --config-file exp/plain/config.py --options save_path=OUT test.type=Tester": "'Tester' is not in the",
    "test --config-file exp/plain/config.py --options save_path=OUT": "OUT/model/model_last.pth not found",
    "test --config-file exp/nokey/config.py --options save_path=OUT": "the config has no key 'ignore_index'",
    "test --config-file exp/plain/config.py --options save_path=words.npz": "words.npz cannot be written",
    "ablate --suite all --data rooms": "--suite: invalid choice: 'all'",
    "ablate --suite components --data moon": "--data: invalid choice: 'moon'",
    "ablate --suite components --data rooms --arms all": "suite components has no arm .'all'.; it has random",
    "ablate --suite components --data mosd": "--data mosd needs --data-root",
    "ablate --suite components --data mosd --data-root nowhere": "--data-root, .*found 'nowhere'",
    "ablate --suite components --data mosd --data-root unlabeled --grid-size 0": "--grid-size: found '0'",
    "ablate --suite plugin --data drives": "suite plugin has configs of Sonata and PSA for .* alone, not drives",
    "ablate --suite components --data rooms --seeds 0": "--seeds: found '0'",
    "ablate --suite components --data rooms --steps 0": "--steps: found '0'",
    "ablate --suite components --data rooms --jobs 0": "--jobs: found '0'",
    "ablate --suite components --data rooms --output words.npz": "--output: words.npz cannot be written",
    "ablate --suite components --data rooms --output OUT --report": "no run of suite components is done below OUT",
    "benchmark --device cuda": "--device cuda, but PyTorch finds no GPU",
    "benchmark --device tpu": "--device: invalid choice: 'tpu'",
    "benchmark --only nothing": "--only: invalid choice: 'nothing'",
    "benchmark --only odr --repeats 1": "--repeats: found '1', expected a whole number of at least 2",
    "benchmark --only odr --json folder.ply": "--json: folder.ply is a folder",
    "benchmark --only odr --json broken.json": "broken.json holds no figures of this tool",
    "benchmark --only odr --json words.npz/x.json": "--json: words.npz/x.json cannot be written",
    "compare_hosts": "Pointcept is missing .*POINTCEPT_ROOT",
    "compare_hosts --config none.py": "--config none.py not found",
    "compare_hosts --steps 0": "--steps: found '0'",
    "compare_hosts --scenes 0": "--scenes: found '0'",
    "doctor --data nowhere": "--data nowhere is no folder",
    "doctor --data words.npz": "--data words.npz is no folder",
    "quickstart --num-rooms 0 --output OUT": "--num-rooms: found '0'",
    "quickstart --num-val -1 --output OUT": "--num-val: found '-1'",
    "quickstart --epochs 0 --output OUT": "--epochs: found '0'",
    "quickstart --seed -1 --output OUT": "--seed: found '-1'",
    "quickstart --output words.npz": "--output: words.npz cannot be written",
}
CASES = {
    **{f"segment --weight good.pth --input {scan} --output OUT/x": words for scan, words in SCANS.items()},
    **{f"{tool} --weight {path} {rest}": WEIGHTS[path] for tool, rest in READERS.items() for path in WEIGHTS},
    **{f"train --config-file tiny.py --options save_path=OUT {option}": words for option, words in OPTIONS.items()},
    **{f"train --config-file {path} --options save_path=OUT": words for path, words in CONFIGS.items()},
    **LINES,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The inputs, in a folder with a space in its name."""
    path = tmp_path_factory.mktemp("bad inputs")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(path)
        bad_inputs.make()
    return path


@pytest.fixture
def here(folder, monkeypatch):
    """The folder as the current one; it must be as it was before when the test ends."""
    monkeypatch.chdir(folder)
    monkeypatch.delenv("POINTCEPT_ROOT", raising=False)
    monkeypatch.delenv("POINTINS_DEBUG", raising=False)
    before = files(folder)
    yield folder
    assert files(folder) == before


def files(folder):
    """Every path, with size and time of what is a file."""
    found = {path: path.stat() for path in folder.rglob("*")}
    return {path: (stat.st_size, stat.st_mtime_ns) if path.is_file() else None for path, stat in found.items()}


def is_one_line(text, words):
    """Whether text on stderr, progress bars aside, is an error of one line with the `words`."""
    last = text.splitlines()[-1]
    assert re.match(r"(pointins \w+: |\w+\.py: )?error: ", last) and re.search(words, last), text
    assert "Traceback" not in text and "Warning" not in text
    assert len(re.findall(r"^(?:pointins \w+: |\w+\.py: )?error: ", text, re.MULTILINE)) == 1, text


@pytest.mark.parametrize("line, words", CASES.items(), ids=CASES)
def test_bad_input(line, words, here, monkeypatch, capfd):
    tool, *arguments = (str(PLACES.get(word, word)) for word in shlex.split(line))
    monkeypatch.setattr(sys, "argv", [f"{tool}.py", *arguments])
    monkeypatch.syspath_prepend(ROOT / "tools")
    if "benchmark --device cuda" in line and torch.cuda.is_available():
        pytest.skip("there is a GPU")
    try:
        with pytest.raises(SystemExit) as stop:
            runpy.run_path(str(ROOT / "tools" / f"{tool}.py"), run_name="__main__")
    finally:
        forget_the_log()
    assert stop.value.code == 2
    is_one_line(capfd.readouterr().err, words)


def forget_the_log():
    logger = logging.getLogger("pointins_ext")
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        handler.close()


COORD = np.random.default_rng(0).random((50, 3))


@pytest.mark.parametrize(
    "arguments, words",
    [
        (dict(weight=None), "segment: weight is missing"),
        (dict(weight="none.pth"), "none.pth not found"),
        (dict(weight="evil.pth"), "it asks to run"),
        (dict(weight="nohead.pth"), "have no teacher.offset_head"),
        (dict(coord=COORD[:, :2]), r"coord has shape \(50, 2\), expected \(N, 3\)"),
        (dict(coord=COORD[:3]), "3 points, expected at least 10"),
        (dict(coord=np.zeros((0, 3))), "0 points, expected at least 10"),
        (dict(coord=COORD * np.nan), "50 of 50 points have NaN or Inf in coord"),
        (dict(coord="scan.ply"), r"coord has shape \(\)"),
        (dict(coord=[["a", "b", "c"]] * 20), "coord holds .*, expected numbers"),
        (dict(coord=[[0, 1, 2], [0, 1]]), "coord is no array"),
        (dict(coord=COORD * 1e12), "the points spread over"),
        (dict(color=COORD[:20]), "color has 20 rows, expected 50"),
        (dict(color=COORD * 2 - 1), r"segment: colors from .*expected 0\.\.1"),
        (dict(normal=COORD[:, 0]), r"normal has shape \(50,\), expected \(N, 3\)"),
        (dict(tint=COORD), "does not read tint; it reads .*color"),
        (dict(grid_size=0), "grid_size is 0, expected meters above 0"),
        (dict(grid_size=-0.04), "grid_size is -0.04"),
        (dict(grid_size=1e-9), "the points spread over"),
        (dict(radius=0), "radius is 0, expected meters above 0"),
        (dict(radius=float("nan")), "radius is nan"),
    ],
)
def test_bad_arguments_of_segment(arguments, words, here, capsys):
    with pytest.raises(SystemExit) as stop:
        exit_on_user_error(lambda: segment(**dict(coord=COORD, weight="good.pth") | arguments))
    assert stop.value.code == 2
    is_one_line(capsys.readouterr().err, words)


@pytest.mark.parametrize(
    "command, words",
    [
        (("sh", "tools/train.sh", "-p", sys.executable, "-c", "tiny", "-n", "a b", "--", "epoch=two"), "found 'two'"),
        (
            (sys.executable, "tools/segment.py", "--weight", "evil.pth", "--input", ".", "--output", "OUT"),
            "asks to run",
        ),
    ],
    ids=["train.sh", "segment.py"],
)
def test_processes(command, words, folder):
    """As a user starts them."""
    before = files(folder)
    command = [str(ROOT / word) if word.startswith("tools/") else word for word in command]
    environment = dict(os.environ, POINTINS_HOST="embedded", OMP_NUM_THREADS="1", PYTHONPATH=str(ROOT))
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2, done.stdout
    is_one_line(done.stderr, words)
    assert files(folder) == before
