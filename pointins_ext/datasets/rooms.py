"""Procedural furnished rooms as a dataset: training data with known instances that needs no download."""

from pointins_ext.datasets.generated import SPLITS, GeneratedDataset
from pointins_ext.datasets.synthetic.room_generator import CLASS_NAMES, STUFF, generate_room, room_centers, touching
from pointins_ext.host import DATASETS

__all__ = ["CLASS_NAMES", "STUFF", "SPLITS", "SyntheticRoomsDataset", "generate_room", "room_centers", "touching"]


@DATASETS.register_module()
class SyntheticRoomsDataset(GeneratedDataset):
    """Rooms of `generate_room` as a dataset. room: knobs of `generate_room`; the rest as GeneratedDataset."""

    KIND = "room"
    generate = staticmethod(generate_room)

    def __init__(self, *args, room=None, **options):
        super().__init__(*args, knobs=room, **options)
