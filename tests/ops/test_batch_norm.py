"""BatchNorm1d: torch's wherever that is defined, the running statistics for a single row."""

import pytest
import torch
from torch import nn

from pointins_ext.ops.batch_norm import BatchNorm1d


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("number", [2, 7])
def test_equals_torch(training, number):
    ours, theirs = BatchNorm1d(3).train(training), nn.BatchNorm1d(3).train(training)
    rows = torch.randn(number, 3)
    assert torch.equal(ours(rows), theirs(rows))
    assert all(map(torch.equal, ours.state_dict().values(), theirs.state_dict().values()))


@pytest.mark.parametrize("number", [0, 1])
def test_one_row_trains_as_it_is_evaluated(number):
    norm = BatchNorm1d(3)
    norm(torch.randn(20, 3) * 3 + 1)
    row, before = torch.randn(number, 3, requires_grad=True), norm.running_var.clone()
    found = norm(row)
    assert torch.equal(found, norm.eval()(row)) and torch.equal(norm.running_var, before)
    found.square().sum().backward()
    assert torch.isfinite(norm.weight.grad).all() and (number == 0 or row.grad.abs().min() > 0)


def test_it_is_synchronized_as_torchs():
    assert isinstance(nn.SyncBatchNorm.convert_sync_batchnorm(BatchNorm1d(3)), nn.SyncBatchNorm)
