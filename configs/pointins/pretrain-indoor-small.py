"""The recipe of the weights that the package ships as `indoor`: 300 procedural scenes of five kinds, 3,000 steps.

Rooms, large rooms, rooms from one camera, table tops and piles before a depth camera, half of the rooms without normals
of their own. No scan of a real place goes in. Hours on two cores; it resumes where it was stopped.
"""

_base_ = ["_base_/default_runtime.py", "_base_/pretrain_dos_small.py"]

scene_seed = 0
seed = 0
eval_epoch = 10  # 300 steps each

large = dict(room_side=(3.4, 6.0), wall_height=(1.2, 2.6), num_objects=(9, 13), density=1500.0)
data = dict(
    train=dict(
        type="MixedDataset",
        datasets=[
            dict(type="SyntheticRoomsDataset", num_scenes=50, seed=scene_seed),
            dict(type="SyntheticRoomsDataset", num_scenes=40, seed=scene_seed + 1, room=large, estimate_normals=True),
            dict(
                type="SyntheticRoomsDataset",
                num_scenes=40,
                seed=scene_seed + 2,
                room=dict(num_cameras=1),
                estimate_normals=True,
            ),
            dict(type="SyntheticTabletopsDataset", num_scenes=120, seed=scene_seed, scale=5.0),
            dict(
                type="SyntheticTabletopsDataset",
                num_scenes=50,
                seed=scene_seed + 1,
                scale=5.0,
                tabletop=dict(num_views=(2, 4), num_objects=(6, 20)),
            ),
        ],
        transform={{_base_._transform}},
    )
)
del large

hooks = [
    dict(type="WeightLoader"),
    dict(type="ModelHook"),
    dict(type="ODRHook", prior="auto", auto_scans=30),
    dict(type="SCRHook", preset="indoor"),
    dict(type="OffsetMonitor", every=25),
    dict(type="IterationTimer", warmup_iter=2),
    dict(type="InformationWriter"),
    dict(type="CheckpointSaver", save_freq=1),
]
