"""Suites of ablations, for tools/ablate.py: what they compare, their runs, their report."""
