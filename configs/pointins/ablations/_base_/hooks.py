"""The hooks that every ablation has, whatever its data."""

load = dict(type="WeightLoader")
model_hook = dict(type="ModelHook")
decay = dict(type="WeightDecaySchedular", base_value=0.04, final_value=0.2)
timer = dict(type="IterationTimer", warmup_iter=2)
writer = dict(type="InformationWriter")
saver = dict(type="CheckpointSaver", save_freq=None)
