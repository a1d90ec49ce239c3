"""Submissions are read back as the servers read them; whatever is wrong is one line, and then nothing is written."""

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from pointins_ext.embedded import label_maps
from pointins_ext.host import TESTERS, build_dataset, build_model
from pointins_ext.submission import write as submission
from pointins_ext.submission.formats import SCANNET200_LABELS
from tests.fixtures import tiny_datasets as tiny
from tests.fixtures.call_verb import call_verb
from tests.fixtures.shrunk_downstream import FOLDER, load
from tests.fixtures.submissions import (
    INSTANCE,
    PANOPTIC,
    SEMANTIC,
    THINGS,
    config,
    files,
    read_kitti,
    read_nuscenes,
    read_scannet,
    submit,
)

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("cfg", "predictions", "sizes", "words"),
    [
        (("S3DISDataset", SEMANTIC), {}, {}, "no submission is known for data.test.type = S3DISDataset; expected one"),
        (("ScanNetDataset", "SemSegTester"), {}, {}, "what SemanticTester, .* keep; test.type is SemSegTester"),
        (("ScanNetDataset", PANOPTIC), {}, {}, "ScanNet takes submissions of the tasks semantic, instance; PanSeg"),
        (("NuScenesDataset", INSTANCE), {}, {}, "NuScenes takes submissions of the tasks semantic, panoptic; Instance"),
        (("NuScenesDataset", SEMANTIC, ["val", "test"]), {}, {}, "of one split, train, val or test, not .*val"),
        (("NuScenesDataset", SEMANTIC), {}, {}, "result does not exist; .*pointins test -d .* -- test.save=True"),
        (
            ("NuScenesDataset", SEMANTIC),
            dict(a=dict(segment=[0])),
            dict.fromkeys("abcdefgh", 1),
            r"no prediction for 7 of the 8 scans of split val: b, c, d, e, f, \.\.\.; test it with test.save=True",
        ),
        (("NuScenesDataset", SEMANTIC), dict(a=dict(segment=[0])), dict(a=1, b=1), "for 1 of the 2 .*: b; test it"),
        (
            ("NuScenesPanopticDataset", PANOPTIC),
            dict(a=dict(segment=[0])),
            None,
            "a.npz has segment, but no instance; it is not of the task panoptic",
        ),
        (
            ("ScanNetDataset", INSTANCE),
            dict(a=dict(segment=[0], instance=[0])),
            None,
            "a.npz has segment, instance, but no score, category",
        ),
        (("ScanNetDataset", SEMANTIC), dict(a=dict(segment=[0, 1])), dict(a=3), "has 2 points, the scan 3: .*raw"),
        (
            ("ScanNetDataset", SEMANTIC),
            dict(a=dict(segment=[0, 20, -1])),
            None,
            r"holds the classes \[-1, 20\], .*0..19",
        ),
        (("ScanNet200Dataset", SEMANTIC), dict(a=dict(segment=[200])), None, r"a.npz holds the classes \[200\]"),
        (("SemanticKITTIDataset", SEMANTIC), {"08_0": dict(segment=[-1])}, None, r"08_0.npz holds the classes \[-1\]"),
        (
            ("ScanNetDataset", INSTANCE),
            dict(a=dict(instance=[0], score=[np.nan], category=[3])),
            None,
            "a.npz holds a score that is not a finite number",
        ),
        (
            ("NuScenesPanopticDataset", PANOPTIC),
            dict(a=THINGS),
            None,
            "a.npz holds 1001 instances of class 0, the format has numbers for 999: raise model.min_points",
        ),
        (
            ("SemanticKITTIPanopticDataset", PANOPTIC),
            {"08_0": dict(segment=np.zeros(2**16, int), instance=np.arange(1, 2**16 + 1))},
            None,
            "08_0.npz holds 65536 instances of class 0, .* 65535",
        ),
    ],
)
@pytest.mark.parametrize("output", ["out", "out.zip"])
def test_what_cannot_be_submitted_is_named_and_nothing_is_written(cfg, predictions, sizes, words, output, tmp_path):
    with pytest.raises((ValueError, FileNotFoundError), match=words) as caught:
        submit(tmp_path, config(*cfg), predictions, output, sizes)
    assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["result"] * bool(predictions)


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04 cut"])
def test_a_broken_prediction_is_named(content, tmp_path):
    (tmp_path / "result").mkdir()
    (tmp_path / "result" / "a.npz").write_bytes(content)
    with pytest.raises(ValueError, match=r"a.npz cannot be read: .*; remove it and test again"):
        submit(tmp_path, config("ScanNetDataset", SEMANTIC), {}, sizes=dict(a=1))


