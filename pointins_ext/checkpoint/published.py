"""Published weights, a backbone alone: into every backbone of a model, and what a config needs for their widths."""

from collections.abc import Iterable, Iterator, Mapping

from pointins_ext.checkpoint.names import rename

# arguments of PTv3 that its tensors have the shapes of
SHAPES = ("in_channels", "enc_depths", "enc_channels", "enc_num_head", "mlp_ratio")


def for_every_backbone(state_dict: dict, wanted: Iterable[str]) -> tuple[dict, list[str]]:
    """A backbone under bare names, as published files hold it, under the names of each backbone of a model.

    wanted: the model's names -> the tensors, and the backbones that got them, such as "student.backbone"; none for a
    checkpoint of anything else, whose names stay as they are.
    """
    bare = rename(state_dict, "", "")
    if any("backbone" in name.split(".") for name in bare):
        return state_dict, []
    prefixes: dict[str, set[str]] = {}
    for name in wanted:
        first, found, rest = name.partition("backbone.")
        if found:
            prefixes.setdefault(first + found, set()).add(rest)
    # a few equal names, as of a head, are chance
    prefixes = {key: names for key, names in prefixes.items() if len(names & bare.keys()) > len(bare) / 2}
    if not prefixes:
        return state_dict, []
    return {prefix + name: value for prefix in prefixes for name, value in bare.items()}, sorted(
        prefix[:-1] for prefix in prefixes
    )


def width_overrides(published: Mapping, model: Mapping) -> str:
    """Overrides under which the model config fits the arguments of a published backbone; "" where none are told.

    Where the config has `head_in_channels`, its value for them, too.
    """
    flags = []
    for path, holder in _holders(model, "model"):
        backbone = holder["backbone"]
        for key in SHAPES:
            value, own = published.get(key), backbone.get(key)
            if value is not None and own is not None and _plain(value) != _plain(own):
                flags.append(_flag(f"{path}.backbone.{key}", _plain(value)))
        channels, levels = published.get("enc_channels"), holder.get("up_cast_level")
        if channels and levels is not None and "head_in_channels" in holder:
            width = sum(list(channels)[-levels - 1 :])
            if width != holder["head_in_channels"]:
                flags.append(_flag(f"{path}.head_in_channels", width))
    return " ".join(flags)


def _holders(config: Mapping, path: str) -> Iterator[tuple[str, Mapping]]:
    """Every part of a config that has a backbone with arguments of its own, and where it stands."""
    if isinstance(config.get("backbone"), Mapping):
        yield path, config
    for key, value in config.items():
        if key != "backbone" and isinstance(value, Mapping):
            yield from _holders(value, f"{path}.{key}")


def _plain(value):
    return tuple(value) if isinstance(value, (list, tuple)) else value


def _flag(name, value) -> str:
    return f"{name}={str(value).replace(' ', '')!r}" if isinstance(value, tuple) else f"{name}={value}"
