"""Hooks: what is registered in HOOKS."""

from pointins_ext.hooks import evaluators, monitor, regularisers, weights  # noqa: F401
