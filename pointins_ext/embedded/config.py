"""The config language: Python files, `_base_` inheritance, dotted overrides."""

import argparse
import difflib
import keyword
import os
from copy import deepcopy

import numpy as np
from addict import Dict

from pointins_ext.embedded.config_file import check_kind, import_modules, merge, read_file
from pointins_ext.engine.overrides import with_indices
from pointins_ext.errors import UserError, UserKeyError
from pointins_ext.files import write_text

RESERVED = ("filename", "pretty_text")


class MissingKey(UserKeyError, AttributeError):
    """A key that a config lacks: an attribute to Python, something to add to its config to the user."""


class ConfigDict(Dict):
    """Dict with attribute access; a missing key raises."""

    def __missing__(self, name):
        raise KeyError(name)

    def __getattr__(self, name):
        try:
            return super().__getattr__(name)
        except KeyError:
            raise MissingKey(f"the config has no key {name!r}; known are {sorted(map(str, self))}") from None


class Config:
    """A config tree, read from a file or a dict; attribute access, dotted overrides, text that reloads equal."""

    def __init__(self, cfg_dict=None, filename=None):
        reserved = [key for key in RESERVED if key in (cfg_dict or {})]
        if reserved:
            raise UserKeyError(f"{filename or 'config'}: the keys {reserved} are reserved")
        super().__setattr__("_cfg_dict", ConfigDict(cfg_dict or {}))
        super().__setattr__("_filename", filename)

    @staticmethod
    def fromfile(path, options=None, defaults=None):
        """Read a config file.

        options: {dotted key: value}. A key that is a top-level variable with a literal value, in this file or a base,
        replaces that literal before the file runs, so what is computed from it follows; all are merged afterwards.
        defaults: {top-level key: value} for keys that neither the file nor its bases set.
        FileNotFoundError, or ValueError with file and line; KeyError for an option with an unknown top-level key.
        """
        options = dict(options or {})
        tree, used = read_file(path, options)
        cfg = Config({**(defaults or {}), **tree}, filename=os.fspath(path))
        import_modules(cfg._cfg_dict.get("custom_imports"), path)
        cfg.merge_from_dict({key: value for key, value in options.items() if key in cfg or key not in used})
        return cfg

    def merge_from_dict(self, options):
        """Merge {dotted key: value}; items of a list go by index or by type: `hooks.0.x`, `hooks.ModelHook.x`."""
        for key, value in options.items():
            top = key.split(".")[0]
            if top not in self._cfg_dict:
                close = difflib.get_close_matches(top, self._cfg_dict, n=3)
                hint = f"did you mean {', '.join(close)}?" if close else f"known are {', '.join(self._cfg_dict)}"
                raise UserKeyError(f"option {key!r}: {self._filename or 'the config'} has no key {top!r}; {hint}")
            _set(self._cfg_dict, with_indices(self._cfg_dict, key).split("."), value, key)

    @property
    def filename(self):
        return self._filename

    @property
    def pretty_text(self):
        """Python source that reads back as an equal config."""
        return "".join(f"{key} = {_source(value, key)}\n" for key, value in self._cfg_dict.items())

    def to_dict(self):
        """The tree as plain dicts, lists and tuples: what a checkpoint may hold."""
        return _plain(self._cfg_dict)

    def dump(self, file=None):
        """Write `pretty_text` to `file` in one piece, or return it."""
        if file is None:
            return self.pretty_text
        write_text(file, self.pretty_text)

    def __repr__(self):
        return f"Config (path: {self._filename}): {self._cfg_dict!r}"

    def __len__(self):
        return len(self._cfg_dict)

    def __iter__(self):
        return iter(self._cfg_dict)

    def __contains__(self, key):
        return key in self._cfg_dict

    def __getattr__(self, name):
        return getattr(self._cfg_dict, name)

    def __getitem__(self, name):
        return self._cfg_dict[name]

    def __setattr__(self, name, value):
        self._cfg_dict[name] = ConfigDict(value) if isinstance(value, dict) else value

    __setitem__ = __setattr__

    def __deepcopy__(self, memo):
        return Config(deepcopy(self._cfg_dict, memo), self._filename)

    def __getstate__(self):
        return self._cfg_dict, self._filename

    def __setstate__(self, state):
        super().__setattr__("_cfg_dict", state[0])
        super().__setattr__("_filename", state[1])


