"""Downstream on sweeps: 50 epochs, as PTv3 is published on nuScenes."""

_base_ = ["downstream.py"]

batch_size = 16  # scenes over all GPUs; the published 12 cannot be shared by 8
gradient_accumulation_steps = 1
num_worker = 24  # processes over all GPUs

# for 12 scenes a step; rates follow the square root of the scenes, see Batch and learning rate in ../README.md
base_lr = 0.002
rate = base_lr * (batch_size * gradient_accumulation_steps / 12) ** 0.5
block_rate = 0.1 * rate
optimizer = dict(type="AdamW", lr=rate, weight_decay=0.005)
param_dicts = [dict(keyword="block", lr=block_rate)]
scheduler = dict(
    type="OneCycleLR",
    max_lr=[rate, block_rate],
    pct_start=0.04,
    anneal_strategy="cos",
    div_factor=10.0,
    final_div_factor=100.0,
)
del rate, block_rate

epoch = 50  # the scenes are seen so often
eval_epoch = 50  # the validation split is scored so often
