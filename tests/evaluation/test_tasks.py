"""What of a model's result is scored: on raw points where they are known, scene by scene."""

import numpy as np
import pytest
import torch

from pointins_ext.evaluation.tasks import Instance, Panoptic, Semantic, scenes


def batch(**more):
    """Two scenes, of three and of two voxels, a meter apart from each other."""
    coord = torch.tensor([[0.0, 0, 0], [1, 0, 0], [2, 0, 0], [0, 0, 0], [1, 0, 0]])
    segment = torch.tensor([0, 1, 2, 0, 1])
    return dict(coord=coord, offset=torch.tensor([3, 5]), segment=segment, instance=torch.arange(5)) | more


def raw(**more):
    """Four raw points of the first scene, one of the second."""
    origin = torch.tensor([[2.1, 0, 0], [0.1, 0, 0], [0.9, 0, 0], [1.1, 0, 0], [0.8, 0, 0]])
    labels = dict(origin_segment=torch.tensor([2, 0, 1, 1, 1]), origin_instance=torch.arange(5))
    return batch(origin_coord=origin, origin_offset=torch.tensor([4, 5]), **labels) | more


def logits(segment, num_classes=3):
    return torch.nn.functional.one_hot(torch.as_tensor(segment), num_classes).float()


def test_raw_points_take_the_prediction_of_the_nearest_voxel_of_their_own_scene():
    pairs = Semantic(3).predictions(dict(seg_logits=logits([0, 1, 2, 2, 0])), raw())
    assert [found["segment"].tolist() for found, _ in pairs] == [[2, 0, 1, 1], [0]]
    assert [target["segment"].tolist() for _, target in pairs] == [[2, 0, 1, 1], [1]]


def test_without_raw_points_voxels_are_scored():
    pairs = Semantic(3).predictions(dict(seg_logits=logits([2, 1, 0, 0, 1])), batch())
    assert [found["segment"].tolist() for found, _ in pairs] == [[2, 1, 0], [0, 1]]
    assert [target["instance"].tolist() for _, target in pairs] == [[0, 1, 2], [3, 4]]


def test_the_inverse_tells_the_voxels_of_one_scene_alone():
    one = dict(coord=torch.zeros(2, 3), offset=torch.tensor([2]), inverse=torch.tensor([1, 0, 1]))
    (scene,) = scenes(one | dict(origin_segment=torch.tensor([5, 6, 7])))
    assert scene["nearest"].tolist() == [1, 0, 1] and scene["segment"].tolist() == [5, 6, 7]
    with pytest.raises(ValueError, match="a batch of 2 scenes with 'inverse' needs origin_coord"):
        scenes(batch(inverse=torch.tensor([0, 1, 2, 0, 1])))


def masks(rows):
    rows = torch.tensor(rows)
    return dict(
        pred_masks=rows,
        pred_scores=torch.tensor([0.2, 0.9])[: len(rows)],
        pred_classes=torch.tensor([1, 2])[: len(rows)],
    )


def test_a_point_belongs_to_its_best_mask_and_overlaps_are_kept():
    one = dict(coord=torch.zeros(3, 3), offset=torch.tensor([3]))
    found = Instance(3).read(masks([[1, 1, 0], [0, 1, 0]]), one)
    assert found["instance"].tolist() == [0, 1, -1] and found["segment"].tolist() == [1, 2, -1]
    assert found["masks"].tolist() == [[True, False], [True, True], [False, False]]
    assert "masks" not in Instance(3).read(masks([[1, 0, 0], [0, 1, 0]]), one)
    with pytest.raises(ValueError, match="those of one scene, the batch has 2: set batch_size_val=None"):
        Instance(3).read(masks([[1, 1, 0, 0, 0]]), batch())


@pytest.mark.parametrize("task", [Semantic(3), Panoptic(3, things=(2,), min_points=1)])
def test_the_truth_scores_one(task):
    truth = batch()
    instance = torch.where(truth["segment"] == 2, truth["instance"], 0)
    result = dict(seg_logits=logits(truth["segment"]), pred_segment=truth["segment"], pred_instance=instance)
    metric = task.new_metric()
    for prediction, target in task.predictions(result, truth):
        task.score(metric, prediction, target)
    assert metric.compute()[task.best] == 1


def test_objects_of_classes_that_are_not_scored_are_told():
    target = dict(segment=np.array([0, 1, 2, -1]), instance=np.array([0, 1, -1, 3]))
    assert Instance(3, segment_ignore_index=(-1, 0)).overlooked(target) == {0}
    assert Panoptic(3, things=(1,)).overlooked(target) == {0}
    assert Semantic(3).overlooked(target) == set()
