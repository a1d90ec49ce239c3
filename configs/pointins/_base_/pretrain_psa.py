"""PointINS on PSA: momentum contrast of segments, and their boxes."""

_base_ = ["pretrain_ptv3.py"]

model = dict(
    pretrainer=dict(
        type="PSA-v1m1",
        head_hidden_channels=2048,
        head_embed_channels=128,
        contrast="segment",
        queue_size=16384,
        temperature=0.1,
        box_hidden_channels=256,
        contrast_loss_weight=1.0,
        box_loss_weight=0.5,
        momentum_base=0.999,
        momentum_final=0.999,
    )
)
