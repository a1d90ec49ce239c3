"""Downstream on procedural rooms: 500 steps."""

_base_ = ["downstream.py"]

batch_size = 4  # scenes over all GPUs
gradient_accumulation_steps = 1
num_worker = 4  # processes over all GPUs

# for 4 scenes a step; rates follow the square root of the scenes, see Batch and learning rate in ../README.md
base_lr = 0.002
rate = base_lr * (batch_size * gradient_accumulation_steps / 4) ** 0.5
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

epoch = 100  # the scenes are seen so often
eval_epoch = 4  # the validation split is scored so often
