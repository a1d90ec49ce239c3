import torch

from pointins_ext.branch import StageFeatures


def three_stages():
    finest = torch.randn(5, 2, requires_grad=True)
    coarse = torch.randn(3, 4), torch.tensor([0, 0, 1, 2, 2])
    coarsest = torch.randn(1, 1), torch.zeros(5, dtype=torch.long)
    return StageFeatures(finest, (coarse, coarsest))


def test_a_voxel_gets_the_feature_of_the_coarse_voxel_that_holds_it():
    features = three_stages()
    (coarse, row), (coarsest, _) = features.coarse
    expected = [torch.cat([features.finest[i], coarse[row[i]], coarsest[0]]) for i in range(5)]
    assert torch.equal(features.concatenated(), torch.stack(expected))
    assert features.channels == (2, 4, 1) and [stage.shape[1] for stage in features.stages()] == [2, 4, 1]


def test_detached_features_are_equal_and_pass_no_gradient():
    features = three_stages()
    detached = features.detach()
    assert torch.equal(detached.concatenated(), features.concatenated())
    assert features.concatenated().requires_grad and not detached.concatenated().requires_grad
