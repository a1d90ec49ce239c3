"""How views of sweeps are augmented before their losses are taken."""

# No elastic distortion: offsets are turned back through affine maps alone. No center shift: the sensor is the origin.
_augmentation = [
    dict(type="RandomScale", scale=[0.9, 1.1]),
    dict(type="RandomRotate", angle=[-1, 1], axis="z", center=[0, 0, 0], p=0.8),
    dict(type="RandomRotate", angle=[-1 / 64, 1 / 64], axis="x", center=[0, 0, 0], p=0.8),
    dict(type="RandomRotate", angle=[-1 / 64, 1 / 64], axis="y", center=[0, 0, 0], p=0.8),
    dict(type="RandomFlip", p=0.5),
    dict(type="RandomJitter", sigma=0.005, clip=0.02),
]
# For PSA. Half the beam spacing of nuScenes' 32 beams; denser sources find a return well within it.
_beam_augmentation = [dict(type="BeamAugmentation", mode="polarmix", p=0.5, tolerance=0.67)] + _augmentation
