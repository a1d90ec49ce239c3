"""The verbs as a user calls them, on one tiny checkpoint: results, and errors in one line that write nothing."""

import json
import shutil
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import tune_rivals

pytest.importorskip("matplotlib")
pytest.importorskip("sklearn")
plyfile = pytest.importorskip("plyfile")

from pointins_ext import segment  # noqa: E402
from pointins_ext.branch import GraphRule  # noqa: E402
from pointins_ext.cli.scenes import load_scenes  # noqa: E402
from pointins_ext.datasets.readers import write_ply  # noqa: E402
from pointins_ext.datasets.rooms import generate_room  # noqa: E402
from pointins_ext.datasets.scans import ScanDataset  # noqa: E402
from pointins_ext.instances import MIN_VOXELS, oriented_boxes  # noqa: E402
from tests.fixtures.call_verb import call_verb  # noqa: E402
from tests.fixtures.verbs import CONFIG, TINY, tool  # noqa: E402


@pytest.fixture(scope="module")
def experiment(tmp_path_factory):
    folder = tmp_path_factory.mktemp("experiment")
    done = call_verb("train", "--config-file", CONFIG, "--options", *TINY, f"save_path={folder}", "seed=0")
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def weight(experiment):
    return experiment / "model" / "model_last.pth"


@pytest.mark.parametrize(
    "name, flags",
    [
        ("segment", ("--input", "scan.ply", "--output", "out.ply")),
        ("evaluate", ("--num-scenes", "1")),
        ("study", ("--num-scenes", "1")),
        ("export", ("--out", "out.pth")),
    ],
)
def test_a_config_beside_a_checkpoint_is_not_run(name, flags, weight, tmp_path):
    checkpoint = torch.load(weight, weights_only=True)
    (tmp_path / "exp" / "model").mkdir(parents=True)
    path = tmp_path / "exp" / "model" / "model_last.pth"
    torch.save(dict(state_dict=checkpoint["state_dict"], epoch=2), path)
    (tmp_path / "exp" / "config.py").write_text("open('ran', 'w').close()\n")
    write_ply(tmp_path / "scan.ply", np.eye(3, dtype=np.float32))
    done = call_verb(name, "--weight", path, *flags, cwd=tmp_path)
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1, done.stderr
    assert f"{path.parents[1] / 'config.py'}, line 1: found the code" in done.stderr and "--config" in done.stderr
    done = call_verb(name, "--weight", path, *flags, "--config", tmp_path / "exp" / "config.py", cwd=tmp_path)
    assert done.returncode == 2 and "expected the key 'model'" in done.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ["exp", "ran", "scan.ply"]


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    room = generate_room(7)
    folder = tmp_path_factory.mktemp("scans")
    write_ply(folder / "room.ply", room["coord"], room["color"])
    np.savez(folder / "room.npz", coord=room["coord"][::2], color=room["color"][::2])
    return folder / "room.ply"


def test_segment_writes_ply_npz_and_picture(weight, scan, tmp_path):
    done = tool("segment", "--weight", weight, "--input", scan, "--output", tmp_path / "out.ply")
    assert done.returncode == 0, done.stderr
    vertex = plyfile.PlyData.read(tmp_path / "out.ply")["vertex"]
    arrays = np.load(tmp_path / "out.npz")
    assert len(vertex) == len(arrays["instance"]) == len(plyfile.PlyData.read(scan)["vertex"])
    np.testing.assert_array_equal(vertex["instance"], arrays["instance"])
    assert (tmp_path / "out.png").read_bytes()[:4] == b"\x89PNG"
    boxes = oriented_boxes(np.stack([vertex[a] for a in "xyz"], 1), arrays["instance"])
    for name in ("center", "size", "yaw"):
        np.testing.assert_allclose(arrays[f"box_{name}"], getattr(boxes, name), atol=1e-4)
    written = json.loads((tmp_path / "out.boxes.json").read_text())["boxes"]
    np.testing.assert_array_equal([box["translation"] for box in written], arrays["box_center"])
    assert [box["num_points"] for box in written] == np.bincount(arrays["instance"] + 1)[1:].tolist()
    assert [box["score"] for box in written] == pytest.approx(arrays["score"].tolist()) and len(written) > 0
    assert all(0 < box["score"] < 1 and box["num_points"] >= MIN_VOXELS for box in written)
    assert [box["stuff"] for box in written] == arrays["stuff"].tolist() and 0 < arrays["stuff"].sum() < len(written)
    instance, center = segment(np.stack([vertex[a] for a in "xyz"], 1), weight=weight)
    assert instance.shape == (len(vertex),) and center.shape == (instance.max() + 1, 3)