@pytest.mark.parametrize("output", ["out", "out.zip"])
def test_what_is_there_stays(output, tmp_path):
    predictions, cfg = dict(a=dict(segment=[0])), config("ScanNetDataset", SEMANTIC)
    before = files(submit(tmp_path, cfg, predictions, output).parent)
    with pytest.raises(ValueError, match=rf"{output} exists; remove it, or name another place: --out"):
        submit(tmp_path, cfg, dict(a=dict(segment=[1])), output)
    assert {key: value for key, value in files(tmp_path).items() if "result" not in key} == {
        key: value for key, value in before.items() if "result" not in key
    }


def experiment(name, split):
    """Config of a shrunk experiment in exp/pointins/NAME of the current folder, with weights that find instances."""
    cfg = load(FOLDER / f"{name}.py")
    if "semantic_kitti" in name:
        tiny.write_semantic_kitti(Path(cfg.data.test.data_root), range(11, 22), unlabeled=range(11, 22))
    cfg.data.test.split, cfg.save_path = split, f"exp/pointins/{name}"
    torch.manual_seed(0)
    model = build_model(cfg.model)
    if not name.startswith("semseg"):
        with torch.no_grad():  # most points are of class 3, and lie where they are
            model.seg_head.weight.mul_(0.1)
            model.seg_head.bias[3] += 3
            model.bias_head[-1].weight.zero_()
            model.bias_head[-1].bias.zero_()
    if cfg.data.test.get("test_cfg"):
        cfg.data.test.test_cfg.aug_transform = cfg.data.test.test_cfg.aug_transform[::9]  # two passes of ten
    cfg.weight = f"{cfg.save_path}/model/model_best.pth"
    Path(cfg.weight).parent.mkdir(parents=True)
    torch.save(dict(state_dict=model.state_dict()), cfg.weight)
    cfg.dump(f"{cfg.save_path}/config.py")
    return cfg


CASES = {
    "semseg-ptv3-semantic_kitti": [f"{i}_000000" for i in range(11, 22)],
    "panseg-ptv3-semantic_kitti": [f"{i}_000000" for i in range(11, 22)],
    "semseg-ptv3-nuscenes": ["token4"],
    "panseg-ptv3-nuscenes": ["token4"],
    "semseg-ptv3-scannet200": ["scene0707_00"],
    "insseg-ptv3-scannet": ["scene0707_00"],
}


