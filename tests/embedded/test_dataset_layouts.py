"""The datasets of Pointcept's layouts: what a sample holds, which scenes are found, what is said of missing ones."""

import pickle

import numpy as np
import pytest
import torch

from pointins_ext.embedded.registry import DATASETS
from tests.fixtures.tiny_datasets import WRITERS, classes, street, write_room, write_semantic_kitti

INDOOR = dict(coord=3, color=3, normal=3, segment=None, instance=None)
OUTDOOR = dict(coord=3, strength=1, segment=None)
# type -> (splits, names of the scenes, keys of the sample with their width)
LAYOUTS = dict(
    ScanNet200Dataset=("val", ["scene0010_00", "scene0011_00"], INDOOR),
    ScanNetDataset=("train", ["scene0000_00", "scene0001_00"], INDOOR),
    S3DISDataset=(("Area_1", "Area_6"), ["Area_1-office_1", "Area_6-office_1"], INDOOR),
    Structured3DDataset=("train", ["scene_00000_room_7", "scene_00001_room_7"], INDOOR),
    NuScenesDataset=("train", ["token0", "token1"], OUTDOOR),
    SemanticKITTIDataset=("train", [f"{i:02d}_000000" for i in (*range(8), 9, 10)], OUTDOOR),
    WaymoDataset=(
        ("training",),
        [f"segment-1_with_camera_labels_{time}" for time in (1000, 1001)],
        dict(OUTDOOR, instance=None),
    ),
)


@pytest.fixture(scope="module")
def roots(tmp_path_factory):
    folders = {kind: tmp_path_factory.mktemp(kind) for kind in LAYOUTS}
    for kind, folder in folders.items():
        WRITERS[kind](folder)
    return folders


def build(kind, root, split=None, **options):
    return DATASETS.build(dict(type=kind, data_root=str(root), split=split or LAYOUTS[kind][0], **options))


@pytest.mark.parametrize("kind", LAYOUTS)
def test_scenes_and_what_they_hold(roots, kind):
    _, names, widths = LAYOUTS[kind]
    dataset = build(kind, roots[kind], loop=2, cache=True)
    assert [dataset.get_data_name(i) for i in range(len(dataset))] == names * 2
    scene = dataset[0]
    number = len(scene["coord"])
    assert {key: scene[key].shape for key in widths} == {
        key: (number,) if width is None else (number, width) for key, width in widths.items()
    }
    assert all(scene[key].dtype == np.float32 for key, width in widths.items() if width)
    assert scene["name"] == names[0] and set(scene) - set(widths) <= {"name", "split", "pose"}
    assert dataset.get_data(0)["coord"] is dataset.get_data(len(names))["coord"]


@pytest.mark.parametrize("kind", LAYOUTS)
def test_missing_data_says_where_and_how_to_get_it(tmp_path, kind):
    with pytest.raises(FileNotFoundError) as error:
        build(kind, tmp_path / "nowhere")
    text = str(error.value)
    assert str(tmp_path / "nowhere") in text and "does not exist" in text and kind in text
    assert ("preprocessing/" in text) == (kind != "SemanticKITTIDataset") and "link" in text


def test_scannet_labels_come_from_the_benchmarks_file(tmp_path):
    write_room(tmp_path / "train" / "a", seed=0, segment200=(3, 20, 150))
    assert (build("ScanNetDataset", tmp_path, "train")[0]["segment"] == -1).all()
    scene = build("ScanNet200Dataset", tmp_path, "train")[0]
    assert set(scene["segment"]) == {-1, 0, 1, 3, 20, 150} and "segment200" not in scene


@pytest.mark.parametrize("index", [[3, 5], np.array([3, 5]), torch.tensor([3, 5])], ids=["list", "array", "tensor"])
def test_scannet_data_efficient(roots, tmp_path, index):
    (tmp_path / "few.txt").write_text("scene0001_00\n")
    torch.save({"scene0001_00": index}, tmp_path / "points")
    options = dict(lr_file=str(tmp_path / "few.txt"), la_file=str(tmp_path / "points"), ignore_index=-7)
    dataset = build("ScanNetDataset", roots["ScanNetDataset"], **options)
    full = build("ScanNetDataset", roots["ScanNetDataset"])[1]
    assert len(dataset) == 1
    segment = dataset[0]["segment"]
    assert np.flatnonzero(segment != -7).tolist() == dataset[0]["sampled_index"].tolist() == [3, 5]
    assert (segment[[3, 5]] == full["segment"][[3, 5]]).all()
    torch.save({"scene0001_00": [3, 10**6]}, tmp_path / "points")
    with pytest.raises(ValueError, match="la_file names the point 1000000 of .*scene0001_00, which has .* points"):
        build("ScanNetDataset", roots["ScanNetDataset"], **options)[0]
    (tmp_path / "few.txt").write_text("scene9_00")
    with pytest.raises(FileNotFoundError, match="scene9_00.*lr_file"):
        build("ScanNetDataset", roots["ScanNetDataset"], **options)


class Harmful:
    def __reduce__(self):
        return exec, ("raise SystemExit('code of the file ran')",)


