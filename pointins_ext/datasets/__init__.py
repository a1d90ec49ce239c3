"""Datasets and transforms that hosts lack: what is registered in DATASETS and TRANSFORMS."""

from pointins_ext.datasets import beams, boxes, drives, labels, mixed, panoptic, rooms, scans, views  # noqa: F401
