import pytest
import torch

from pointins_ext.host import Point
from pointins_ext.models.passes import central_points, global_views, loss_voxels, up_cast
from tests.fixtures.tiny_pointins import batch, build, dos_config


def chain():
    """Three stages: four points, two voxels, one voxel."""
    fine = Point(
        feat=torch.tensor([[1.0], [2.0], [3.0], [4.0]]),
        coord=torch.rand(4, 3),
        origin_coord=torch.rand(4, 3).double(),
        grid_coord=torch.tensor([[0, 0, 0], [1, 0, 0], [2, 0, 0], [3, 0, 0]]),
        batch=torch.zeros(4, dtype=torch.long),
        grid_size=torch.tensor(0.04),
    )
    middle = Point(
        feat=torch.tensor([[10.0, 11.0], [20.0, 21.0]]),
        coord=torch.rand(2, 3),
        origin_coord=torch.rand(2, 3),
        grid_coord=torch.tensor([[0, 0, 0], [1, 0, 0]]),
        batch=torch.zeros(2, dtype=torch.long),
        grid_size=torch.tensor(0.08),
        pooling_parent=fine,
        pooling_inverse=torch.tensor([1, 0, 0, 1]),
    )
    return Point(
        feat=torch.tensor([[100.0]]),
        coord=torch.rand(1, 3),
        origin_coord=torch.rand(1, 3),
        grid_coord=torch.zeros(1, 3, dtype=torch.long),
        batch=torch.zeros(1, dtype=torch.long),
        grid_size=torch.tensor(0.16),
        pooling_parent=middle,
        pooling_inverse=torch.tensor([0, 0]),
    )


def test_levels_are_concatenated_finest_first():
    point = chain()
    zero, one, two = (up_cast(point, levels) for levels in range(3))
    assert zero.feat.tolist() == [[100.0]] and zero.features.channels == (1,)
    assert one.feat.tolist() == [[10.0, 11.0, 100.0], [20.0, 21.0, 100.0]] and one.features.channels == (2, 1)
    assert two.feat[:, 1:3].tolist() == [[20.0, 21.0], [10.0, 11.0], [10.0, 11.0], [20.0, 21.0]]
    assert two.feat[:, 0].tolist() == [1.0, 2.0, 3.0, 4.0] and two.features.channels == (1, 2, 1)
    assert [round(float(views.voxel), 4) for views in (zero, one, two)] == [0.16, 0.08, 0.04]
    assert two.scene_coord.dtype == torch.float32 and torch.equal(one.coord, point.pooling_parent.coord)


def test_the_chain_survives_and_later_changes_do_not_reach_the_pass():
    point = chain()
    views = up_cast(point, 2)
    assert point.pooling_parent.pooling_parent.feat.shape == (4, 1) and point.feat.tolist() == [[100.0]]
    point.feat = torch.zeros(1, 1)  # what hosts do next
    parent = point.pop("pooling_parent")
    parent.feat = torch.zeros(2, 5)
    assert views.feat[0].tolist() == [1.0, 20.0, 21.0, 100.0]


def test_too_many_levels_are_named():
    with pytest.raises(ValueError, match="up_cast_level is 3, but the backbone has fewer pooling stages"):
        up_cast(chain(), 3)


@pytest.mark.parametrize(
    "mask, middle, coarse",
    [
        ([True, False, False, True], [True, False], [True]),  # points 0 and 3 became voxel 1
        ([True, False, False, False], [True, True], [True]),
        ([True] * 4, [False, False], [False]),
    ],
)
def test_voxels_of_mask_tokens_alone_are_not_observed(mask, middle, coarse):
    point = chain()
    assert up_cast(point, 1).observed is None  # nothing was masked
    point.pooling_parent.pooling_parent["mask"] = torch.tensor(mask)
    assert up_cast(point, 2).observed.tolist() == [not masked for masked in mask]
    assert up_cast(point, 1).observed.tolist() == middle and up_cast(point, 0).observed.tolist() == coarse


@pytest.mark.parametrize("levels", [0, 1, 2])
def test_the_central_point_of_a_voxel_is_the_one_of_its_own_that_is_nearest_to_their_mean(levels):
    model = build(dos_config())
    views = global_views(batch())
    views["origin_coord"] = views["origin_coord"] + 0.01 * torch.rand(views["origin_coord"].shape)
    output = model.teacher.backbone(views)
    central = central_points(output, levels)
    stage = output
    for _ in range(levels):
        stage = stage.pooling_parent
    voxel = loss_voxels(stage)
    distance = (views["origin_coord"] - stage.origin_coord[voxel]).norm(dim=1)
    assert torch.equal(voxel[central], torch.arange(len(stage.coord)))
    for v in range(0, len(stage.coord), 7):
        assert distance[central[v]] <= distance[voxel == v].min() + 1e-6
