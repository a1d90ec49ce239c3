"""Procedural furnished rooms as a dataset: training data with known instances that needs no download."""

from pointins_ext.datasets.generated import SPLITS, GeneratedDataset
from pointins_ext.datasets.scans import prepare_scan
from pointins_ext.datasets.synthetic.room_generator import CLASS_NAMES, STUFF, generate_room, room_centers, touching
from pointins_ext.host import DATASETS

__all__ = ["CLASS_NAMES", "STUFF", "SPLITS", "SyntheticRoomsDataset", "generate_room", "room_centers", "touching"]


@DATASETS.register_module()
class SyntheticRoomsDataset(GeneratedDataset):
    """Rooms of `generate_room` as a dataset.

    room: knobs of `generate_room`. estimate_normals: from the points, as for a scan that has none, instead of the true
    ones. The rest as GeneratedDataset.
    """

    KIND = "room"
    generate = staticmethod(generate_room)

    def __init__(self, *args, room=None, estimate_normals=False, **options):
        self.estimate_normals = estimate_normals
        super().__init__(*args, knobs=room, **options)

    def _prepared(self, scene):
        if not self.estimate_normals:
            return scene
        del scene["normal"]
        return prepare_scan(scene)
