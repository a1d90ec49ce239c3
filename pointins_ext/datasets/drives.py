"""Simulated LiDAR sweeps of streets as a dataset: outdoor training data with known instances, without a download."""

from pointins_ext.datasets.generated import SPLITS, GeneratedDataset
from pointins_ext.datasets.synthetic.drive_generator import CLASS_NAMES, STUFF, THINGS, generate_drive
from pointins_ext.host import DATASETS

__all__ = ["CLASS_NAMES", "STUFF", "THINGS", "SPLITS", "SyntheticDrivesDataset", "generate_drive"]


@DATASETS.register_module()
class SyntheticDrivesDataset(GeneratedDataset):
    """Sweeps of `generate_drive` as a dataset. drive: knobs of `generate_drive`; the rest as GeneratedDataset."""

    KIND = "drive"
    generate = staticmethod(generate_drive)

    def __init__(self, *args, drive=None, **options):
        super().__init__(*args, knobs=drive, **options)
