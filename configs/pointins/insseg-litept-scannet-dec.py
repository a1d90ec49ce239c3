"""Instance segmentation of ScanNet with LitePT-S, decoder probing; the rate of the encoder is 0."""

_base_ = ["insseg-litept-scannet.py"]

batch_size = 24
gradient_accumulation_steps = 1
base_lr = 0.002
rate = base_lr * (batch_size * gradient_accumulation_steps / 24) ** 0.5
block_rate = 0.1 * rate
param_dicts = [
    dict(keyword="backbone.embedding.", lr=0.0),
    dict(keyword="backbone.enc.", lr=0.0),
    dict(keyword="block", lr=block_rate),
]
scheduler = dict(max_lr=[rate, 0.0, 0.0, block_rate])
del rate, block_rate
