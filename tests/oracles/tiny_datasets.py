"""Two tiny scenes for each dataset, written in the folder layout of the real one: objects that stand on a ground.

`WRITERS[type of dataset](data_root)` writes the training splits that the shipped configs name.
"""

import pickle

import numpy as np


def scene(seed, extent, size, num_objects=3, num_points=5000):
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


def write_arrays(folder, **arrays):
    folder.mkdir(parents=True)
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)


def write_room(folder, seed, **names):
    """A scene folder; `names` renames labels, e.g. segment="segment20"."""
    coord, instance = room(seed)
    normal = np.zeros_like(coord)
    normal[:, 2] = 1
    labels = {names.get("segment", "segment"): (instance >= 0).astype(np.int16) + 1}
    color = np.random.default_rng(seed).integers(0, 256, coord.shape, np.uint8)
    write_arrays(folder, coord=coord, color=color, normal=normal, instance=instance, **labels)


def write_scannet(root):
    for seed in range(2):
        write_room(root / "train" / f"scene000{seed}_00", seed, segment="segment20")


def write_s3dis(root):
    for number, area in enumerate((1, 2, 3, 4, 6)):
        write_room(root / f"Area_{area}" / "office_1", seed=10 + number)


def write_structured3d(root):
    for seed in range(2):
        write_room(root / "train" / f"scene_0000{seed}" / "room_7", seed=20 + seed)


def write_nuscenes(root, split="train"):
    """Sweeps, lidarseg labels, and an info file with the kinds of values that the real one has."""
    infos = []
    for seed in range(2):
        coord, instance = street(30 + seed)
        table = np.zeros((len(coord), 5), np.float32)
        table[:, :3], table[:, 3] = coord, np.arange(len(coord)) % 256
        raw = np.where(instance < 0, 24, 17).astype(np.uint8)  # driveable surface, car
        raw[0] = 31  # ego vehicle: ignored
        paths = f"samples/LIDAR_TOP/sweep{seed}.pcd.bin", f"lidarseg/v1.0-trainval/token{seed}_lidarseg.bin"
        for path, array in zip(paths, (table, raw), strict=True):
            file = root / "raw" / path
            file.parent.mkdir(parents=True, exist_ok=True)
            array.tofile(file)
        sweep = dict(lidar_path=paths[0], transform_matrix=np.eye(4), time_lag=0.05 * np.float64(1), velocity=None)
        infos.append(
            dict(
                lidar_path=paths[0],
                lidar_token=f"token{seed}",
                gt_segment_path=paths[1],
                sweeps=[sweep],
                gt_names=np.array(["car", "pedestrian"]),
                gt_boxes=np.ones((2, 9), np.float32),
                num_lidar_pts=np.array([3, 4]),
            )
        )
    (root / "info").mkdir(exist_ok=True)
    (root / "info" / f"nuscenes_infos_10sweeps_{split}.pkl").write_bytes(pickle.dumps(infos))


def write_semantic_kitti(root):
    """One sweep for each sequence; every second one has no label file."""
    for sequence in (*range(8), 9, 10):
        folder = root / "dataset" / "sequences" / f"{sequence:02d}"
        coord, instance = street(40 + sequence)
        (folder / "velodyne").mkdir(parents=True)
        strength = np.linspace(0, 1, len(coord), dtype=np.float32)
        np.column_stack([coord, strength]).astype(np.float32).tofile(folder / "velodyne" / "000000.bin")
        if sequence % 2 == 0:
            (folder / "labels").mkdir()
            raw = np.where(instance < 0, 40, 252 + ((instance + 1) << 16)).astype(np.uint32)  # road, moving car
            raw.tofile(folder / "labels" / "000000.label")


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
    S3DISDataset=write_s3dis,
    Structured3DDataset=write_structured3d,
    NuScenesDataset=write_nuscenes,
    SemanticKITTIDataset=write_semantic_kitti,
    WaymoDataset=write_waymo,
)
