import pytest
import torch
from torch import nn

from pointins_ext.embedded.config import ConfigDict
from pointins_ext.embedded.optimizer import build_optimizer


@pytest.fixture
def model():
    model = nn.ModuleDict(dict(block0=nn.Linear(2, 2), block1=nn.Linear(2, 2), head=nn.Linear(2, 1)))
    model["block1"].bias.requires_grad_(False)
    return model


def test_keyword_groups_partition_the_trainable_parameters(model):
    groups = [dict(keyword="block0", lr=0.1), dict(keyword="block", lr=0.2, weight_decay=0.0), dict(keyword="nothing")]
    cfg = ConfigDict(optimizer=dict(type="AdamW", lr=0.5, weight_decay=0.3), groups=groups)
    optimizer = build_optimizer(cfg.optimizer, model, cfg.groups)
    found = [(len(g["params"]), g["lr"], g["weight_decay"]) for g in optimizer.param_groups]
    assert isinstance(optimizer, torch.optim.AdamW)
    assert found == [(2, 0.5, 0.3), (2, 0.1, 0.3), (1, 0.2, 0.0), (0, 0.5, 0.3)]
    assert {id(p) for g in optimizer.param_groups for p in g["params"]} == {
        id(p) for p in model.parameters() if p.requires_grad
    }


def test_one_group_without_keywords(model):
    optimizer = build_optimizer(dict(type="SGD", lr=1.0), model)
    assert [len(group["params"]) for group in optimizer.param_groups] == [5]


def test_errors(model):
    with pytest.raises(ValueError, match="AdamW: unknown key 'weight_decy'; did you mean 'weight_decay'"):
        build_optimizer(dict(type="AdamW", lr=1.0, weight_decy=1), model)
    with pytest.raises(ValueError, match="no trainable parameter"):
        build_optimizer(dict(type="AdamW", lr=1.0), model.requires_grad_(False))
