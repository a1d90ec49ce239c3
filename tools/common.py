"""What the tools share: scenes to work on, and errors in one line."""

import logging
import os
import sys
import traceback

from torch.multiprocessing import ProcessExitedException

from pointins_ext.datasets.rooms import SyntheticRoomsDataset
from pointins_ext.datasets.scans import ScanDataset

USER_ERRORS = (ValueError, KeyError, FileNotFoundError, ImportError, FloatingPointError)


def add_scene_arguments(parser, split: str, num_scenes: int) -> None:
    """--data, --split, --num-scenes, --seed and --grid-size, as `load_scenes` reads them."""
    parser.add_argument("--data", default="rooms", help="'rooms' (synthetic) or a folder of scans with instance labels")
    parser.add_argument("--split", default=split, help=f"split of the data (default {split})")
    parser.add_argument("--num-scenes", type=int, default=num_scenes, help=f"rooms to generate (default {num_scenes})")
    parser.add_argument("--seed", type=int, default=0, help="seed of the rooms")
    parser.add_argument("--grid-size", type=float, help="voxel of the scans in metres (default: as in training)")


def load_scenes(args, predictor) -> list[dict]:
    """Labelled scenes in the metres of the network: a scan's `--grid-size` becomes the network's voxel."""
    if args.data == "rooms":
        dataset = SyntheticRoomsDataset(split=args.split, num_scenes=args.num_scenes, seed=args.seed, transform=[])
    else:
        scale = predictor.grid_size / args.grid_size if args.grid_size else predictor.scale
        dataset = ScanDataset(data_root=args.data, split=args.split or None, scale=scale, transform=[])
    predictor.scale = 1.0
    scenes = [dataset.get_data(i) for i in range(len(dataset.data_list))]
    unlabelled = [scene["name"] for scene in scenes if scene.get("instance") is None or scene["instance"].max() < 0]
    if unlabelled:
        raise ValueError(f"{unlabelled[0]}: no instance labels; expected instance.npy with at least one object")
    return scenes


def exit_on_user_error(function, *args):
    """Call; what a user can repair ends in one line and exit code 2 (POINTINS_DEBUG=1: with its traceback)."""
    try:
        function(*args)
    except ProcessExitedException as error:
        sys.exit(error.exit_code)
    except USER_ERRORS as error:
        if os.environ.get("POINTINS_DEBUG") == "1":
            traceback.print_exc()
        logging.shutdown()
        print(f"error: {one_line(error)}", file=sys.stderr, flush=True)
        sys.exit(2)


def one_line(error):
    """Message of an error; from a data worker, whose message is a traceback, its last line."""
    text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    lines = [line.strip() for line in text.splitlines() if line.strip()] or [type(error).__name__]
    return lines[-1] if lines[0].startswith("Caught ") else " ".join(lines)
