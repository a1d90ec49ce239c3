"""Registries: names in a config's `type=` -> classes."""

import copy
import difflib
import inspect

from pointins_ext.errors import UserError, UserKeyError


class Registry:
    """Map from a name to a class, filled by decorators and read by `build`."""

    def __init__(self, name):
        self.name = name
        self.module_dict = {}

    def __len__(self):
        return len(self.module_dict)

    def __contains__(self, key):
        return key in self.module_dict

    def __repr__(self):
        return f"Registry({self.name}: {', '.join(sorted(self.module_dict))})"

    def get(self, key):
        """The class registered as `key`, or None."""
        return self.module_dict.get(key)

    def register_module(self, name=None, force=False, module=None):
        """Decorator, with or without call; `name` defaults to the class name.

        `@R.register_module`, `@R.register_module()`, `@R.register_module("Name")`, `R.register_module(module=cls)`.
        KeyError when the name is taken by another class and `force` is not set.
        """
        if inspect.isclass(name):
            return self._register(name, None, force)
        if module is not None:
            return self._register(module, name, force)
        return lambda cls: self._register(cls, name, force)

    def build(self, cfg, default_args=None):
        """Instantiate `cfg["type"]` (a registered name or a class) with the other keys as keyword arguments.

        Keys of `default_args` apply where `cfg` does not set them. KeyError for an unknown `type`, ValueError for a
        missing or unknown key; an error raised inside the component keeps its type and gets the component's name. A
        ValueError of a component that is not ours, such as an optimizer of torch, becomes a UserError.
        """
        if not isinstance(cfg, dict):
            raise UserError(f"{self.name}: a component is a dict with the key 'type', found {cfg!r}")
        args = {**(default_args or {}), **cfg}
        if "type" not in args:
            raise UserKeyError(f"{self.name}: the key 'type' is missing in the component with keys {sorted(args)}")
        kind = args.pop("type")
        cls = kind if inspect.isclass(kind) else self.module_dict.get(kind)
        if cls is None:
            raise UserKeyError(self._unknown(kind))
        label = kind if isinstance(kind, str) else kind.__name__
        _check_keys(label, cls, args)
        try:
            return cls(**args)
        except Exception as error:
            _prefix(error, label)
            if isinstance(error, ValueError) and not cls.__module__.startswith("pointins_ext"):
                raise UserError(str(error)) from error  # torch checks what its optimizers are given
            raise

    def _register(self, cls, name, force):
        name = name or cls.__name__
        if "." in name:
            raise UserKeyError(f"{self.name}: a registered name has no dots, found {name!r}")
        if self.module_dict.get(name, cls) is not cls and not force:
            raise UserKeyError(f"{self.name}: {name!r} is already registered by {self.module_dict[name]}")
        self.module_dict[name] = cls
        return cls

    def _unknown(self, kind):
        close = difflib.get_close_matches(str(kind), self.module_dict, n=3)
        if close:
            hint = f"did you mean {' or '.join(map(repr, close))}?"
        else:
            hint = (
                f"registered are: {', '.join(sorted(self.module_dict)) or 'none'}. If this name is Pointcept's: "
                "install Pointcept and set POINTCEPT_ROOT; if it is yours, import its module with custom_imports."
            )
        return f"{kind!r} is not in the registry {self.name!r}; {hint}"


def _check_keys(label, cls, args):
    """ValueError for keys that the constructor misses or does not know, before anything runs."""
    try:
        parameters = inspect.signature(cls).parameters.values()
    except (TypeError, ValueError):  # constructors written in C
        return
    named = [p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    required = {p.name for p in parameters if p.name in named and p.default is p.empty}
    missing = sorted(required - args.keys())
    if missing:
        raise UserError(f"{label}: missing key {', '.join(map(repr, missing))}; found {sorted(args)}")
    for p in parameters:
        number = isinstance(p.default, (int, float)) and not isinstance(p.default, bool)
        if number and isinstance(args.get(p.name), (str, dict)):
            raise UserError(f"{label}: {p.name} = {args[p.name]!r}, expected a number as its default {p.default}")
    unknown = sorted(args.keys() - set(named))
    if unknown and not any(p.kind is p.VAR_KEYWORD for p in parameters):
        close = difflib.get_close_matches(unknown[0], named, n=2)
        hint = f"did you mean {' or '.join(map(repr, close))}?" if close else f"known are {sorted(named)}"
        raise UserError(f"{label}: unknown key {', '.join(map(repr, unknown))}; {hint}")


def _prefix(error, label):
    """Put the component's name in front of the message, keeping the exception object and its type."""
    if isinstance(error, OSError) and error.strerror:
        error.strerror = f"{label}: {error.strerror}"
    elif error.args and isinstance(error.args[0], str) and not error.args[0].startswith(f"{label}: "):
        error.args = (f"{label}: {error.args[0]}", *error.args[1:])


MODELS = Registry("models")
MODULES = Registry("modules")
HOOKS = Registry("hooks")
TRAINERS = Registry("trainers")
TESTERS = Registry("testers")
DATASETS = Registry("datasets")
TRANSFORMS = Registry("transforms")
LOSSES = Registry("losses")
OPTIMIZERS = Registry("optimizers")
SCHEDULERS = Registry("schedulers")


def build_model(cfg):
    """Build the model that `cfg` describes; `cfg` is not changed."""
    return MODELS.build(copy.deepcopy(cfg))


def build_dataset(cfg):
    """Build the dataset that `cfg` describes."""
    return DATASETS.build(cfg)