class DictAction(argparse.Action):
    """argparse action for `--options key=value ...`: numbers, true/false, None, text, nested [..], (..), a,b lists."""

    def __call__(self, parser, namespace, values, option_string=None):
        options = dict(getattr(namespace, self.dest, None) or {})
        for pair in values:
            key, equals, value = pair.partition("=")
            if not equals or not key:
                parser.error(f"{option_string} takes key=value, found {pair!r}")
            try:
                options[key.strip()] = parse_value(value)
            except ValueError as error:
                parser.error(f"{option_string} {pair!r}: {error}")
        setattr(namespace, self.dest, options)


def parse_value(text):
    """Value of the right side of an override: `1,2` and `[1,2]` are lists, `(1,2)` is a tuple."""
    text = text.strip().strip("'\"")
    brackets = text[:1] + text[-1:]
    if brackets in ("()", "[]") and len(_split(text)) == 1:
        items = [parse_value(item) for item in _split(text[1:-1])]
        return tuple(items) if brackets == "()" else items
    items = _split(text)
    if text and items != [text]:
        return [parse_value(item) for item in items]
    for convert in (int, float):
        try:
            return convert(text)
        except ValueError:
            continue
    return {"true": True, "false": False, "none": None}.get(text.lower(), text)


def _split(text):
    """Split at the commas outside all brackets; an empty last piece is dropped."""
    pieces, depth, start = [], 0, 0
    for i, char in enumerate(text):
        depth += (char in "([") - (char in ")]")
        if depth < 0:
            break
        if char == "," and depth == 0:
            pieces.append(text[start:i])
            start = i + 1
    if depth:
        raise UserError(f"unbalanced brackets in {text!r}")
    return pieces + [text[start:]] if text[start:].strip() else pieces


def _set(node, keys, value, full_key):
    """Set node[keys[0]][keys[1]]... = value; dicts merge into dicts."""
    key, rest = keys[0], keys[1:]
    if isinstance(node, (list, tuple)):
        if not key.isdigit() or int(key) >= len(node):
            raise UserKeyError(f"option {full_key!r}: {key!r} is no index of a list of {len(node)} items")
        items = list(node)
        items[int(key)] = _set_child(items[int(key)], rest, value, full_key)
        return type(node)(items)
    if not isinstance(node, dict):
        raise UserError(f"option {full_key!r}: cannot set {key!r} inside the {type(node).__name__} {node!r}")
    missing = ConfigDict() if rest else None
    node[key] = _set_child(node.get(key, missing), rest, value, full_key)
    return node


def _set_child(child, rest, value, full_key):
    if rest:
        return _set(child, rest, value, full_key)
    check_kind(full_key, child, value)
    if isinstance(value, dict):
        base = {"": child} if isinstance(child, dict) else {}
        return ConfigDict(merge({"": value}, base, f"option {full_key!r}")[""])
    return value


def _plain(value):
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return type(value)(_plain(item) for item in value) if isinstance(value, (list, tuple)) else value


def _source(value, key, indent=""):
    """Python source of a value; lines up to 100 characters stay in one line."""
    if isinstance(value, np.generic):
        value = value.item()
    deeper = indent + "    "
    if isinstance(value, dict):
        plain = all(isinstance(name, str) and name.isidentifier() and not keyword.iskeyword(name) for name in value)
        names = [f"{name}=" if plain else f"{name!r}: " for name in value]
        items = [name + _source(item, key, deeper) for name, item in zip(names, value.values(), strict=True)]
        left, right = ("dict(", ")") if plain else ("{", "}")
    elif isinstance(value, (list, tuple)):
        items = [_source(item, key, deeper) for item in value]
        left, right = "[]" if isinstance(value, list) else "()"
    elif isinstance(value, float) and not np.isfinite(value):
        return f'float("{value}")'
    elif value is None or isinstance(value, (bool, int, float, str, bytes)):
        return repr(value)
    else:
        raise UserError(f"config key {key!r}: a {type(value).__name__} cannot be written to a file: {value!r}")
    comma = "," if isinstance(value, tuple) and len(items) == 1 else ""
    line = left + ", ".join(items) + comma + right
    if len(line) <= 100 and "\n" not in line:
        return line
    return left + "".join(f"\n{deeper}{item}," for item in items) + f"\n{indent}{right}"