def test_files_with_code_are_refused(roots, tmp_path):
    torch.save({"scene0000_00": Harmful()}, tmp_path / "points")
    with pytest.raises(ValueError, match="points.*exec"):
        build("ScanNetDataset", roots["ScanNetDataset"], la_file=str(tmp_path / "points"))
    info = tmp_path / "info" / "nuscenes_infos_10sweeps_train.pkl"
    info.parent.mkdir()
    info.write_bytes(pickle.dumps([Harmful()]))
    with pytest.raises(ValueError, match="nuscenes_infos.*exec"):
        build("NuScenesDataset", tmp_path)
    info.write_bytes(b"\x80\x04]")
    with pytest.raises(ValueError, match="nuscenes_infos.*write it again"):
        build("NuScenesDataset", tmp_path)


def test_nuscenes_values(roots):
    dataset = build("NuScenesDataset", roots["NuScenesDataset"], ignore_index=-3)
    scene, (coord, instance) = dataset[0], street(30)
    assert (scene["coord"] == coord).all()
    assert (scene["strength"][:, 0] == (np.arange(len(coord)) % 256).astype(np.float32) / np.float32(255)).all()
    assert scene["segment"][0] == -3
    assert (scene["segment"][1:] == classes(coord, instance, (3, 6, 9), 10, 14)[1:]).all()
    dataset.data_list[0].pop("gt_segment_path")  # as in the test split
    assert (dataset[0]["segment"] == -3).all()
    dataset.data_list[0]["lidar_path"] = "samples/gone.bin"
    with pytest.raises(FileNotFoundError, match="raw/samples/gone.bin.*link the nuScenes download"):
        dataset[0]


def test_semantic_kitti_values(tmp_path):
    train = (*range(8), 9, 10)
    write_semantic_kitti(tmp_path / "velodyne", train, unlabelled=(1,))  # a name that also occurs inside the layout
    dataset = build("SemanticKITTIDataset", tmp_path / "velodyne", ignore_index=-2)
    coord, instance = street(40)
    scene, unlabelled = dataset[0], dataset[1]
    assert (scene["coord"] == coord).all() and scene["strength"][-1] == 1
    assert (scene["segment"] == classes(coord, instance, (0, 5, 0), 8, 12)).all()
    assert (unlabelled["segment"] == -2).all()
    with pytest.raises(FileNotFoundError, match="sequences/08/velodyne"):
        build("SemanticKITTIDataset", tmp_path / "velodyne", "val")
    with pytest.raises(ValueError, match="no split 'training'.*train, val, test"):
        build("SemanticKITTIDataset", tmp_path, "training")


@pytest.mark.parametrize("damage, message", [("labels", "labels, expected"), ("sweep", "multiple of 4"), ("raw", "17")])
def test_broken_sweeps_are_named(tmp_path, damage, message):
    write_semantic_kitti(tmp_path)
    folder = tmp_path / "dataset" / "sequences" / "00"
    label, sweep = folder / "labels" / "000000.label", folder / "velodyne" / "000000.bin"
    broken = sweep if damage == "sweep" else label
    data = label.read_bytes()
    broken.write_bytes(np.uint32(17).tobytes() + data[4:] if damage == "raw" else broken.read_bytes()[:-4])
    with pytest.raises(ValueError, match=f"{broken.name}.*{message}"):
        build("SemanticKITTIDataset", tmp_path)[0]


def test_label_maps_cover_the_benchmarks():
    nuscenes = DATASETS.get("NuScenesDataset"), 32, 16
    kitti = DATASETS.get("SemanticKITTIDataset"), 260, 19
    for cls, num_raw, num_classes in (nuscenes, kitti):
        dataset = cls.__new__(cls)
        dataset.get_data_list = lambda: []
        dataset.__init__(split="train")
        assert len(dataset.table) == num_raw
        assert set(dataset.table[dataset.table > np.iinfo(np.int64).min]) == {-1, *range(num_classes)}


def test_waymo_frames_join_in_the_frame_of_the_first(roots):
    options = dict(timestamp=(0, -1), reference_label=False, timing_embedding=True)
    dataset = build("WaymoDataset", roots["WaymoDataset"], **options)
    single = build("WaymoDataset", roots["WaymoDataset"])
    first, second, joined = single[0], single[1], dataset[1]
    number = len(second["coord"])
    assert (joined["coord"][:number] == second["coord"]).all()
    # the vehicle moved 2 m along x between the frames
    np.testing.assert_allclose(joined["coord"][number:], first["coord"] - [2, 0, 0], atol=1e-5)
    assert (joined["segment"][number:] == -1).all() and (joined["segment"][:number] == second["segment"]).all()
    assert joined["strength"].shape == (len(joined["coord"]), 2) and set(joined["strength"][:, 1]) == {0, -1}
    assert len(dataset[0]["coord"]) == len(first["coord"])  # the sequence has no frame before
    with pytest.raises(ValueError, match="timestamp"):
        build("WaymoDataset", roots["WaymoDataset"], timestamp=(1,))
