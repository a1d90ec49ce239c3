"""Downstream at laptop size: minutes a run."""

_base_ = ["default_runtime.py"]

evaluate = True
batch_size = 4
mix_prob = 0.8
num_worker = 1
seed = 0

epoch = 24  # the scenes are seen so often
eval_epoch = 2  # the validation split is scored so often
optimizer = dict(type="AdamW", lr=0.004, weight_decay=0.02)
scheduler = dict(
    type="OneCycleLR",
    max_lr=[0.004, 0.0008],
    pct_start=0.1,
    anneal_strategy="cos",
    div_factor=10.0,
    final_div_factor=100.0,
)
param_dicts = [dict(keyword="block", lr=0.0008)]
