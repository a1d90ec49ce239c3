"""Scenes with two fixed views each, as a dataset, and a PointINS experiment on them without any randomness."""

import torch
from torch.utils.data import Dataset

from pointins_ext.host import DATASETS
from tests.oracles.tiny_pointins import GRID, VIEW_MAPS, crop, pack, scene_points


@DATASETS.register_module("TinyViews", force=True)
class TinyViews(Dataset):
    """`num_scenes` scenes of some 600 points."""

    def __init__(self, num_scenes=4, loop=1):
        self.num_scenes, self.loop = num_scenes, loop

    def __len__(self):
        return self.num_scenes * self.loop

    def __getitem__(self, index):
        scene = index % self.num_scenes
        points = scene_points(scene)
        # off the grid: of equally near points the shape of the search tree would choose one
        points = points + 0.01 * torch.rand(points.shape, generator=torch.Generator().manual_seed(scene))
        views = [crop(points, start, 0.75) for start in (0.0, 0.25)]
        maps = (VIEW_MAPS[scene % 4], VIEW_MAPS[(scene + 1) % 4])
        return dict(pack("global", views, maps), grid_size=torch.tensor([GRID]), name=f"scene{scene}")


CONFIG = """
custom_imports = dict(imports=["tests.oracles.tiny_views"], allow_failed_imports=False)
from tests.oracles.tiny_pointins import backbone_config, dos_config, pointins_config
# softmaps of one scene, one order of the points, no mask: nothing depends on what else is in the batch. Losses at the
# points themselves: the mean of two points is as near to the one as to the other.
pretrainer = dos_config(
    scope="scene",
    mask_ratio_start=0.0,
    mask_ratio_base=0.0,
    backbone=backbone_config(order=("z",)),
    up_cast_level=2,
    head_in_channels=40,
)
model = pointins_config(pretrainer, offset_loss_weight=0.5)
del pretrainer
data = dict(train=dict(type="TinyViews"))
seed = 0
num_worker = 0
batch_size = 4
epoch = 2
clip_grad = None
find_unused_parameters = False
optimizer = dict(type="SGD", lr=0.02)
scheduler = dict(type="ConstantLR")
hooks = [
    dict(type="CheckpointLoader"),
    dict(type="ModelHook"),
    dict(type="ODRHook", prior="indoor", ramp_steps=0),
    dict(type="SCRHook", num_clusters=1, min_points=1, length_cap=None),
    dict(type="InformationWriter"),
    dict(type="CheckpointSaver"),
]
"""
