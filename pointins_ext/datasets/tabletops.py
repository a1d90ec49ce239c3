"""Procedural table tops before a depth camera as a dataset: clutter, shadows and sensor noise, without any download."""

from pointins_ext.datasets.generated import GeneratedDataset
from pointins_ext.datasets.scans import prepare_scan
from pointins_ext.datasets.synthetic.tabletop_generator import CLASS_NAMES, generate_tabletop
from pointins_ext.host import DATASETS

__all__ = ["CLASS_NAMES", "SyntheticTabletopsDataset", "generate_tabletop"]


@DATASETS.register_module()
class SyntheticTabletopsDataset(GeneratedDataset):
    """Table tops of `generate_tabletop` as a dataset, prepared like the files of ScanDataset: normals are estimated.

    scale: coordinates are multiplied by it; 5 gives a table the size of a room. tabletop: knobs of
    `generate_tabletop`; the rest as GeneratedDataset.
    """

    KIND = "tabletop"
    generate = staticmethod(generate_tabletop)

    def __init__(self, *args, scale=1.0, tabletop=None, **options):
        self.scale = scale
        super().__init__(*args, knobs=tabletop, **options)

    def _prepared(self, scene):
        return prepare_scan(scene, self.scale)
