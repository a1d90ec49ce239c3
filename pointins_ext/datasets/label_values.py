"""Label numbers as files write them to int32 with -1 = none: NaN, ignore ids, packed words, background as object 0."""

import numpy as np

from pointins_ext.errors import UserError, notice

MAX_CLASS = 65535
LAST_CLASS = 259  # of SemanticKITTI, in the low half of its words
WORDS = "32-bit words of SemanticKITTI are segment = word & 0xFFFF and instance = word >> 16"
LOWEST = -32768  # below it, a signed reading of 32-bit words is more likely than a mark for "none"
MARKS = (255, 65535)  # of types that cannot say -1
SPAN = 0.9  # of the scan's extent, along two axes, that the background covers


def segment_values(value, source):
    """Classes (N,) of any type -> int32, -1 = none."""
    value = _whole("segment", value, source)
    if value.max(initial=0) > MAX_CLASS:
        raise UserError(f"{source}: segment holds up to {value.max()}, expected classes; {WORDS}")
    return value.astype(np.int32)


def instance_values(value, coord, source):
    """Instances (N,) of any type, at coord (N, 3) -> int32, -1 = none, which background numbered 0 becomes."""
    value = _whole("instance", value, source)
    highest, limit = value.max(initial=0), np.iinfo(np.int32).max
    if MAX_CLASS < highest < 2**32 and (value[value >= 0] & 0xFFFF).max() <= LAST_CLASS:
        raise UserError(f"{source}: instance holds up to {highest} with classes in its low bits; {WORDS}")
    if highest > limit:
        raise UserError(
            f"{source}: instance holds up to {highest}, expected at most {limit}; number them anew: "
            "np.unique(instance, return_inverse=True)[1]"
        )
    return _without_background(value, coord, source).astype(np.int32)


def _without_background(value, coord, source):
    """Instance 0 as -1 where it is not compact, as objects are, but spans the scan, and no point is marked as none."""
    background = value == 0
    if (value < 0).any() or not background.any() or not _spans(coord[background], coord):
        return value
    said = f"{source}: no instance is -1, and instance 0 spans the whole scan"
    others, count = np.unique(value[~background], return_counts=True)
    if len(others) and _spans(coord[value == others[count.argmax()]], coord):
        notice("background", f"{said}, but so does {others[count.argmax()]}: kept; if it is the background, write -1")
        return value
    notice("background", f"{said}: taken for the background, -1; to overrule, number objects from 1, or mark with -1")
    return np.where(background, -1, value)


def _whole(key, value, source):
    """int64 (N,) with -1 for every mark of "none"."""
    kind = value.dtype
    if kind.kind == "f":
        value = value.astype(np.float64)
        missing = ~np.isfinite(value)
        broken = ~missing & (value != np.rint(value))
        if broken.any():
            raise UserError(
                f"{source}: {broken.sum()} of {len(value)} points have a fraction in {key}, like "
                f"{value[broken][0]:.6g}; expected whole numbers"
            )
        if missing.any():
            notice(key, f"{source}: {missing.sum()} of {len(value)} points have NaN in {key}: -1, no label")
        value = np.where(missing, -1, np.clip(value, -(2.0**62), 2.0**62))
    elif kind == np.uint64:
        marked = value == np.iinfo(kind).max
        value = np.where(marked, 2**63 - 1, np.minimum(value, 2**62))
    value = value.astype(np.int64)
    return _without_marks(key, value, kind, source)


def _without_marks(key, value, kind, source):
    lowest, highest = value.min(initial=0), value.max(initial=0)
    if lowest < LOWEST:
        raise UserError(
            f"{source}: {key} holds {lowest}, expected -1 for no label and numbers from 0 on; if these are words read "
            f"as signed numbers, word = {key}.astype(np.uint32): {WORDS}"
        )
    if lowest < -1:
        notice(key, f"{source}: {key} holds {lowest}: as all negative numbers -1, no label; number labels from 0")
        value = np.maximum(value, -1)
    end = np.iinfo(kind).max if kind.kind == "u" else None
    end = 2**63 - 1 if kind == np.uint64 else end
    if highest in (end, *MARKS) and not (value == highest - 1).any():
        if highest == end:
            most = np.iinfo(kind).max
            notice(key, f"{source}: {key} holds {most}, the largest {kind}: -1, no label; if it is one, write int32")
            return np.where(value == highest, -1, value)
        notice(key, f"{source}: {key} holds {highest} and is kept so; if it means no label, write -1")
    return value


def _spans(part, coord):
    """Whether a part of the points covers the extent of all along two axes or more; stray points aside."""
    of_part, of_all = (np.ptp(np.quantile(points, (0.01, 0.99), axis=0), axis=0) for points in (part, coord))
    return int(((of_part >= SPAN * of_all) & (of_all > 0)).sum()) >= 2