def test_segment_keeps_the_order_of_a_file_with_missing_points(weight, scan, tmp_path):
    room = generate_room(7)
    missing = np.arange(len(room["coord"])) % 5 == 0
    room["coord"][missing] = np.nan
    np.savez(tmp_path / "kinect.npz", coord=room["coord"], color=room["color"])
    done = call_verb(
        "segment",
        "--weight",
        weight,
        "--input",
        tmp_path / "kinect.npz",
        "--output",
        tmp_path / "o.ply",
        "--no-picture",
    )
    assert done.returncode == 0, done.stderr
    assert f"warning: {tmp_path / 'kinect.npz'}: {missing.sum()} of {len(missing)} points have NaN" in done.stderr
    arrays, vertex = np.load(tmp_path / "o.npz"), plyfile.PlyData.read(tmp_path / "o.ply")["vertex"]
    assert (arrays["instance"][missing] == -1).all() and np.isnan(arrays["offset"][missing]).all()
    np.testing.assert_array_equal(arrays["instance"][~missing], vertex["instance"])
    np.testing.assert_array_equal(arrays["offset"][~missing, 0], vertex["offset_x"])
    np.testing.assert_array_equal(room["coord"][~missing, 2], vertex["z"])


def test_segment_view_writes_a_page_and_opens_none_without_a_display(weight, scan, tmp_path, monkeypatch):
    pytest.importorskip("plotly")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("BROWSER", f"touch {tmp_path / 'opened'} %s")
    arguments = ["--weight", weight, "--input", scan, "--output", tmp_path / "out.ply", "--no-picture", "--view"]
    done = call_verb("segment", *arguments)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == f"view: {tmp_path / 'out.html'}"
    html = (tmp_path / "out.html").read_text()
    count = int(np.load(tmp_path / "out.npz")["instance"].max()) + 1
    assert html.count('"score":') == count > 0 and '"name":"out"' in html and "Instances of room.ply" in html
    assert not (tmp_path / "opened").exists()


def test_segment_takes_a_folder(weight, scan, tmp_path):
    done = call_verb("segment", "--weight", weight, "--input", scan.parent, "--output", tmp_path, "--no-picture")
    assert done.returncode == 0, done.stderr
    # room.ply and room.npz side by side: neither result is written over the other
    names = {f"{scan}.{kind}" for scan in ("room.ply", "room.npz") for kind in ("ply", "npz", "boxes.json")}
    assert {path.name for path in tmp_path.iterdir()} == names


