import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from pointins_ext.engine import comm
from pointins_ext.engine.ddp import create_ddp_model


def test_one_process_keeps_the_bare_model():
    model = nn.Linear(2, 2)
    assert create_ddp_model(model, torch.device("cpu")) is model


def test_several_processes_wrap_it_and_options_arrive(tmp_path, monkeypatch):
    dist.init_process_group("gloo", init_method=f"file://{tmp_path / 'store'}", world_size=1, rank=0)
    monkeypatch.setattr(comm, "get_world_size", lambda: 2)
    try:
        model = nn.Linear(2, 2)
        wrapped = create_ddp_model(model, torch.device("cpu"), find_unused_parameters=True)
        assert isinstance(wrapped, DistributedDataParallel) and comm.unwrap_model(wrapped) is model
        assert wrapped.find_unused_parameters
    finally:
        dist.destroy_process_group()
