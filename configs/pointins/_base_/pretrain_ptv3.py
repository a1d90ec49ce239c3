"""PointINS around a decoder-free PTv3 of the paper's size, and how it is optimized. Made for GPUs.

Sonata's size is enc_depths=(3, 3, 3, 12, 3) enc_channels=(48, 96, 192, 384, 512) enc_num_head=(3, 6, 12, 24, 32); what
depends on them follows. On the embedded host these three, and base_lr, are also overrides of the command line.
How much of a GPU it takes: `pointins doctor --config NAME`, and Memory in ../README.md.
"""

_base_ = ["default_runtime.py"]

batch_size = 96  # scenes over all GPUs
gradient_accumulation_steps = 1
num_worker = 64  # processes over all GPUs
enable_amp = True

enc_depths = (2, 2, 2, 6, 2)
enc_channels = (32, 64, 128, 256, 512)
enc_num_head = (2, 4, 8, 16, 32)
up_cast_level = 2  # of four poolings by 2: losses live at 4 voxels of the grid

model = dict(
    type="PointINS-v1m1",
    pretrainer=dict(
        backbone=dict(
            type="PT-v3m2",
            in_channels=9,
            order=("z", "z-trans", "hilbert", "hilbert-trans"),
            stride=(2, 2, 2, 2),
            enc_depths=enc_depths,
            enc_channels=enc_channels,
            enc_num_head=enc_num_head,
            enc_patch_size=(1024, 1024, 1024, 1024, 1024),
            mlp_ratio=4,
            drop_path=0.3,
            shuffle_orders=True,
            traceable=True,
            enc_mode=True,
            mask_token=False,
        ),
        teacher_custom=dict(drop_path=0.0),
        head_in_channels=sum(enc_channels[-1 - up_cast_level :]),
        num_global_view=2,
        up_cast_level=up_cast_level,
    ),
    offset_head=dict(type="OffsetHead", hidden_channels=256),
    offset_loss_weight=0.25,
    offset_warmup_ratio=0.1,
)

# for 96 scenes a step; rates follow the square root of the scenes, see Batch and learning rate in ../README.md
base_lr = 0.004
rate = base_lr * (batch_size * gradient_accumulation_steps / 96) ** 0.5
lr_decay = 0.9  # from each block to the one before it
param_dicts = [
    dict(keyword=f"enc{stage}.block{block}.", lr=rate * lr_decay ** (sum(enc_depths[stage:]) - block - 1))
    for stage in range(len(enc_depths))
    for block in range(enc_depths[stage])
]
optimizer = dict(type="AdamW", lr=rate, weight_decay=0.04)  # at the start: the hook WeightDecaySchedular raises it
scheduler = dict(
    type="OneCycleLR",
    max_lr=[rate] + [group["lr"] for group in param_dicts],
    pct_start=0.05,
    anneal_strategy="cos",
    div_factor=10.0,
    final_div_factor=1000.0,
)
del enc_depths, enc_channels, enc_num_head, up_cast_level, lr_decay, rate
