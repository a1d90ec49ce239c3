"""Datasets and transforms that hosts lack: what is registered in DATASETS and TRANSFORMS."""

from pointins_ext.datasets import (  # noqa: F401
    beams,
    boxes,
    drives,
    labels,
    mixed,
    panoptic,
    rooms,
    scans,
    tabletops,
    views,
)
