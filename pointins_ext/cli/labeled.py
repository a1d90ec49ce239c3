"""What `pointins segment` writes of a scan where the checkpoint was trained on labels: classes, and instances."""

from pathlib import Path

import numpy as np

from pointins_ext.cli.scan_files import file_coord, open_scan, write_picture
from pointins_ext.datasets.readers import write_ply
from pointins_ext.datasets.tree import RESULT
from pointins_ext.errors import UserError, notice
from pointins_ext.files import whole_file
from pointins_ext.inference import at_all_points
from pointins_ext.instances import MIN_VOXELS, instance_centers
from pointins_ext.visualization import instance_colors, write_viewer


def check_flags(predictor, args) -> None:
    """Raises ValueError if flags of `pointins segment` are given that mean nothing for a fine-tuned checkpoint."""
    if args.radius is not None or args.min_points != MIN_VOXELS or args.network != "teacher":
        raise UserError(
            f"{args.weight}: --radius, --min-points and --network are for pretraining; a {predictor.kind} groups as "
            "its config says, leave them out"
        )
    if args.view and predictor.kind == "DefaultSegmentorV2":
        raise UserError(f"{args.weight}: --view shows instances, a DefaultSegmentorV2 has classes alone; leave it out")


def label_scan(predictor, scan: str, target: Path, args, say=print) -> str:
    """Writes the results of one scan next to `target`; returns what was found in words."""
    scene, _, upright = open_scan(scan, args.up)
    predictor.check_frame(upright["coord"], scan, up_known=args.up is not None)
    try:
        found = predictor(upright)
    except UserError as error:
        raise UserError(f"{scan}: {error}") from error
    names = np.array(found.names)
    fields = dict(segment=found.segment)
    arrays = dict(segment=at_all_points(found.segment, scene, -1), class_names=names)
    titles, ids = ["Classes"], [found.segment]
    if found.instance is not None:
        if not len(found.score):
            notice("empty results", f"{scan}: 0 instances; is it like the scans of training? else try --grid-size")
        fields["instance"] = found.instance
        center = instance_centers(scene["coord"], found.instance).numpy() + scene["coord_shift"]
        instance = at_all_points(found.instance, scene, -1)
        arrays |= dict(instance=instance, score=found.score, category=found.category, center=center)
        titles, ids = [*titles, f"{len(found.score)} instances"], [*ids, found.instance]
    colors = [instance_colors(value) for value in ids]
    write_ply(target, file_coord(scene), colors[-1], comment=RESULT, **fields)
    with whole_file(target.with_suffix(".npz")) as stream:
        np.savez_compressed(stream, **arrays)
    if not args.no_picture:
        write_picture(target.with_suffix(".png"), upright, titles, colors)
    if args.view:
        page = dict(coord=upright["coord"], color=upright["color"], predicted=found.instance, name=target.stem)
        page |= dict(offset=found.offset, score=found.score)
        write_viewer(target.with_suffix(".html"), [page], title=f"Instances of {Path(scan).name}")
    return found.summary()
