"""Overrides of the command line: items of a list by their type, `hooks.ODRHook.prior` for `hooks.3.prior`."""

from pointins_ext.errors import UserKeyError


def with_indices(tree, key):
    """The dotted `key` with the index of each list item that it names by type; indices and other keys stay.

    Raises KeyError where no item of a list, or more than one, has the type.
    """
    parts, node = [], tree
    for part in key.split("."):
        if isinstance(node, (list, tuple)) and not part.isdigit():
            part = str(_index_of(part, node, key))
        parts.append(part)
        node = _child(node, part)
    return ".".join(parts)


def _index_of(kind, items, key):
    types = [item.get("type") if isinstance(item, dict) else None for item in items]
    if types.count(kind) != 1:
        found = "none has" if kind not in types else f"{types.count(kind)} have"
        raise UserKeyError(
            f"option {key!r}: of the {len(items)} items of this list {found} the type {kind!r}; "
            f"types are {', '.join(map(str, types))}; name one of them, or an index from 0"
        )
    return types.index(kind)


def _child(node, part):
    if isinstance(node, (list, tuple)):
        return node[int(part)] if int(part) < len(node) else None
    return node.get(part) if isinstance(node, dict) else None
