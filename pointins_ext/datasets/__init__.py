"""Datasets that hosts lack: what is registered in DATASETS."""

from pointins_ext.datasets import rooms, scans  # noqa: F401
