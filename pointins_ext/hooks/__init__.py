"""Hooks: what is registered in HOOKS."""

from pointins_ext.hooks import evaluators, monitor, oracle, regularisers, weights  # noqa: F401
