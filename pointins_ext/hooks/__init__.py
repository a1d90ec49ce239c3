"""Hooks: what is registered in HOOKS."""

from pointins_ext.hooks import evaluators, monitor, oracle, regularizers, weights  # noqa: F401
