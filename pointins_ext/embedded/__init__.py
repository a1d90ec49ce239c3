"""The embedded host: Pointcept's registries, config language, training loop and PTv3 in pure PyTorch.

Importing it registers its datasets, transforms, models, hooks and trainer.
"""

from pointins_ext.embedded import (  # noqa: F401
    config,
    dataset,
    dataset_indoor,
    dataset_outdoor,
    hooks,
    litept,
    point_transformer_v3m1_base,
    point_transformer_v3m2_sonata,
    registry,
    train,
    transform,
)
