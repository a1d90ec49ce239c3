"""PointINS-on-DOS on simulated sweeps of four sensors: 180 streets, 1,800 steps, an hour on two cores.

HDL-32E, VLP-32C, HDL-64E in two densities, and a sparse one of 16 beams; near and far, clean and noisy, with parked
rows, crowds, parks and crossings. Its instances are no better than those of pretrain-dos-drives, even on these sensors
(tools/results): the weights `outdoor` that the package ships are those.
"""

_base_ = ["pretrain-dos-drives.py"]

scene_seed = 0
eval_epoch = 10  # 180 steps each

data = dict(
    train=dict(
        _delete_=True,
        type="MixedDataset",
        datasets=[
            dict(type="SyntheticDrivesDataset", num_scenes=number, seed=scene_seed + i, drive=drive)
            for i, (number, drive) in enumerate(
                (
                    (50, dict(sensor="hdl32")),
                    (40, dict(sensor="vlp32", columns=1080)),
                    (40, dict(sensor="hdl64", columns=1440, max_range=80.0)),
                    (30, dict(sensor="hdl64", noise=0.03, dropout=0.15)),
                    (20, dict(sensor="sparse16", columns=1080)),
                )
            )
        ],
        transform={{_base_._transform}},
    )
)
