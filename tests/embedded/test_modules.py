import torch
from torch import nn

from pointins_ext.embedded.hooks import HookBase
from pointins_ext.embedded.modules import PointModel, PointModule, PointSequential
from pointins_ext.embedded.structure import Point
from pointins_ext.ops.subm_conv import SubMConv3d


class Doubles(PointModule):
    def forward(self, point):
        point.feat = 2 * point.feat
        return point


def line():
    """Four voxels in a row."""
    grid = torch.tensor([[i, 0, 0] for i in range(4)])
    return Point(coord=grid.float(), grid_coord=grid, feat=torch.randn(4, 3), offset=torch.tensor([4]))


def test_plain_modules_see_features_and_point_modules_the_point():
    linear, point = nn.Linear(3, 5), line()
    expected = 2 * linear(point.feat)
    answer = PointSequential(linear, Doubles())(point)
    assert answer is point and torch.equal(answer.feat, expected)


def test_a_convolution_gets_the_kernel_map_of_its_size():
    torch.manual_seed(0)
    conv, point = SubMConv3d(3, 2, kernel_size=3), line()
    expected = conv(point.feat, point.kernel_map(3))
    assert torch.equal(PointSequential(conv)(point).feat, expected)


def test_names_are_places_or_given_ones_as_checkpoints_know_them():
    row = PointSequential(nn.Linear(3, 3), act=nn.GELU())
    row.add(nn.LayerNorm(3))
    row.add(nn.Linear(3, 3), "last")
    assert [name for name, _ in row.named_children()] == ["0", "act", "2", "last"]
    assert len(row) == 4 and isinstance(row[1], nn.GELU)


def test_a_tensor_goes_through_plain_modules():
    linear = nn.Linear(3, 3)
    feat = torch.randn(4, 3)
    assert torch.equal(PointSequential(linear)(feat), linear(feat))


def test_a_point_model_is_a_hook():
    assert issubclass(PointModel, HookBase) and issubclass(PointModel, nn.Module)
    PointModel().before_step()