def test_segment_leaves_its_results_out(weight, scan, tmp_path):
    """The same command twice, the results below the folder of the scans."""
    shutil.copy(scan, tmp_path / "room.ply")
    for _ in range(2):
        done = call_verb("segment", "--weight", weight, "--input", ".", "--output", "out", "--no-picture", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["room.boxes.json", "room.npz", "room.ply"]
    assert "warning: .: 2 left out (results of pointins_ext): ./out/room.npz ..." in done.stderr
    assert ScanDataset(tmp_path).names == ["room"]
    shutil.copy(scan, tmp_path / "out" / "mine.ply")
    done = call_verb("segment", "--weight", weight, "--input", ".", "--output", "out", "--no-picture", cwd=tmp_path)
    assert done.returncode == 0 and "1 left out (in the folder of --output): out" in done.stderr, done.stderr


def test_segment_says_why_it_finds_nothing(weight, scan, tmp_path):
    coord = np.random.default_rng(0).random((100, 3)) * 0.1
    np.savez(tmp_path / "speck.npz", coord=coord)
    np.savez(tmp_path / "mm.npz", coord=np.load(scan.with_suffix(".npz"))["coord"] * 1000)
    done = call_verb("segment", "--weight", weight, "--input", tmp_path / "speck.npz", "--output", tmp_path / "out.ply")
    assert done.returncode == 0, done.stderr
    assert "speck.npz: the scan is only" in done.stderr and "speck.npz: 0 instances: of the" in done.stderr
    done = call_verb("segment", "--weight", weight, "--input", tmp_path / "mm.npz", "--output", tmp_path / "out.ply")
    assert done.returncode == 2 and "divide coordinates in millimeters by 1000" in done.stderr.splitlines()[-1]


def test_segment_help_states_its_defaults():
    text = " ".join(call_verb("segment", "--help").stdout.split())
    assert f"(default: {GraphRule.radius:g} voxels)" in text and f"in voxels (default: {MIN_VOXELS})" in text
    assert "z must point up" in text


@pytest.mark.parametrize("method", ["components", "hdbscan", "labels"])
def test_prior_gives_a_prior_that_loads(method, tmp_path):
    from pointins_ext.branch import MagnitudePrior

    path = tmp_path / "prior.json"
    start = tool if method == "components" else call_verb
    done = start("prior", "--num-scenes", 1, "--method", method, "--output", path)
    assert done.returncode == 0, done.stderr
    assert 0.1 < float(MagnitudePrior.load(path).quantile(torch.tensor(0.5))) < 1.0


def test_study_misses_a_checkpoint_before_it_begins(weight, tmp_path):
    done = tool("study", "--weight", weight, tmp_path / "gone.pth", "--num-scenes", "1")
    assert done.returncode == 2 and not done.stdout
    assert "gone.pth not found" in done.stderr and "crops" not in done.stderr


def test_study_prints_every_variant_of_every_checkpoint_and_makes_its_scenes_once(weight, tmp_path):
    flags = ("--num-scenes", 1, "--draws", 1, "--num-clusters", 2, 5, "--json", tmp_path / "table.json")
    done = tool("study", "--weight", weight, weight, *flags)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("1 scenes, 1 draws") == 2
    assert (done.stdout + done.stderr).count("SyntheticRoomsDataset: 1 scenes") == 1
    printed = {line[:40].strip() for line in done.stdout.splitlines()}
    table = json.loads((tmp_path / "table.json").read_text())[str(weight)]
    for name in (
        "teacher's own",
        "ODR",
        "ODR + K-means loss_stage K2 r0.12",
        "K-means loss_stage K5 r0.12",
        "pairwise",
    ):
        assert name[:40] in printed and set(table[name]["cosine"]) == {"mean", "interval"}
    assert -1 <= table["pairwise"]["cosine"]["mean"] <= 1 and 0 <= table["pairwise"]["stuff"]["mean"] <= 1


def test_evaluate_writes_both_protocols(weight, tmp_path):
    done = tool("evaluate", "--weight", weight, "--num-scenes", 1, "--json", tmp_path / "table.json")
    assert done.returncode == 0, done.stderr
    table = json.loads((tmp_path / "table.json").read_text())
    for protocol in ("unsupervised", "unsupervised_with_planes", "unsupervised_planes_off"):
        assert set(table[protocol]) == {"pointins", "kmeans", "hdbscan", "components"}
        for scores in table[protocol].values():
            assert all(0 <= scores[key] <= 1 for key in ("map", "ap50", "ap25"))
    printed = {line[:21].strip(): line[21:].split() for line in done.stdout.splitlines()}
    assert len(printed["components"]) == 12 and len(printed["components + planes"]) == 6
    assert table["unsupervised"]["pointins"] == table["unsupervised_with_planes"]["pointins"]
    assert len(printed["pointins"]) == 12 and "pointins + planes" not in printed  # it would be the same
    assert printed["components + planes"][0] == f"{100 * table['unsupervised_with_planes']['components']['ap50']:.1f}"
    assert set(table["boxes"]) == set(table["unsupervised"])
    boxes = table["boxes"]["components"]
    assert 0 <= boxes["box50"] <= boxes["box25"] <= 1
    assert printed["components boxes"] == [f"{100 * boxes[name]:.1f}" for name in ("box25", "box50")]
    assert "hdbscan (rooms): min_cluster_size" in done.stdout and "no parameters" not in done.stderr


def test_rivals_are_tuned_and_their_parameters_used(weight, tmp_path, monkeypatch):
    room = generate_room(3)
    for split in ("train", "val"):
        (tmp_path / "attic" / split / "a").mkdir(parents=True)
        for key in ("coord", "color", "instance"):
            np.save(tmp_path / "attic" / split / "a" / f"{key}.npy", room[key])
    monkeypatch.chdir(tmp_path)
    request = ["--weight", str(weight), "--data", "attic", "--methods", "kmeans", "--output", "new/r.json"]
    monkeypatch.setattr(sys, "argv", ["tune_rivals.py", *request])
    monkeypatch.setitem(tune_rivals.GRIDS, "kmeans", (dict(num_clusters=(3,), radius=(1.75, 4.0)), dict(reach=(3.0,))))
    tune_rivals.main()
    (stored,) = json.loads((tmp_path / "new/r.json").read_text())["attic"].values()
    assert stored["scenes"] == 1 and stored["command"].startswith("python tools/tune_rivals.py --weight")
    assert stored["raw"]["map"] >= 0 and stored["apart"]["parameters"].keys() == stored["raw"]["parameters"].keys()

    few = ("--weight", weight, "--data", "attic", "--methods", "components")
    done = call_verb("evaluate", *few, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "warning: components on attic: no parameters are stored, those of rooms are used" in done.stderr
    assert "components (rooms): radius" in done.stdout
    done = call_verb("evaluate", *few, "--rivals", "mosd", cwd=tmp_path)
    assert "components (mosd): radius" in done.stdout and "warning: components" not in done.stderr


def test_drives_can_be_evaluated_as_rooms_can():
    args = SimpleNamespace(data="drives", split="val", num_scenes=1, seed=0)
    (scene,) = load_scenes(args, SimpleNamespace(scale=2.0))
    assert scene["name"] == "drive_val_0_0000" and scene["instance"].max() > 0 and np.ptp(scene["coord"][:, 0]) > 40


def test_table_tops_get_the_size_of_rooms():
    """By default, and by the voxel that is asked for."""
    extent = {}
    for grid_size in (None, 0.008, 0.02):
        args = SimpleNamespace(data="tabletops", split="val", num_scenes=1, seed=0, grid_size=grid_size)
        (scene,) = load_scenes(args, SimpleNamespace(scale=2.0, grid_size=0.04))
        extent[grid_size] = np.ptp(scene["coord"], axis=0).max()
        assert scene["instance"].max() >= 1 and scene["normal_estimated"]
    assert extent[None] == extent[0.008] == pytest.approx(2.5 * extent[0.02]) and 4 < extent[None] < 10


@pytest.mark.parametrize(
    "name, arguments, message",
    [
        ("segment", ["--weight", "nope.pth", "--input", "SCAN", "--output", "out.ply"], "nope.pth"),
        ("segment", ["--weight", "BROKEN", "--input", "SCAN", "--output", "out.ply"], "truncated"),
        ("segment", ["--weight", "WEIGHT", "--input", "empty", "--output", "out"], "empty"),
        ("segment", ["--weight", "WEIGHT", "--input", "nan.npz", "--output", "out.ply"], "nan.npz"),
        ("segment", ["--weight", "WEIGHT", "--input", "three.npz", "--output", "out.ply"], "3 points"),
        ("prior", ["--data", "empty", "--output", "prior.json"], "no scans"),
        ("train", ["--config-file", "SCANS", "--options", "data_root=empty", "save_path=out"], "no scans"),
        ("train", ["--config-file", "SCANS", "--options", "data_root=bad", "save_path=out"], "nan.npz"),
        ("train", ["--config-file", "ROOMS", "--options", "model.type=Pointins", "save_path=out"], "Pointins"),
        ("train", ["--config-file", "ROOMS", "--options", "hooks.ODRHook.prior=falling.json", *TINY], "not increasing"),
    ],
)
def test_bad_input_ends_in_one_line_and_leaves_nothing(name, arguments, message, weight, scan, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad").mkdir()
    (tmp_path / "broken.pth").write_bytes(weight.read_bytes()[:1000])
    coord = np.random.default_rng(0).random((50, 3)).astype(np.float32)
    np.savez(tmp_path / "three.npz", coord=coord[:3])
    coord[4:] = np.nan
    np.savez(tmp_path / "nan.npz", coord=coord)
    np.savez(tmp_path / "bad" / "nan.npz", coord=coord)
    (tmp_path / "falling.json").write_text('{"quantiles": [0.5, 0.2, 0.9]}')
    names = dict(WEIGHT=weight, SCAN=scan, BROKEN="broken.pth", ROOMS=CONFIG)
    names["SCANS"] = CONFIG.with_name("pretrain-dos-scans.py")
    before = {path for path in tmp_path.rglob("*")}
    done = call_verb(name, *(names.get(a, a) for a in arguments), cwd=tmp_path)
    assert done.returncode == 2, done.stdout + done.stderr
    assert message in done.stderr.splitlines()[-1] and "Traceback" not in done.stderr
    made = {path.suffix for path in set(tmp_path.rglob("*")) - before if path.is_file()}
    assert not made & {".ply", ".npz", ".png", ".pth", ".json"}, made
