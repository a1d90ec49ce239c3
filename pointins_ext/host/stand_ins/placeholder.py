"""Modules and names that exist to be imported; whoever uses one is told what to install."""

import types


class Placeholder(types.ModuleType):
    """A module of a package that is missing. Every name in it is a class whose construction is an ImportError."""

    def __init__(self, name: str):
        super().__init__(name)
        self.__path__ = []

    def __getattr__(self, attribute: str):
        if attribute.startswith("__"):
            raise AttributeError(attribute)
        return missing_name(self.__name__, attribute)


class _MissingName(type):
    """Kind of the classes below: their constructors by name, such as `from_pretrained`, are no use either."""

    def __getattr__(cls, attribute: str):
        if attribute.startswith("__"):
            raise AttributeError(attribute)
        return cls


def missing_name(module: str, name: str) -> type:
    """Class that stands for `module.name`: it can be imported, annotated and derived from, but not used."""
    package = module.partition(".")[0]

    def fail(*args, **kwargs):
        raise ImportError(
            f"{module}.{name} is used, but {package} is not installed or not usable here; install {package} to use it"
        )

    body = {"__module__": module, "__new__": fail, "__init_subclass__": classmethod(lambda cls: None)}
    return _MissingName(name, (), body)
