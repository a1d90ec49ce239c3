"""Models: what is registered in MODELS."""

from pointins_ext.models import dos, panoptic, pointins, psa, segmentors, sonata  # noqa: F401
