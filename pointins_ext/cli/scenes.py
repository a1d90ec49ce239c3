"""Labeled scenes of `pointins evaluate` and `pointins study`: synthetic ones, or those of a folder."""

from pointins_ext.datasets.drives import SyntheticDrivesDataset
from pointins_ext.datasets.frame import check_units
from pointins_ext.datasets.rooms import SyntheticRoomsDataset
from pointins_ext.datasets.scans import ScanDataset
from pointins_ext.datasets.tabletops import SyntheticTabletopsDataset
from pointins_ext.errors import require_objects
from pointins_ext.flags import at_least, positive

SYNTHETIC = dict(rooms=SyntheticRoomsDataset, tabletops=SyntheticTabletopsDataset, drives=SyntheticDrivesDataset)
TABLETOP_VOXEL = 0.008  # meters; a table top gets the size of a room, as in training


def add_scene_arguments(parser, split: str, num_scenes: int) -> None:
    """--data, --split, --num-scenes, --seed and --grid-size, as `load_scenes` reads them."""
    parser.add_argument(
        "--data", default="rooms", help=f"{', '.join(SYNTHETIC)} (synthetic), or a folder of labeled scans"
    )
    parser.add_argument("--split", default=split, help="split of the data (default %(default)s)")
    parser.add_argument(
        "--num-scenes", type=at_least(1), default=num_scenes, help="scenes to generate (default %(default)s)"
    )
    parser.add_argument("--seed", type=at_least(0), default=0, help="seed of the scenes")
    parser.add_argument("--grid-size", type=positive, help="voxel of the scans in meters (default: as in training)")


def open_dataset(args, predictor, transform=()):
    """The data set of --data, in the meters of the network: a scan's `--grid-size` becomes the network's voxel."""
    if args.data in SYNTHETIC:
        options = dict(split=args.split, num_scenes=args.num_scenes, seed=args.seed, transform=list(transform))
        if args.data == "tabletops":
            options["scale"] = predictor.grid_size / (args.grid_size or TABLETOP_VOXEL)
        return SYNTHETIC[args.data](**options)
    scale = predictor.grid_size / args.grid_size if args.grid_size else predictor.scale
    return ScanDataset(data_root=args.data, split=args.split or None, scale=scale, transform=list(transform))


def load_scenes(args, predictor) -> list[dict]:
    """Labeled scenes of `open_dataset`."""
    dataset = open_dataset(args, predictor)
    scenes = [dataset.get_data(i) for i in range(len(dataset.data_list))]
    if args.data not in SYNTHETIC:
        for scene, path in zip(scenes, dataset.data_list, strict=True):
            check_units(scene["coord"] / dataset.scale, predictor.grid_size / dataset.scale, path)
    predictor.scale = 1.0
    for scene in scenes:
        require_objects(scene)
    return scenes
