"""Hooks: `pointins_ext.plugin` registers them in HOOKS."""
