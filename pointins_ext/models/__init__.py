"""Models: what is registered in MODELS."""

from pointins_ext.models import dos, pointins, psa, sonata  # noqa: F401
