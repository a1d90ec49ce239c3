"""PointINS on DOS: softmaps of 1024 Zipfian prototypes, at the points that the student sees."""

_base_ = ["pretrain_ptv3.py"]

model = dict(
    pretrainer=dict(
        type="DOS-v1m1",
        head_hidden_channels=2048,
        head_embed_channels=256,
        head_num_prototypes=1024,
        zipf_exponent=1.3,
        mask_ratio_start=0.3,
        mask_ratio_base=0.7,
        momentum_base=0.994,
        momentum_final=1.0,
    )
)
