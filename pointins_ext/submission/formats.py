"""The files that the servers of SemanticKITTI, nuScenes and ScanNet ask for, scan by scan.

The formats are those of semantic-kitti-api's validate_submission.py, of nuscenes-devkit's eval/lidarseg and
eval/panoptic, and of ScanNet's BenchmarkScripts. They hold for labeled splits, too: the official scripts score those.
"""

import io
import json
from collections.abc import Sequence

import numpy as np

from pointins_ext.errors import UserError

# fmt: off
# Original label of each class. SemanticKITTI: learning_map_inv; ScanNet: NYU40; ScanNet200: column id of its table
KITTI_LABELS = (10, 11, 15, 18, 20, 30, 31, 32, 40, 44, 48, 49, 50, 51, 70, 71, 72, 80, 81)
NUSCENES_LABELS = tuple(range(1, 17))
SCANNET_LABELS = (*range(1, 13), 14, 16, 24, 28, 33, 34, 36, 39)
SCANNET200_LABELS = (
    *range(1, 12), *range(13, 20), *range(21, 25), *range(26, 30), *range(31, 37), *range(38, 43), *range(44, 53),
    *range(54, 60), *range(62, 81), 82, 84, *range(86, 91), 93, *range(95, 108), 110, 112, 115, 116, 118, 120, 121, 122,
    125, 128, 130, 131, 132, 134, 136, 138, 139, 140, 141, 145, 148, 154, 155, 156, 157, 159, 161, 163, 165, 166, 168,
    169, 170, 177, 180, 185, 188, 191, 193, 195, 202, 208, 213, 214, 221, 229, 230, 232, 233, 242, 250, 261, 264, 276,
    283, 286, 300, 304, 312, 323, 325, 331, 342, 356, 370, 392, 395, 399, 408, 417, 488, 540, 562, 570, 572, 581, 609,
    748, 776, 1156, *range(1163, 1177), *range(1178, 1192),
)
# fmt: on


class Benchmark:
    """Base: the files of a submission to one server, for a task and a split.

    labels: original label of each class; things: classes that have instances; most: instances that a class may have in
    a scan.
    """

    tasks: Sequence[str] = ()
    labels: Sequence[int] = ()
    things: Sequence[int] = ()
    most = 0

    def __init__(self, task, split):
        self.task, self.split = task, split

    def files(self, name, prediction):
        """Yields (path, bytes) of the files of a scan. ValueError for a prediction that the format cannot hold."""
        raise NotImplementedError

    def about(self):
        """Path -> bytes of files that stand for the whole submission."""
        return {}

    def original(self, category):
        """Original labels (N,) int64 of classes (N,). ValueError for a class out of range."""
        wrong = np.unique(category[(category < 0) | (category >= len(self.labels))])
        if len(wrong):
            raise UserError(f"holds the classes {wrong[:5].tolist()}, expected 0..{len(self.labels) - 1}")
        return np.array(self.labels)[category]

    def numbers(self, segment, instance):
        """Number (N,) of each point's instance, 1.. within its class; 0 on stuff and without an instance."""
        number = np.zeros(len(segment), np.int64)
        for category in self.things:
            member = (segment == category) & (instance > 0)
            found, place = np.unique(instance[member], return_inverse=True)
            if len(found) > self.most:
                raise UserError(
                    f"holds {len(found)} instances of class {category}, the format has numbers for {self.most}: raise "
                    "model.min_points and test again"
                )
            number[member] = place + 1
        return number


class SemanticKITTI(Benchmark):
    """sequences/SS/predictions/NNNNNN.label: uint32, the original label below, the instance in the upper half."""

    tasks = ("semantic", "panoptic")
    labels, things, most = KITTI_LABELS, range(8), 2**16 - 1

    def files(self, name, prediction):
        sequence, frame = name.split("_")
        label = self.original(prediction["segment"])
        if self.task == "panoptic":
            label = label | self.numbers(prediction["segment"], prediction["instance"]) << 16
        yield f"sequences/{sequence}/predictions/{frame}.label", label.astype("<u4").tobytes()


class NuScenes(Benchmark):
    """lidarseg/SPLIT/TOKEN_lidarseg.bin: uint8, classes 1..16, or panoptic/SPLIT/TOKEN_panoptic.npz: uint16, class *
    1000 + instance; with SPLIT/submission.json. ValueError for anything but one of its splits.
    """

    tasks = ("semantic", "panoptic")
    labels, things, most = NUSCENES_LABELS, range(10), 999

    def __init__(self, task, split):
        if split not in ("train", "val", "test"):
            raise UserError(f"a submission to nuScenes is of one split, train, val or test, not {split}")
        super().__init__(task, split)

    def files(self, name, prediction):
        label = self.original(prediction["segment"])
        if self.task == "semantic":
            yield f"lidarseg/{self.split}/{name}_lidarseg.bin", label.astype(np.uint8).tobytes()
        else:
            label = 1000 * label + self.numbers(prediction["segment"], prediction["instance"])
            stream = io.BytesIO()
            np.savez_compressed(stream, data=label.astype(np.uint16))
            yield f"panoptic/{self.split}/{name}_panoptic.npz", stream.getvalue()

    def about(self):
        meta: dict[str, str | bool] = dict(task="segmentation") if self.task == "panoptic" else {}
        meta |= dict(use_camera=False, use_lidar=True, use_radar=False, use_map=False, use_external=False)
        return {f"{self.split}/submission.json": json.dumps(dict(meta=meta), indent=2).encode()}


class ScanNet(Benchmark):
    """SCENE.txt: the label of each point, or a line "predicted_masks/SCENE_III.txt LABEL SCORE" for each instance,
    whose mask file has a line 0 or 1 for each point.
    """

    tasks = ("semantic", "instance")
    labels = SCANNET_LABELS

    def files(self, name, prediction):
        if self.task == "semantic":
            yield f"{name}.txt", lines(self.original(prediction["segment"]))
            return
        if not np.isfinite(prediction["score"]).all():
            raise UserError("holds a score that is not a finite number")
        rows = []
        for i, label in enumerate(self.original(prediction["category"])):
            path = f"predicted_masks/{name}_{i:03d}.txt"
            # overlapping masks are kept beside the best-scored instance of each point
            mask = prediction["masks"][:, i] if "masks" in prediction else prediction["instance"] == i
            rows.append(f"{path} {label} {prediction['score'][i]}")
            yield path, lines(mask.astype(np.int64))
        yield f"{name}.txt", lines(np.array(rows))


class ScanNet200(ScanNet):
    """ScanNet with the labels of its second benchmark."""

    labels = SCANNET200_LABELS


# Dataset of data.test -> where its predictions can be submitted
BENCHMARKS = dict(
    SemanticKITTIDataset=SemanticKITTI,
    SemanticKITTIPanopticDataset=SemanticKITTI,
    NuScenesDataset=NuScenes,
    NuScenesPanopticDataset=NuScenes,
    ScanNetDataset=ScanNet,
    ScanNet200Dataset=ScanNet200,
)


def lines(values):
    """Text of values (N,), each on a line of its own."""
    return "".join(f"{value}\n" for value in values.tolist()).encode()
