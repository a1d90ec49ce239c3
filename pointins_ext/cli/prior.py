"""Fit the magnitude prior of ODR to a folder of scans: without labels, or from instance labels.

    pointins prior --data FOLDER --output prior.json [--method components|hdbscan|labels]

Train with it: `pointins train ... -- hooks.ODRHook.prior=prior.json`. Lengths are meters of the network: `--scale` is
the scans' scale in training.
"""

import torch
from tqdm import tqdm

from pointins_ext.branch import MagnitudePrior
from pointins_ext.datasets.rooms import SyntheticRoomsDataset
from pointins_ext.datasets.scans import ScanDataset
from pointins_ext.errors import UserError
from pointins_ext.flags import at_least, output_file, positive, verb_parser
from pointins_ext.instances import fit_label_free, magnitudes_from_instances
from pointins_ext.ops import voxelize


def arguments(argv):
    parser = verb_parser("prior", __doc__)
    parser.add_argument("--data", default="rooms", help="'rooms' (synthetic) or a folder of scans")
    parser.add_argument(
        "--split", help="subfolder of the data; rooms: train or val (default: all of a folder, train rooms)"
    )
    parser.add_argument("--num-scenes", type=at_least(1), default=60, help="how many scans or rooms to use")
    parser.add_argument("--method", default="components", choices=("components", "hdbscan", "labels"))
    parser.add_argument("--scale", type=positive, default=1.0, help="meters of the scans to meters of the network")
    parser.add_argument("--grid-size", type=positive, default=0.04, help="voxel, meters of the network")
    parser.add_argument(
        "--radius", type=positive, default=0.08, help="edge length of the components, meters of the network"
    )
    parser.add_argument("--output", required=True, type=output_file, help="JSON file to write")
    return parser.parse_args(argv)


def main(argv):
    args = arguments(argv)
    if args.data == "rooms":
        dataset = SyntheticRoomsDataset(
            split=args.split or "train", num_scenes=args.num_scenes, transform=[], cache=False
        )
    else:
        dataset = ScanDataset(data_root=args.data, split=args.split, scale=args.scale, transform=[])
    count = min(args.num_scenes, len(dataset.data_list))
    scenes = (dataset.get_data(i) for i in tqdm(range(count), desc="fitting", unit="scan", disable=None))
    source = f"{args.method} of {count} scans in {args.data}"
    if args.method == "labels":
        prior = MagnitudePrior.fit(torch.cat([labeled_lengths(scene) for scene in scenes]), source)
    else:
        coords = (torch.from_numpy(s["coord"][voxelize(s["coord"], args.grid_size)]) for s in scenes)
        prior = fit_label_free(coords, source, method=args.method, radius=args.radius)
    prior.save(args.output)
    quantiles = ", ".join(f"{q:.0%} {float(prior.quantile(torch.tensor(q))):.3f} m" for q in (0.1, 0.5, 0.9, 0.99))
    print(f"{args.output}: {quantiles}")


def labeled_lengths(scene) -> torch.Tensor:
    if scene["instance"].max() < 0:
        raise UserError(f"{scene['name']}: no instance labels; use --method components")
    return magnitudes_from_instances(torch.from_numpy(scene["coord"]), torch.from_numpy(scene["instance"]))
