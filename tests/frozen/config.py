weight = None
resume = False
evaluate = False
seed = 3
save_path = "exp/before"
num_worker = 0
batch_size = 1
batch_size_val = None
epoch = 4
eval_epoch = 4
gradient_accumulation_steps = 2
clip_grad = 3.0
sync_bn = False
enable_amp = False
amp_dtype = "bfloat16"
skip_nonfinite = False
empty_cache = False
find_unused_parameters = False
mix_prob = 0
param_dicts = None
hooks = [
    dict(type="WeightLoader"),
    dict(type="ModelHook"),
    dict(type="ODRHook", prior="indoor", auto_scans=16),
    dict(type="SCRHook", num_clusters=5, feature="loss_stage"),
    dict(type="OffsetMonitor", every=25),
    dict(type="IterationTimer", warmup_iter=2),
    dict(type="InformationWriter"),
    dict(type="CheckpointSaver", save_freq=3),
]
train = dict(type="PointINSTrainer")
custom_imports = dict(imports=["pointins_ext"], allow_failed_imports=False)
test_only = False
batch_size_test = None
empty_cache_per_epoch = False
enable_wandb = False
model = dict(
    type="PointINS-v1m1",
    pretrainer=dict(
        backbone=dict(
            type="PT-v3m2",
            in_channels=9,
            order=("z", "z-trans"),
            stride=(2, 2),
            enc_depths=(1, 1, 1),
            enc_channels=(8, 8, 8),
            enc_num_head=(1, 1, 1),
            enc_patch_size=(32, 32, 32),
            mlp_ratio=4,
            drop_path=0.0,
            shuffle_orders=True,
            traceable=True,
            enc_mode=True,
            mask_token=False,
        ),
        head_in_channels=16,
        head_hidden_channels=16,
        head_embed_channels=8,
        up_cast_level=1,
        type="DOS-v1m1",
        head_num_prototypes=12,
        mask_size_start=0.32,
        mask_size_base=0.32,
        mask_ratio_start=0.6,
        mask_ratio_base=0.6,
        momentum_base=0.994,
        momentum_final=0.98,
    ),
    offset_head=dict(type="OffsetHead", hidden_channels=16),
    offset_loss_weight=0.25,
    offset_warmup_steps=1,
)
base_lr = 0.001
optimizer = dict(type="SGD", lr=0.001)
scheduler = dict(
    type="OneCycleLR",
    max_lr=0.001,
    pct_start=0.05,
    anneal_strategy="cos",
    div_factor=10.0,
    final_div_factor=0.4,
    total_steps=2,
)
view_augmentation = [
    dict(type="CenterShift", apply_z=True),
    dict(type="RandomScale", scale=[0.9, 1.1]),
    dict(type="RandomRotate", angle=[-1, 1], axis="z", center=[0, 0, 0], p=0.8),
    dict(type="RandomFlip", p=0.5),
    dict(type="RandomJitter", sigma=0.005, clip=0.02),
]
color_augmentation = [
    dict(type="RandomColorJitter", brightness=0.4, contrast=0.4, saturation=0.2, hue=0.02, p=0.8),
    dict(type="ChromaticTranslation", p=0.95, ratio=0.05),
    dict(type="NormalizeColor"),
]
local_augmentation = [
    dict(type="CenterShift", apply_z=True),
    dict(type="RandomScale", scale=[0.9, 1.1]),
    dict(type="RandomRotate", angle=[-1, 1], axis="z", center=[0, 0, 0], p=0.8),
    dict(type="RandomFlip", p=0.5),
    dict(type="RandomJitter", sigma=0.005, clip=0.02),
    dict(type="RandomColorJitter", brightness=0.4, contrast=0.4, saturation=0.2, hue=0.02, p=0.8),
    dict(type="ChromaticTranslation", p=0.95, ratio=0.05),
    dict(type="NormalizeColor"),
]
transform = [
    dict(type="GridSample", grid_size=0.04, hash_type="fnv", mode="train"),
    dict(type="Copy", keys_dict=dict(coord="origin_coord")),
    dict(
        type="GlobalViewGenerator",
        view_keys=("coord", "origin_coord", "color", "normal"),
        global_view_num=2,
        global_view_scale=(0.4, 0.75),
        global_shared_transform=[
            dict(type="RandomColorJitter", brightness=0.4, contrast=0.4, saturation=0.2, hue=0.02, p=0.8),
            dict(type="ChromaticTranslation", p=0.95, ratio=0.05),
            dict(type="NormalizeColor"),
        ],
        global_transform=[
            dict(type="CenterShift", apply_z=True),
            dict(type="RandomScale", scale=[0.9, 1.1]),
            dict(type="RandomRotate", angle=[-1, 1], axis="z", center=[0, 0, 0], p=0.8),
            dict(type="RandomFlip", p=0.5),
            dict(type="RandomJitter", sigma=0.005, clip=0.02),
        ],
        max_size=16384,
    ),
    dict(type="ToTensor"),
    dict(type="Update", keys_dict=dict(grid_size=0.04)),
    dict(
        type="Collect",
        keys=("global_origin_coord", "global_coord", "global_color", "global_offset", "grid_size", "name"),
        offset_keys_dict=dict(),
        global_feat_keys=("global_coord", "global_color", "global_normal"),
    ),
]
num_rooms = 1
room_seed = 0
data = dict(
    train=dict(
        type="SyntheticRoomsDataset",
        split="train",
        num_scenes=1,
        seed=0,
        transform=[
            dict(type="GridSample", grid_size=0.04, hash_type="fnv", mode="train"),
            dict(type="Copy", keys_dict=dict(coord="origin_coord")),
            dict(
                type="GlobalViewGenerator",
                view_keys=("coord", "origin_coord", "color", "normal"),
                global_view_num=2,
                global_view_scale=(0.4, 0.75),
                global_shared_transform=[
                    dict(type="RandomColorJitter", brightness=0.4, contrast=0.4, saturation=0.2, hue=0.02, p=0.8),
                    dict(type="ChromaticTranslation", p=0.95, ratio=0.05),
                    dict(type="NormalizeColor"),
                ],
                global_transform=[
                    dict(type="CenterShift", apply_z=True),
                    dict(type="RandomScale", scale=[0.9, 1.1]),
                    dict(type="RandomRotate", angle=[-1, 1], axis="z", center=[0, 0, 0], p=0.8),
                    dict(type="RandomFlip", p=0.5),
                    dict(type="RandomJitter", sigma=0.005, clip=0.02),
                ],
                max_size=16384,
            ),
            dict(type="ToTensor"),
            dict(type="Update", keys_dict=dict(grid_size=0.04)),
            dict(
                type="Collect",
                keys=("global_origin_coord", "global_coord", "global_color", "global_offset", "grid_size", "name"),
                offset_keys_dict=dict(),
                global_feat_keys=("global_coord", "global_color", "global_normal"),
            ),
        ],
        room=dict(density=600.0, num_objects=(3, 4)),
        loop=1,
    ),
)
batch_size_per_gpu = 1
batch_size_val_per_gpu = 1
num_worker_per_gpu = 0
