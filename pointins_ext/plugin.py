"""Everything that registers something with the host; importing this, or the package, registers it."""

from pointins_ext import datasets, hooks, models, testers  # noqa: F401
