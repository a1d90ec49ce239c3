"""Downstream on scans of rooms: the published schedule."""

_base_ = ["downstream.py"]

batch_size = 24  # scenes over all GPUs
gradient_accumulation_steps = 1
num_worker = 48  # processes over all GPUs

# for 24 scenes a step; rates follow the square root of the scenes, see Batch and learning rate in ../README.md
base_lr = 0.002
rate = base_lr * (batch_size * gradient_accumulation_steps / 24) ** 0.5
block_rate = 0.1 * rate
optimizer = dict(type="AdamW", lr=rate, weight_decay=0.02)
param_dicts = [dict(keyword="block", lr=block_rate)]
scheduler = dict(
    type="OneCycleLR",
    max_lr=[rate, block_rate],
    pct_start=0.05,
    anneal_strategy="cos",
    div_factor=10.0,
    final_div_factor=1000.0,
)
del rate, block_rate

epoch = 800  # the scenes are seen so often
eval_epoch = 100  # the validation split is scored so often
