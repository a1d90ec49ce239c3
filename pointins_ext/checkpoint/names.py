"""Names and shapes of a checkpoint's tensors against those of a model; what does not fit is said, never skipped."""

import re
from collections import Counter, defaultdict
from typing import NamedTuple

from torch.nn.parallel import DistributedDataParallel

from pointins_ext.errors import UserError


class Match(NamedTuple):
    """What of a model a checkpoint has."""

    weight: dict  # the checkpoint's tensors under the model's names
    matched: list
    missing: list
    unexpected: list
    backbone: str  # "12 of 12 backbone tensors"


def load_weight(model, state_dict, path, **rules):
    """Load by name into `model`, on any device, also inside DistributedDataParallel; see `match_weight`."""
    model = model.module if isinstance(model, DistributedDataParallel) else model
    match = match_weight(model.state_dict(), state_dict, path, **rules)
    model.load_state_dict(match.weight, strict=False)
    return match


def rename(state_dict, keywords, replacement):
    """Names as the bare model has them; `keywords` -> `replacement` once, both with "module." in front as Pointcept."""
    renamed = {}
    for name, value in state_dict.items():
        name = name if name.startswith("module.") else f"module.{name}"
        renamed[name.replace(keywords, replacement, 1).removeprefix("module.")] = value
    return renamed


def match_weight(wanted, state_dict, path, keywords="", replacement="", strict=False, min_match=0.9):
    """Match of the tensors `state_dict` of the file `path`, renamed, to a model's `wanted` ones.

    ValueError when less than `min_match` of the model's backbone is there (with the renaming that would match), when
    shapes differ (with the config key that sets them), when the renaming makes two names one, and if `strict` on any
    difference. A decoder counts as backbone only if the checkpoint has one: pretraining has none.
    """
    weight = rename(state_dict, keywords, replacement)
    if len(weight) < len(state_dict):
        raise UserError(
            f"checkpoint {path}: keywords={keywords!r}, replacement={replacement!r} makes {len(state_dict)} names "
            f"{len(weight)}, because the file has some of the new ones too; take keywords that pick one network"
        )
    backbone, kind = backbone_names(wanted, weight)
    present = sum(name in weight for name in backbone)
    matched = [name for name in wanted if name in weight]
    missing = [name for name in wanted if name not in weight]
    unexpected = [name for name in weight if name not in wanted]
    if not matched or (not strict and present < min_match * len(backbone)):
        raise UserError(
            f"checkpoint {path}: {present} of the model's {len(backbone)} {kind} are in it, min_match={min_match} "
            f"asks for more; {_unused(keywords, state_dict)}{_advice(state_dict, weight, backbone, present)}"
        )
    if strict and (missing or unexpected):
        raise UserError(
            f"checkpoint {path}: missing {missing[:5]} ({len(missing)}), unexpected {unexpected[:5]} "
            f"({len(unexpected)}) in a strict load"
        )
    _check_shapes(weight, wanted, matched, path)
    return Match(weight, matched, missing, unexpected, f"{present} of {len(backbone)} {kind}")


def backbone_names(wanted, weight):
    """(names, what they are): those with a part "backbone", or all; the decoder only where `weight` has one."""
    names = [name for name in wanted if "backbone" in name.split(".")] or list(wanted)
    if not any("dec" in name.split(".") for name in weight):
        names = [name for name in names if "dec" not in name.split(".")] or names
    return names, "backbone tensors" if "backbone" in names[0].split(".") else "tensors"


def _check_shapes(weight, wanted, matched, path):
    other = [name for name in matched if weight[name].shape != wanted[name].shape]
    if not other:
        return
    shapes = [f"{name} {tuple(weight[name].shape)} -> {tuple(wanted[name].shape)}" for name in other[:3]]
    key = _config_key(other[0], weight[other[0]].shape, wanted[other[0]].shape)
    raise UserError(
        f"checkpoint {path}: {len(other)} tensors differ in shape from the model: {', '.join(shapes)}"
        + (f"; compare {key} of this config with that of the checkpoint" if key else "")
    )


def _config_key(name, found, wanted):
    """The key of a model config that most likely sets a tensor's shape, or None."""
    inputs_only = len(found) > 1 and found[:-1] == wanted[:-1]
    stage = re.search(r"\b(enc|dec)\.(?:enc|dec)(\d+)\.", name)
    if "embedding" in name.split("."):
        return "in_channels" if inputs_only and "stem" in name else "enc_channels"
    if stage and name.endswith("rpe_table"):
        return f"{stage[1]}_num_head" if inputs_only else f"{stage[1]}_patch_size"
    if stage and ".mlp." in name and found[1:] == wanted[1:]:
        return "mlp_ratio"
    if stage:
        return f"{stage[1]}_channels (stage {stage[2]})"
    if "offset_head" in name:
        return "head_in_channels" if inputs_only else "offset_head.hidden_channels"
    if re.search(r"\b(seg|cls)_head\.", name):
        return "backbone_out_channels" if inputs_only else "num_classes"
    return "head_num_prototypes" if "prototype" in name else None


def _unused(keywords, state_dict):
    unused = not any(keywords in name for name in ("module." + name.removeprefix("module.") for name in state_dict))
    return f"keywords={keywords!r} is in none of its names; " if unused else ""


def _advice(state_dict, weight, backbone, present):
    """What to do about too small a match: the renaming that matches most, or a smaller `min_match`, as text."""
    names = list(rename(state_dict, "", ""))
    counts = [(_count(state_dict, backbone, *pair), pair) for pair in _renamings(names, backbone)]
    count, pair = max(counts, key=lambda item: item[0], default=(0, None))
    if count - present >= (len(backbone) - present) / 2:  # less is chance: equal endings in another part
        return f"keywords={pair[0]!r}, replacement={pair[1]!r} would match {count} of them"
    if present:
        absent = next(name for name in backbone if name not in weight)
        share = int(100 * present / len(backbone)) / 100
        return f"it lacks for example {absent!r}; to start the rest from scratch, set min_match={share}"
    return f"it is a checkpoint of another model, with {names[0]!r} where the model has {backbone[0]!r}"


def _count(state_dict, backbone, keywords, replacement):
    renamed = rename(state_dict, keywords, replacement)
    return sum(name in renamed for name in backbone)


def _renamings(found, wanted):
    """Up to three (keywords, replacement) under which most names of `found` become names of `wanted`."""
    prefixes = defaultdict(list)
    for name in wanted:
        for prefix, suffix in _cuts(name):
            prefixes[suffix].append(prefix)
    pairs, suffixes = Counter(), defaultdict(list)
    for name in found:
        cut = next(((prefix, suffix) for prefix, suffix in _cuts(name) if suffix in prefixes), None)
        for target in prefixes[cut[1]] if cut else ():
            pairs[cut[0], target] += 1
            suffixes[cut[0], target].append(cut[1])
    return [_with_module(*pair, suffixes[pair]) for pair, _ in pairs.most_common(3)]


def _cuts(name):
    """(prefix, suffix) of a dotted name, longest suffix first; a suffix has two parts or is the whole name."""
    parts = name.split(".")
    return [(".".join(parts[:i]), ".".join(parts[i:])) for i in range(max(len(parts) - 1, 1))]


def _with_module(source, target, suffixes):
    """Both prefixes as Pointcept's configs write them, and down to `backbone` where all suffixes begin with it."""
    tail = ["backbone"] if all(suffix.startswith("backbone.") for suffix in suffixes) else []
    return tuple(".".join(["module", *([prefix] if prefix else []), *tail]) for prefix in (source, target))
