"""How good offset targets are, against the centers of labeled objects."""

import torch
import torch.nn.functional as F

from pointins_ext.evaluation.clustering import adjusted_rand_index
from pointins_ext.ops import neighbours, segment_count

SMALL, LARGE = 40, 150  # loss voxels of an object in its view
WHOLE = 0.9  # share of an object that a view must show for it not to count as cut


def score_targets(target, instance, center, visible) -> dict[str, float]:
    """Scores of one refined `OffsetField` of several views; NaN where nothing of a kind is there.

    instance (N,), -1 = none; center (N,3) of the whole object, NaN for none; visible (N,) share of it in the view.

    cosine, error (meters), ratio (median of target over true length): of valid targets on objects; cosine_cut: the
    same on objects of which less than 90 % are in view; kept: share of object voxels with a target, and by the size of
    the object; stuff: share of all targets that lie on none; ari: of the pseudo-instances with the objects of each
    view, over object voxels; apart, apart_stuff: mean distance (meters) of the two centers of one place in two views.
    """
    true = center - target.coord
    on_object = instance >= 0
    used = on_object & target.valid
    cosine = F.cosine_similarity(target.offset, true)
    ratio = target.offset.norm(dim=1) / true.norm(dim=1).clamp_min(1e-3)
    row = dict(
        cosine=_mean(cosine, used),
        cosine_cut=_mean(cosine, used & (visible < WHOLE)),
        error=_mean((target.offset - true).norm(dim=1), used),
        ratio=ratio[used].quantile(0.5) if used.any() else torch.nan,
        kept=_mean(target.valid.float(), on_object),
        stuff=_mean((~on_object).float(), target.valid),
        **_kept_by_size(target, instance),
        **_views_apart(target, on_object),
    )
    if target.instances is not None and not on_object.any():
        row["ari"] = torch.nan
    elif target.instances is not None:
        found, truth = target.instances.label[on_object], _in_view(instance, target.view)[on_object]
        # pseudo-instances may reach over views, objects are counted in each: compared within a view
        row["ari"] = adjusted_rand_index(_in_view(found, target.view[on_object]).numpy(), truth.numpy())
    return {name: float(value) for name, value in row.items()}


def _kept_by_size(target, instance):
    own = _in_view(instance, target.view)
    size = segment_count(own, int(own.max()) + 1)[own]
    on_object, valid = instance >= 0, target.valid.float()
    return dict(
        kept_small=_mean(valid, on_object & (size < SMALL)),
        kept_medium=_mean(valid, on_object & (size >= SMALL) & (size < LARGE)),
        kept_large=_mean(valid, on_object & (size >= LARGE)),
    )


def _views_apart(target, on_object):
    """Mean distance of the centers that two views have for one place, on objects and elsewhere."""
    distances, pairs = [], []
    for view in range(int(target.view.max())):
        own, other, index = same_place(target, view, view + 1)
        both = (index >= 0) & target.valid[own] & target.valid[other][index]
        distances.append((target.center[own] - target.center[other][index]).norm(dim=1)[both])
        pairs.append(on_object[own][both])
    distance, pair = torch.cat(distances), torch.cat(pairs)
    return dict(apart=_mean(distance, pair), apart_stuff=_mean(distance, ~pair))


def same_place(field, view, other):
    """Masks (N,) of two views of an `OffsetField`, and for each voxel of the first that of the second at its place.

    The latter counts within its view; -1 = none within a loss voxel.
    """
    own, beside = field.view == view, field.view == other
    index = neighbours(field.coord[own], field.coord[beside], None, None, 1, float(field.voxel[view]))
    return own, beside, index.squeeze(1)


def _in_view(label, view):
    """(N,) consecutive numbers of the pairs of label and view."""
    return torch.unique(view * (int(label.max()) + 2) + label + 1, return_inverse=True)[1]


def _mean(value, where):
    return value[where].mean() if where.any() else torch.nan
