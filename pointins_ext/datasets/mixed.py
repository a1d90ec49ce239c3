"""Several datasets as one, with the transforms that they share."""

import numpy as np
from torch.utils.data import Dataset

from pointins_ext.host import DATASETS, build_dataset, get_root_logger


@DATASETS.register_module()
class MixedDataset(Dataset):
    """`datasets` one after the other; each one's own `transform` comes before the shared one.

    Hosts' ConcatDataset wants the whole list of transforms in every dataset, and cannot give scenes as they are.
    """

    def __init__(self, datasets, transform=None, loop=1):
        shared = list(transform or [])
        self.datasets = [
            build_dataset(dict(dataset, transform=[*(dataset.get("transform") or []), *shared])) for dataset in datasets
        ]
        self.ends = np.cumsum([len(dataset) for dataset in self.datasets])
        self.loop = loop
        get_root_logger().info(f"MixedDataset: {self.ends[-1]} scenes x {loop}")

    def __len__(self):
        return int(self.ends[-1]) * self.loop

    def __getitem__(self, idx):
        dataset, local = self._locate(idx)
        return dataset[local]

    def get_data(self, idx):
        """The scene dict of sample `idx`, before any transform."""
        dataset, local = self._locate(idx)
        return dataset.get_data(local)

    def get_data_name(self, idx):
        dataset, local = self._locate(idx)
        return dataset.get_data_name(local)

    def _locate(self, idx):
        idx = idx % int(self.ends[-1])
        number = int(np.searchsorted(self.ends, idx, side="right"))
        return self.datasets[number], idx - int(self.ends[number - 1] if number else 0)
