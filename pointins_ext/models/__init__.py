"""Models: what is registered in MODELS."""

from pointins_ext.models import dos, pointins  # noqa: F401
