"""What every experiment shares. Names and meanings are Pointcept's."""

custom_imports = dict(imports=["pointins_ext"], allow_failed_imports=False)

weight = None  # checkpoint to start from
resume = False
evaluate = False
test_only = False
seed = None
save_path = "exp/default"
num_worker = 2
batch_size = 2
gradient_accumulation_steps = 1
batch_size_val = None
batch_size_test = None
clip_grad = 3.0
sync_bn = False
enable_amp = False
amp_dtype = "bfloat16"
skip_nonfinite = False  # True: a batch whose loss is NaN or infinite is left out and counted, else it stops the run
empty_cache = False
empty_cache_per_epoch = False
find_unused_parameters = False
enable_wandb = False  # True: Weights & Biases follows, too (pip install wandb)
wandb_project = "pointins"
wandb_key = None  # None: that of `wandb login`
mix_prob = 0
param_dicts = None

train = dict(type="PointINSTrainer")  # the host's default trainer, on any device
