"""Hooks: what is registered in HOOKS."""

from pointins_ext.hooks import monitor, regularisers, weights  # noqa: F401
