"""Everything that registers something with the host; importing this, or the package, registers it."""

from pointins_ext import datasets, models, testers  # noqa: F401
from pointins_ext.hooks import evaluators, monitor, oracle, regularizers, weights  # noqa: F401
