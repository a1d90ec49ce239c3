"""How every downstream experiment of the paper's size is run; how long and fast it learns is in downstream_*.py."""

_base_ = ["default_runtime.py"]

evaluate = True
enable_amp = True
amp_dtype = "float16"  # as published; pretraining is published in bfloat16
batch_size_val = None  # one a GPU
mix_prob = 0.8  # Mix3D; worth about 3 mAP in probing
