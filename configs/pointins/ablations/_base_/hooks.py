"""The hooks that every ablation has, whatever its data."""

_load = dict(type="WeightLoader")
_model_hook = dict(type="ModelHook")
_decay = dict(type="WeightDecaySchedular", base_value=0.04, final_value=0.2)
_timer = dict(type="IterationTimer", warmup_iter=2)
_writer = dict(type="InformationWriter")
_saver = dict(type="CheckpointSaver", save_freq=None)
