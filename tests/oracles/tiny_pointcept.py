"""A tiny experiment for the real Pointcept: scenes in ScanNet's layout, and a config for each pretrainer."""

import numpy as np

TYPES = ("Sonata-v1m1", "Sonata-v1m2", "DOS-v1m1", "PSA-v1m1", "Concerto-v1m1", "Utonia-v1m1")

BACKBONE = dict(
    type="PT-v3m2",
    in_channels=9,
    order=("z", "z-trans"),
    stride=(2, 2),
    enc_depths=(1, 1, 1),
    enc_channels=(16, 32, 48),
    enc_num_head=(2, 2, 4),
    enc_patch_size=(64, 64, 64),
    mlp_ratio=2,
    drop_path=0.0,
    shuffle_orders=True,
    traceable=True,
    enc_mode=True,
    mask_token=True,
)
HEAD = dict(head_hidden_channels=32, head_embed_channels=16, up_cast_level=1)
SONATA = dict(HEAD, head_num_prototypes=24, match_max_r=0.16, mask_size_start=0.2, num_local_view=2)
IMAGE = dict(
    image_weight_name="none",
    image_weight_path="none",
    backbone_out_channels=96,
    embedding_channels=16,
    patch_w=4,
    patch_h=4,
    enc2d_loss_weight=0,
    sonata_model_type="online",
)
PRETRAINERS = {
    "Sonata-v1m1": SONATA,
    "Sonata-v1m2": SONATA,
    "Concerto-v1m1": dict(SONATA, **IMAGE),
    "Utonia-v1m1": dict(SONATA, **IMAGE, mask_size_base=10),
    "DOS-v1m1": dict(HEAD, head_num_prototypes=24, mask_size_start=0.16),
    "PSA-v1m1": dict(HEAD, queue_size=64, anchor=(0.5, 0.5, 0.5)),
}

CONFIG = """
_base_ = ["{root}/configs/_base_/default_runtime.py"]
seed = 1
batch_size = 2
num_worker = 1
epoch = 20
eval_epoch = 20
evaluate = False
clip_grad = 3.0
model = {model}
optimizer = dict(type="AdamW", lr=0.002, weight_decay=0.01)
scheduler = dict(type="OneCycleLR", max_lr=0.002, pct_start=0.1, anneal_strategy="cos")
view = [
    dict(type="CenterShift", apply_z=True),
    dict(type="RandomScale", scale=[0.9, 1.1]),
    dict(type="RandomRotate", angle=[-1, 1], axis="z", center=[0, 0, 0], p=0.8),
    dict(type="RandomFlip", p=0.5),
    dict(type="RandomJitter", sigma=0.005, clip=0.02),
    dict(type="ElasticDistortion", distortion_params=[[0.2, 0.4], [0.8, 1.6]]),
    dict(type="NormalizeColor"),
]
transform = [
    dict(type="GridSample", grid_size=0.04, hash_type="fnv", mode="train"),
    dict(type="Copy", keys_dict=dict(coord="origin_coord")),
    {clusters}
    dict(
        type="MultiViewGenerator",
        view_keys=("coord", "origin_coord", "color", "normal", "cluster", "box")[: {num_keys}],
        global_view_scale=(0.6, 1.0),
        local_view_num=2,
        local_view_scale=(0.2, 0.4),
        global_transform=view,
        local_transform=view,
        max_size=1500,
    ),
    dict(type="ToTensor"),
    dict(type="Update", keys_dict=dict(grid_size=0.04)),
    dict(
        type="Collect",
        keys=(
            "global_origin_coord", "global_coord", "global_offset", "local_origin_coord", "local_coord",
            "local_offset", "grid_size", "name", "global_cluster", "global_box",
        )[: {num_keys} + 4],
        offset_keys_dict=dict(),
        global_feat_keys=("global_coord", "global_color", "global_normal"),
        local_feat_keys=("local_coord", "local_color", "local_normal"),
    ),
]
scans = dict(type="ScanNetDataset", split="train", data_root="{data}", transform=transform)
data = dict(train=dict(type="ConcatDataset", datasets=[scans]))
del view, scans
hooks = [
    dict(type="CheckpointLoader"),
    dict(type="ModelHook"),
    dict(type="IterationTimer", warmup_iter=2),
    dict(type="InformationWriter"),
    dict(type="CheckpointSaver", save_freq=None),
]
"""


def backbone_config(kind):
    """The tiny backbone of a pretrainer: Utonia's rotary embedding needs heads of a multiple of 6 channels."""
    if kind == "Utonia-v1m1":
        utonia = dict(type="PT-v3m3", rope_base=10, enc_num_head=(2, 2, 2), enc_channels=(24, 36, 48))
        return BACKBONE | utonia
    return BACKBONE | dict(mask_token=kind not in ("DOS-v1m1", "PSA-v1m1"))


def write_config(path, root, data, kind):
    """Upstream-style pretraining config of the pretrainer `kind`: 20 epochs of one step on the two scenes in `data`."""
    backbone = backbone_config(kind)
    model = dict(type=kind, backbone=backbone, **PRETRAINERS[kind])
    model["head_in_channels"] = sum(backbone["enc_channels"][1:])
    clusters = "dict(type='ClusterBoxes', method='components')," if kind == "PSA-v1m1" else ""
    num_keys = 6 if kind == "PSA-v1m1" else 4
    path.write_text(CONFIG.format(root=root, data=data, model=model, clusters=clusters, num_keys=num_keys))
    return path


def write_scenes(folder, num_scenes=2):
    """Scenes `folder/train/scene*/{coord,color,normal,segment20,instance}.npy`: three boxes on a floor, metres."""
    for number in range(num_scenes):
        generator = np.random.default_rng(number)
        floor = generator.uniform((0, 0, 0), (2.4, 2.0, 0.0), (3000, 3))
        coord, normal, instance = [floor], [np.tile([0.0, 0, 1], (3000, 1))], [np.full(3000, -1)]
        for i in range(3):
            point = generator.uniform(-0.25, 0.25, (800, 3))
            axis, side = np.arange(800) % 3, np.sign(generator.normal(size=800))
            point[np.arange(800), axis] = 0.25 * side
            coord.append(point + (0.4 + 0.75 * i, 1.0, 0.3))
            normal.append(np.eye(3)[axis] * side[:, None])
            instance.append(np.full(800, i))
        coord, normal, instance = np.concatenate(coord), np.concatenate(normal), np.concatenate(instance)
        scene = folder / "train" / f"scene{number}"
        scene.mkdir(parents=True)
        np.save(scene / "coord.npy", (coord + generator.normal(0, 2e-3, coord.shape)).astype(np.float32))
        np.save(scene / "color.npy", generator.uniform(0, 255, coord.shape).astype(np.float32))
        np.save(scene / "normal.npy", normal.astype(np.float32))
        np.save(scene / "segment20.npy", (instance % 3 + 1).astype(np.int32))
        np.save(scene / "instance.npy", instance.astype(np.int32))
    return folder
