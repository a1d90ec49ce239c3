"""Segmentors for hosts that lack them: what their results promise; tests/pointcept compares them with Pointcept's."""

import pytest
import torch

from pointins_ext.host import NAME
from pointins_ext.models.segmentors import DefaultSegmentorV2, PointGroup
from tests.fixtures.tiny_streets import batch, shift, street

pytestmark = pytest.mark.skipif(NAME != "embedded", reason="one host is enough")
BACKBONE = dict(type="PoolingBackbone", channels=(6, 8, 10))
CE = [dict(type="CrossEntropyLoss", ignore_index=-1)]


def point_group(**changes):
    config = dict(
        semantic_num_classes=4,
        segment_ignore_index=(-1, 0, 1),
        cluster_thresh=20,
        cluster_propose_points=20,
        cluster_min_points=5,
        criteria=CE,
    )
    return PointGroup(BACKBONE, 24, **(config | changes)).eval()


def test_default_segmentor_gives_a_loss_in_training_and_logits_in_evaluation():
    model, data = DefaultSegmentorV2(4, 24, BACKBONE, CE), batch()
    assert set(model(data)) == {"loss"}
    result = model.eval()(data)
    assert set(result) == {"loss", "seg_logits"} and result["seg_logits"].shape == (len(data["coord"]), 4)
    assert set(model({k: v for k, v in data.items() if k != "segment"})) == {"seg_logits"}


def test_a_frozen_backbone_learns_nothing():
    model = DefaultSegmentorV2(4, 24, BACKBONE, CE, freeze_backbone=True)
    model(batch())["loss"].backward()
    assert all(p.grad is None for p in model.backbone.parameters()) and model.seg_head.weight.grad.abs().sum() > 0


def test_proposals_are_the_objects_where_offsets_and_classes_are_right():
    segment, instance, coord = street(0)
    probability = torch.linspace(0.6, 0.9, len(segment))[:, None]
    logits = (probability * torch.nn.functional.one_hot(segment, 4) + (1 - probability) / 4).log()
    data = dict(coord=coord, offset=torch.tensor([len(coord)]))
    found = point_group().proposals(data, logits, shift(coord, instance) - coord)
    masks = [instance == i for i in instance[instance > 0].unique()]
    assert found["pred_masks"].dtype == torch.bool  # a byte for each point and mask
    assert torch.equal(found["pred_masks"], torch.stack(masks))
    assert torch.equal(found["pred_classes"], torch.stack([segment[m][0] for m in masks]))
    likely = logits.softmax(1).max(1)[0]
    torch.testing.assert_close(found["pred_scores"], torch.stack([likely[m].mean() for m in masks]))
    few = point_group(cluster_propose_points=30).proposals(data, logits, shift(coord, instance) - coord)
    assert few["pred_masks"].shape == (0, len(coord)) and few["pred_scores"].shape == (0,)  # more than, not as many as


def test_nothing_but_stuff():
    logits = torch.zeros(9, 4)
    logits[:, 0] = 1
    found = point_group().proposals(dict(coord=torch.zeros(9, 3), offset=torch.tensor([9])), logits, torch.zeros(9, 3))
    assert found["pred_masks"].shape == (0, 9) and found["pred_classes"].shape == (0,)
