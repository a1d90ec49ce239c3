"""PointINS on Sonata: the settings of Pointcept's pretrain-sonata-v1m1-0-base, at the size of pretrain_ptv3.py."""

_base_ = ["pretrain_ptv3.py"]

model = dict(
    pretrainer=dict(
        type="Sonata-v1m1",
        backbone=dict(mask_token=True),  # masked points stay and say so; DOS and PSA have none
        head_hidden_channels=4096,
        head_embed_channels=256,
        head_num_prototypes=4096,
        num_local_view=4,
        mask_ratio_start=0.3,
        mask_ratio_base=0.7,
        momentum_base=0.994,
        momentum_final=1.0,
    )
)
