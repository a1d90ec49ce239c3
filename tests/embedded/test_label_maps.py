"""Raw labels and the classes of the benchmarks."""

import numpy as np

from pointins_ext.embedded.registry import DATASETS


def test_label_maps_cover_the_benchmarks():
    nuscenes = DATASETS.get("NuScenesDataset"), 32, 16
    kitti = DATASETS.get("SemanticKITTIDataset"), 260, 19
    for cls, num_raw, num_classes in (nuscenes, kitti):
        dataset = cls.__new__(cls)
        dataset.get_data_list = lambda: []
        dataset.__init__(split="train")
        assert len(dataset.table) == num_raw
        assert set(dataset.table[dataset.table > np.iinfo(np.int64).min]) == {-1, *range(num_classes)}
