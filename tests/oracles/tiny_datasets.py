"""Tiny scenes for each dataset, written in the layout of the real one: objects that stand on a ground, a wall behind.

`WRITERS[type of dataset](data_root)` writes every split, with labels of several classes and instances; a folder that is
written already stays as it is.
"""

import json
import pickle

import numpy as np

NUM_OBJECTS = 3
ROOM_CLASSES = (2, 5, 7)  # of the objects
ROOM_CLASSES_200 = (3, 20, 150)
NUSCENES_RAW = (17, 2, 23)  # car, adult, truck
KITTI_RAW = (252, 30, 10)  # moving car, person, car
NUSCENES_OVERLAP = 20  # car points in two boxes, and so void in the panoptic labels


def scene(seed, extent, size, num_objects=NUM_OBJECTS, num_points=5000):
    """(coord (N,3) float32, instance (N,)): ground of `extent` metres (instance -1) with boxes of `size` metres."""
    rng = np.random.default_rng(seed)
    ground = rng.uniform((-extent / 2, -extent / 2, 0), (extent / 2, extent / 2, 0), (num_points, 3))
    parts, instance = [ground], [np.full(num_points, -1)]
    for i in range(num_objects):
        number = num_points // 4
        box = rng.uniform(-0.5, 0.5, (number, 3))
        axis = rng.integers(0, 3, number)
        box[np.arange(number), axis] = np.sign(box[np.arange(number), axis]) / 2
        place = ((i + 0.5) / num_objects - 0.5) * extent * 0.9, rng.uniform(-0.2, 0.2) * extent, size[2] * 0.55
        parts.append(box * size + place)
        instance.append(np.full(number, i))
    coord = np.concatenate(parts) + rng.normal(0, 2e-3, (num_points + num_objects * number, 3))
    return coord.astype(np.float32), np.concatenate(instance)


def room(seed):
    return scene(seed, extent=2.4, size=(0.4, 0.4, 0.5))


def street(seed):
    return scene(seed, extent=16.0, size=(3.0, 1.5, 1.6))


def classes(coord, instance, objects, ground, background):
    """Class (N,): that of each object; of the rest `ground`, and `background` in the last fifth along y."""
    rest = np.where(coord[:, 1] > 0.3 * np.ptp(coord[:, 1]), background, ground)
    return np.where(instance < 0, rest, np.asarray(objects)[instance])


def write_arrays(folder, **arrays):
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)


def write_room(folder, seed, **labels):
    """A scene folder; `labels`: file name -> classes of the objects, e.g. segment20=(2, 5, 7).

    Class 0 is the wall and 1 the floor, instances as all others; the first points are not annotated.
    """
    coord, instance = room(seed)
    normal = np.zeros_like(coord)
    normal[:, 2] = 1
    arrays = {name: classes(coord, instance, objects, 1, 0).astype(np.int16) for name, objects in labels.items()}
    if labels:
        floor, wall = len(ROOM_CLASSES), len(ROOM_CLASSES) + 1
        arrays["instance"] = classes(coord, instance, range(NUM_OBJECTS), floor, wall).astype(np.int16)
    for label in arrays.values():
        label[:10] = -1
    color = np.random.default_rng(seed).integers(0, 256, coord.shape, np.uint8)
    write_arrays(folder, coord=coord, color=color, normal=normal, **arrays)


def write_scannet(root):
    labels = dict(segment20=ROOM_CLASSES, segment200=ROOM_CLASSES_200)
    for seed in range(2):
        write_room(root / "train" / f"scene000{seed}_00", seed, **labels)
    for seed in range(2):
        write_room(root / "val" / f"scene001{seed}_00", seed + 2, **labels)
    write_room(root / "test" / "scene0707_00", seed=4)


def write_s3dis(root):
    for number, area in enumerate((1, 2, 3, 4, 6, 5)):
        folder = root / f"Area_{area}" / "office_1"
        write_room(folder, seed=10 + number, segment=ROOM_CLASSES)
        for name in ("segment", "instance"):
            np.save(folder / f"{name}.npy", np.load(folder / f"{name}.npy").reshape(-1, 1))


def write_structured3d(root):
    for seed in range(2):
        write_room(root / "train" / f"scene_0000{seed}" / "room_7", 20 + seed, segment=ROOM_CLASSES)


def nuscenes_labels(coord, instance):
    """(lidarseg (N,) uint8, panoptic (N,) uint16): class * 1000 + instance, 0 where boxes overlap."""
    raw = classes(coord, instance, NUSCENES_RAW, 24, 28).astype(np.uint8)  # driveable surface, manmade
    raw[0] = 31  # ego vehicle: ignored
    panoptic = raw.astype(np.uint16) * 1000 + (instance + 1).astype(np.uint16)
    panoptic[np.flatnonzero(instance == 0)[:NUSCENES_OVERLAP]] = 0
    return raw, panoptic