@pytest.mark.parametrize("name", CASES)
def test_a_test_split_is_submitted(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cfg = experiment(name, "test")
    result = TESTERS.build(dict(cfg.test, cfg=cfg, save=True)).test()
    assert result and all(np.isnan(value).all() for value in result.values())
    assert not Path(cfg.save_path, "results").exists()
    log = Path(cfg.save_path, "test.log").read_text()
    assert f"{len(CASES[name])} of {len(CASES[name])} scenes have no labels: they are not scored" in log

    folder = tmp_path / "out"
    assert submission.write_submission(cfg.save_path, cfg, str(folder), build_dataset) == len(CASES[name])
    kept = {scan: dict(np.load(Path(cfg.save_path, "result", f"{scan}.npz"))) for scan in CASES[name]}
    found, dataset = files(folder), build_dataset(cfg.data.test)
    for i, (scan, arrays) in enumerate(kept.items()):
        number = len(dataset.get_data(i)["coord"])
        if "kitti" in name:
            label, instance = read_kitti(found.pop(f"sequences/{scan[:2]}/predictions/000000.label"))
            segment = label_maps.label_table(label_maps.KITTI, label_maps.KITTI_IGNORED, -1)[label]
        elif name == "semseg-ptv3-nuscenes":
            segment = np.frombuffer(found.pop(f"lidarseg/test/{scan}_lidarseg.bin"), np.uint8) - 1
        elif name == "panseg-ptv3-nuscenes":
            label, instance = read_nuscenes(found.pop(f"panoptic/test/{scan}_panoptic.npz"))
            segment = label - 1
        elif name == "insseg-ptv3-scannet":
            read = read_scannet(folder, scan)
            assert len(read) == len(arrays["score"]) >= 1
            np.testing.assert_array_equal(
                [mask for *_, mask in read], arrays["instance"] == np.arange(len(read))[:, None]
            )
            assert {label for label, *_ in read} == {4}
            continue
        else:
            label = np.array(found.pop(f"{scan}.txt").split(), int)
            segment = np.searchsorted(SCANNET200_LABELS, label)
        assert len(segment) == number
        np.testing.assert_array_equal(segment, arrays["segment"])
        if "panseg" in name:
            np.testing.assert_array_equal(instance > 0, arrays["instance"] > 0)
            assert instance.any()
    assert "insseg" in name or set(found) <= {"test/submission.json"}


def test_scenes_without_labels_are_counted_and_need_save(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cfg = experiment("insseg-ptv3-scannet", "val")
    for path in Path(cfg.data.test.data_root, "val", "scene0011_00").glob("segment*"):
        path.unlink()
    with pytest.raises(ValueError, match="scene0011_00: no point has a class"):
        TESTERS.build(dict(cfg.test, cfg=cfg)).test()
    result = TESTERS.build(dict(cfg.test, cfg=cfg, save=True)).test()
    assert "1 of 2 scenes have no labels: they are not scored" in Path(cfg.save_path, "test.log").read_text()
    assert not np.isnan(result["map"]) and Path(cfg.save_path, "results", "instance.json").is_file()
    assert len(list(Path(cfg.save_path, "result").iterdir())) == 2


def test_the_tools_as_a_user_calls_them(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    experiment("semseg-ptv3-nuscenes", "val")
    folder = "exp/pointins/semseg-ptv3-nuscenes"
    for arguments, words in [
        (("-e", "exp/pointins/none"), "exp/pointins/none/config.py not found"),
        (
            ("-e", folder),
            "keep the predictions first: pointins test -d pointins -n semseg-ptv3-nuscenes -- test.save",
        ),
    ]:
        done = call_verb("submit", *arguments)
        assert done.returncode == 2 and words in done.stderr and len(done.stderr.splitlines()) == 1, done.stderr

    # what the error says to do, on the split of the server
    verb, *flags = re.search(r"pointins (test .*)", done.stderr)[1].split()
    assert call_verb(verb, "-g", 1, *flags, "data.test.split=test").returncode == 0
    done = call_verb("submit", "-e", folder)
    assert done.returncode == 2 and "no prediction for 2 of the 2 scans of split val" in done.stderr
    environment = dict(os.environ, POINTINS_HOST="embedded", OMP_NUM_THREADS="1", PYTHONPATH=str(ROOT))
    command = [sys.executable, "-m", "pointins_ext", "submit", "-e", folder, "--split", "test", "--out", "mine.zip"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and done.stdout.splitlines()[-1] == "1 scans -> mine.zip", done.stderr
    with zipfile.ZipFile("mine.zip") as archive:
        assert {"lidarseg/test/token4_lidarseg.bin", "test/submission.json"} < set(archive.namelist())
    assert not Path(folder, "submission").exists()
