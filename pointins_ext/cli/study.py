"""Offline study of the offset targets: what ODR and SCR make of a checkpoint's offsets, against known centers.

    pointins study --weight exp/pointins/NAME/model/model_last.pth [--data FOLDER]
    pointins study --weight ... --num-clusters 1 5 --radius 0.08 0.12 --feature loss_stage concat

Twenty seconds that predict a training run: for raw offsets, ODR, SCR and both it prints the cosine to the true center,
the share of object voxels with a valid target, and how well the pseudo-instances agree with the objects (ARI over
object voxels).
"""

import itertools
import os

import torch

from pointins_ext.branch import MagnitudePrior, OffsetDistributionRegularization, SpatialClusteringRegularization
from pointins_ext.branch.scr import FEATURES
from pointins_ext.branch.targets import OffsetField, offset_targets
from pointins_ext.cli.scenes import add_scene_arguments, load_scenes
from pointins_ext.errors import UserError
from pointins_ext.evaluation import adjusted_rand_index
from pointins_ext.flags import add_config_argument, at_least, positive, verb_parser
from pointins_ext.hooks.presets import SCR as PRESETS
from pointins_ext.inference import load_predictor
from pointins_ext.ops import segment_mean

SCR = PRESETS["indoor"]


def arguments(argv):
    parser = verb_parser("study", __doc__)
    parser.add_argument("--weight", required=True, help="PointINS pretraining checkpoint")
    add_config_argument(parser)
    add_scene_arguments(parser, split="train", num_scenes=6)
    parser.add_argument(
        "--prior", help="indoor, outdoor or a file (default: prior.json of the experiment, else indoor)"
    )
    parser.add_argument("--num-clusters", type=at_least(1), nargs="+", default=[SCR["num_clusters"]], help="K of SCR")
    parser.add_argument("--feature", nargs="+", default=[SCR["feature"]], choices=FEATURES, help="one or more")
    parser.add_argument("--radius", type=positive, nargs="+", default=[SCR["radius"]], help="meters of the network")
    parser.add_argument("--network", default="teacher", choices=("teacher", "student"))
    return parser.parse_args(argv)


def variants(prior: MagnitudePrior, scrs: dict[str, SpatialClusteringRegularization]) -> dict[str, list]:
    """Rows of the study: name -> regularizers. scrs: name -> SCR to try."""
    odr = {
        "ODR": OffsetDistributionRegularization(prior),
        "half ODR": OffsetDistributionRegularization(prior, strength=0.5),
        "spherical ODR": OffsetDistributionRegularization(prior, direction="spherical"),
        "magnitude only": OffsetDistributionRegularization(prior, direction="keep"),
    }
    rows = {"raw": []}
    rows |= {name: [rule] for name, rule in odr.items()}
    for scr_name, scr in scrs.items():
        rows |= {f"zero + {scr_name}": [_Zero(), scr], scr_name: [scr]}
        rows |= {f"{name} + {scr_name}": [rule, scr] for name, rule in odr.items()}
    return rows


def scr_variants(args, prior: MagnitudePrior) -> dict[str, SpatialClusteringRegularization]:
    """Every combination that is asked for; a single one is called SCR."""
    grid = list(itertools.product(args.feature, args.num_clusters, args.radius))
    return {
        "SCR" if len(grid) == 1 else f"SCR {feature} K{k} r{radius}": SpatialClusteringRegularization(
            k,
            radius=radius,
            feature=feature,
            max_length=1.5 * float(prior.quantile(torch.tensor(0.999))),
            generator=torch.Generator().manual_seed(0),
        )
        for feature, k, radius in grid
    }


class _Zero:
    """Offsets of length zero: what SCR makes of the features alone."""

    def refine(self, field: OffsetField) -> OffsetField:
        return field.replace(offset=torch.zeros_like(field.offset))


def score(target: OffsetField, instance: torch.Tensor) -> dict[str, float]:
    """Cosine and error of valid targets on object voxels, valid share, ARI and number of pseudo-instances."""
    member = instance >= 0
    _, group = instance[member].unique(return_inverse=True)
    truth = segment_mean(target.coord[member], group, int(group.max()) + 1)[group] - target.coord[member]
    valid = target.valid[member]
    offset = target.offset[member]
    row = dict(
        cosine=torch.nn.functional.cosine_similarity(offset, truth)[valid].mean(),
        error=(offset - truth).norm(dim=1)[valid].mean(),
        length=offset.norm(dim=1)[valid].mean(),
        valid=valid.float().mean(),
    )
    if target.instances is not None:
        row |= dict(
            ari=adjusted_rand_index(target.instances.label[member].numpy(), group.numpy()),
            components=int(target.instances.label.max()) + 1,
        )
    return {name: float(value) for name, value in row.items()}


def majority(instance: torch.Tensor, nearest: torch.Tensor, count: int) -> torch.Tensor:
    """(count,) most frequent instance among the raw points of each loss voxel, -1 counted as one of them."""
    votes = torch.zeros(count, int(instance.max()) + 2, dtype=torch.long)
    votes.index_put_((nearest, instance.long() + 1), torch.ones_like(nearest), accumulate=True)
    return votes.argmax(1) - 1


def study(predictor, scenes, rows: dict[str, list]) -> dict[str, dict[str, float]]:
    """Mean scores over scenes for every row."""
    table = {name: [] for name in rows}
    for scene in scenes:
        field, nearest = predictor.field(scene)
        instance = majority(torch.as_tensor(scene["instance"]), nearest, len(field.coord))
        if not (instance >= 0).any():
            raise UserError(
                f"{scene['name']}: no voxel of {field.voxel:.3g} m is mostly of one object; give the voxel of these "
                "scans (--grid-size), or leave the scene out"
            )
        for name, regularizers in rows.items():
            table[name].append(score(offset_targets(field, regularizers), instance))
    return {
        name: {key: sum(s[key] for s in scores) / len(scores) for key in scores[0]} for name, scores in table.items()
    }


def main(argv):
    args = arguments(argv)
    predictor = load_predictor(args.weight, args.network, device="cpu", config=args.config)
    scenes = load_scenes(args, predictor)
    fitted = os.path.join(os.path.dirname(os.path.dirname(args.weight)), "prior.json")
    prior = MagnitudePrior.load(args.prior or (fitted if os.path.isfile(fitted) else "indoor"))
    table = study(predictor, scenes, variants(prior, scr_variants(args, prior)))
    print(f"{len(scenes)} scenes, prior: {prior.source}; meters, object voxels only\n")
    columns = ("cosine", "error", "length", "valid", "ari", "components")
    width = max(map(len, table)) + 2
    print(f"{'offsets':{width}s}" + "".join(f"{name:>12s}" for name in columns))
    for name, row in table.items():
        print(f"{name:{width}s}" + "".join(f"{row[c]:12.3f}" if c in row else " " * 12 for c in columns))