def write_nuscenes(root, splits=("train", "val", "test")):
    """Sweeps, both kinds of labels, tables, and info files with the kinds of values that the real ones have.

    Each sweep is of a scene of its own: scene-0001 and scene-0392 in train, scene-0003 and scene-0012 in val.
    """
    scenes = dict(train=(1, 392), val=(3, 12), test=(77,))
    seeds = dict(train=(30, 31), val=(32, 33), test=(34,))
    raw = root / "raw"
    tables = dict(scene=[], sample=[])
    for split in splits:
        infos = [_write_sweep(raw, seed, labelled=split != "test") for seed in seeds[split]]
        (root / "info").mkdir(parents=True, exist_ok=True)
        (root / "info" / f"nuscenes_infos_10sweeps_{split}.pkl").write_bytes(pickle.dumps(infos))
        for info, number in zip(infos, scenes[split], strict=True):
            tables["scene"].append(dict(token=f"s{number}", name=f"scene-{number:04d}"))
            tables["sample"].append(dict(token=info["token"], scene_token=f"s{number}", timestamp=1531883530449377))
    (raw / "v1.0-trainval").mkdir(exist_ok=True)
    for name, rows in tables.items():
        (raw / "v1.0-trainval" / f"{name}.json").write_text(json.dumps(rows))


def _write_sweep(raw, seed, labelled):
    """Info of a sweep whose files are written below `raw`."""
    coord, instance = street(seed)
    token = f"token{seed - 30}"
    table = np.zeros((len(coord), 5), np.float32)
    table[:, :3], table[:, 3] = coord, np.arange(len(coord)) % 256
    path = f"samples/LIDAR_TOP/sweep{seed - 30}.pcd.bin"
    (raw / path).parent.mkdir(parents=True, exist_ok=True)
    table.tofile(raw / path)
    sweep = dict(lidar_path=path, transform_matrix=np.eye(4), time_lag=0.05 * np.float64(1), velocity=None)
    info = dict(lidar_path=path, lidar_token=token, token=f"sample{seed}", sweeps=[sweep], timestamp=1531883530.45)
    if not labelled:
        return info
    lidarseg, panoptic = nuscenes_labels(coord, instance)
    for kind in ("lidarseg", "panoptic"):
        (raw / kind / "v1.0-trainval").mkdir(parents=True, exist_ok=True)
    lidarseg.tofile(raw / "lidarseg" / "v1.0-trainval" / f"{token}_lidarseg.bin")
    np.savez_compressed(raw / "panoptic" / "v1.0-trainval" / f"{token}_panoptic.npz", data=panoptic)
    return dict(
        info,
        gt_segment_path=f"lidarseg/v1.0-trainval/{token}_lidarseg.bin",
        gt_names=np.array(["car", "pedestrian"]),
        gt_boxes=np.ones((2, 9), np.float32),
        num_lidar_pts=np.array([3, 4]),
    )


def kitti_labels(coord, instance):
    """Labels (N,) uint32, the instance in the upper half; the second car has the number of the first."""
    raw = classes(coord, instance, KITTI_RAW, 40, 50).astype(np.uint32)  # road, building
    number = np.array([0, 1, 2, 1], np.uint32)[instance + 1]
    return raw | (number << 16)


def write_semantic_kitti(root, sequences=(*range(11), 11), unlabelled=(11,)):
    """One sweep for each sequence, those of `unlabelled` without a label file."""
    for sequence in sequences:
        folder = root / "dataset" / "sequences" / f"{sequence:02d}"
        coord, instance = street(40 + sequence)
        (folder / "velodyne").mkdir(parents=True, exist_ok=True)
        strength = np.linspace(0, 1, len(coord), dtype=np.float32)
        np.column_stack([coord, strength]).astype(np.float32).tofile(folder / "velodyne" / "000000.bin")
        if sequence not in unlabelled:
            (folder / "labels").mkdir(exist_ok=True)
            kitti_labels(coord, instance).tofile(folder / "labels" / "000000.label")


def write_waymo(root, split="training"):
    for seed in range(2):
        coord, instance = street(60 + seed)
        pose = np.eye(4, dtype=np.float32)
        pose[:3, 3] = (2.0 * seed, 0, 0)
        strength = np.full((len(coord), 1), 0.5, np.float32)
        segment = (instance >= 0).astype(np.int64) - 1
        folder = root / split / "segment-1_with_camera_labels" / f"{1000 + seed}"
        write_arrays(folder, coord=coord, strength=strength, segment=segment, pose=pose)


WRITERS = dict(
    ScanNetDataset=write_scannet,
    ScanNet200Dataset=write_scannet,
    S3DISDataset=write_s3dis,
    Structured3DDataset=write_structured3d,
    NuScenesDataset=write_nuscenes,
    NuScenesPanopticDataset=write_nuscenes,
    SemanticKITTIDataset=write_semantic_kitti,
    SemanticKITTIPanopticDataset=write_semantic_kitti,
    WaymoDataset=write_waymo,
)
