"""`pointins segment` with checkpoints that were trained on labels."""

import numpy as np
import pytest

from pointins_ext.cli import segment
from pointins_ext.datasets.readers import read_scan
from pointins_ext.datasets.tree import find_scans
from pointins_ext.inference import load_segmenter
from tests.fixtures.call_verb import call_verb
from tests.fixtures.tiny_finetuned import Experiment

plyfile = pytest.importorskip("plyfile")


@pytest.fixture(scope="module", params=["insseg-scans", "panseg-drives", "semseg-ptv3-scannet"])
def experiment(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield Experiment(request.param, folder)


def call(experiment, *flags, scan=None):
    segment.main(["--weight", str(experiment.weight), "--input", str(scan or experiment.scan), *map(str, flags)])


def test_writes_ply_npz_and_picture(experiment, tmp_path, capsys):
    pytest.importorskip("matplotlib")
    classes_alone = experiment.kind == "DefaultSegmentorV2"
    call(experiment, "--output", tmp_path / "out.ply")
    expected = load_segmenter(experiment.weight, device="cpu")(read_scan(experiment.scan))
    line = f"{experiment.scan}: {expected.summary()} -> {tmp_path / 'out.ply'}"
    assert capsys.readouterr().out.splitlines()[-1] == line
    vertex, arrays = plyfile.PlyData.read(tmp_path / "out.ply")["vertex"], np.load(tmp_path / "out.npz")
    fields = ["segment"] if classes_alone else ["segment", "instance"]
    for key in fields:
        np.testing.assert_array_equal(arrays[key], getattr(expected, key))
        np.testing.assert_array_equal(arrays[key], vertex[key])
    assert arrays["class_names"].tolist() == list(expected.names)
    assert set(arrays) == {"segment", "class_names"} | (
        set() if classes_alone else {"instance", "score", "category", "center"}
    )
    if not classes_alone:
        number = arrays["instance"].max() + 1
        assert number > 1 and len(arrays["score"]) == len(arrays["category"]) == number
        coord = read_scan(experiment.scan)["coord"]
        np.testing.assert_allclose(arrays["center"][1], coord[arrays["instance"] == 1].mean(0), atol=1e-4)
    assert (tmp_path / "out.png").read_bytes()[:4] == b"\x89PNG"
    assert find_scans(tmp_path) == []  # results are no scans


def test_keeps_the_order_of_a_file_with_missing_points(experiment, tmp_path):
    """Points far from the world's origin, as surveyors have them; a fifth has no place."""
    arrays = dict(np.load(experiment.scan))
    missing = np.arange(len(arrays["coord"])) % 5 == 0
    arrays["coord"] = arrays["coord"].astype(np.float64) + [0, 0, 0 if "strength" in arrays else 5000]
    arrays["coord"][missing] = np.nan
    np.savez(tmp_path / "scan.npz", **arrays)
    call(experiment, "--output", tmp_path / "o.ply", "--no-picture", scan=tmp_path / "scan.npz")
    found, vertex = np.load(tmp_path / "o.npz"), plyfile.PlyData.read(tmp_path / "o.ply")["vertex"]
    for key in {"segment", "instance"} & set(found):
        assert (found[key][missing] == -1).all() and len(found[key]) == len(missing)
        np.testing.assert_array_equal(found[key][~missing], vertex[key])
    np.testing.assert_allclose(vertex["z"], arrays["coord"][~missing, 2], atol=1e-3)


def test_flags_that_have_no_meaning(experiment, tmp_path):
    for flags in (["--radius", 0.1], ["--min-points", 3], ["--network", "student"]):
        with pytest.raises(ValueError, match=f"are for pretraining; a {experiment.kind} groups as its config says"):
            call(experiment, "--output", tmp_path / "o.ply", "--no-picture", *flags)
    pytest.importorskip("plotly")
    if experiment.kind == "DefaultSegmentorV2":
        with pytest.raises(ValueError, match="--view shows instances, a DefaultSegmentorV2 has classes alone"):
            call(experiment, "--output", tmp_path / "o.ply", "--no-picture", "--view")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("experiment", ["insseg-scans", "panseg-drives"], indirect=True)
def test_view_shows_the_instances(experiment, tmp_path, monkeypatch):
    pytest.importorskip("plotly")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    call(experiment, "--output", tmp_path / "o.ply", "--no-picture", "--view")
    assert (tmp_path / "o.html").read_text().count('"score":') == len(np.load(tmp_path / "o.npz")["score"])


@pytest.mark.parametrize("experiment", ["insseg-scans"], indirect=True)
def test_another_checkpoint_ends_in_one_line(experiment, tmp_path):
    path = experiment.folder / "other.pth"
    content = dict(model=dict(experiment.cfg.to_dict()["model"], type="PPT-v1m3"))
    experiment.write(config=content).rename(path)
    experiment.write()
    done = call_verb("segment", "--weight", path, "--input", experiment.scan, "--output", tmp_path / "o")
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1, done.stderr
    assert f"{path}: found a model of type 'PPT-v1m3'; expected a pretraining" in done.stderr
    assert not list(tmp_path.iterdir())
