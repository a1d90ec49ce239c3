"""PanSeg-v1m1: what its grouping promises, on clouds whose answer is known."""

import pytest
import torch

from pointins_ext.evaluation import panoptic_quality
from pointins_ext.host import NAME
from pointins_ext.models.panoptic import PanopticSegmentor, majority, number_in_cloud
from tests.fixtures.tiny_streets import THINGS, batch, shift, street

pytestmark = pytest.mark.skipif(NAME != "embedded", reason="one host is enough")


def segmentor(**changes):
    config = dict(
        backbone=dict(type="PoolingBackbone", channels=(6, 8, 10)),
        backbone_out_channels=24,
        num_classes=4,
        things=THINGS,
        radius=(0.8, 0.4),
        criteria=[dict(type="CrossEntropyLoss", ignore_index=-1)],
    )
    return PanopticSegmentor(**(config | changes)).eval()


@pytest.mark.parametrize("seed", range(3))
def test_right_offsets_and_classes_have_full_quality(seed):
    segment, instance, coord = street(seed)
    found = segmentor().objects(segment, shift(coord, instance), torch.zeros_like(segment))
    quality = panoptic_quality(found, (segment, instance), num_classes=4, things=THINGS, min_points=5)
    assert quality["pq"] == 1.0
    assert torch.equal(found[1] == 0, instance == 0)


def test_a_batch_is_its_scenes():
    scenes = [street(0), street(1, objects=3)]
    model = segmentor()
    alone = [model.objects(s, shift(c, i), torch.zeros_like(s)) for s, i, c in scenes]
    segment, instance, coord = (torch.cat(parts) for parts in zip(*scenes, strict=True))
    shifted = torch.cat([shift(c, i) for s, i, c in scenes])
    batch = torch.arange(2).repeat_interleave(torch.tensor([len(s) for s, _, _ in scenes]))
    together = model.objects(segment, shifted, batch)
    for joint, parts in zip(together, zip(*alone, strict=True), strict=True):
        assert torch.equal(joint, torch.cat(parts))


def test_the_order_of_points_does_not_matter():
    segment, instance, coord = street(2)
    shifted, batch = shift(coord, instance), torch.zeros_like(segment)
    order = torch.randperm(len(segment), generator=torch.Generator().manual_seed(0))
    plain, mixed = (
        segmentor().objects(segment, shifted, batch),
        segmentor().objects(segment[order], shifted[order], batch),
    )
    assert torch.equal(plain[0][order], mixed[0])
    pairs = torch.unique(torch.stack([plain[1][order], mixed[1]]), dim=1)
    assert pairs.shape[1] == len(plain[1].unique()) == len(mixed[1].unique())


def test_a_group_has_one_class_and_small_ones_join_their_class_in_reach():
    spot = torch.zeros(12, 3)
    spot[8:] = torch.tensor([0.7, 0.0, 0.0])  # small, of class 2, within 0.8 m
    segment = torch.tensor([2] * 12)
    found, instance = segmentor(min_points=5).objects(segment, spot, torch.zeros(12).long())
    assert instance.tolist() == [1] * 12
    segment = torch.tensor([2, 2, 2, 2, 2, 2, 3, 3])
    found, instance = segmentor(radius=0.5).objects(segment, torch.zeros(8, 3), torch.zeros(8).long())
    assert found.tolist() == [2] * 8 and instance.tolist() == [1] * 8
    far = torch.zeros(10, 3)
    far[7:, 0] = 5.0  # three points by themselves: too few, and nothing in reach
    instance = segmentor().objects(torch.full((10,), 2), far, torch.zeros(10).long())[1]
    assert instance.tolist() == [1] * 7 + [0] * 3


def test_nothing_to_group():
    segment = torch.zeros(6).long()
    found, instance = segmentor().objects(segment, torch.zeros(6, 3), torch.zeros(6).long())
    assert torch.equal(found, segment) and not instance.any()
    assert majority(segment[:0], segment[:0], 4).shape == (0,)


def test_numbers_start_at_one_in_every_cloud():
    group, batch = torch.tensor([4, -1, 2, 7, 7, 9]), torch.tensor([0, 0, 0, 1, 1, 1])
    assert number_in_cloud(group, batch).tolist() == [2, 0, 1, 1, 1, 2]


def test_only_things_with_an_instance_teach_offsets():
    data = batch()
    model = segmentor().train()
    result = model(data)
    moved = dict(data, instance_centroid=torch.where((data["segment"] < 2)[:, None], 100.0, data["instance_centroid"]))
    torch.testing.assert_close(model(moved)["bias_l1_loss"], result["bias_l1_loss"])
    assert set(result) == {"loss", "seg_loss", "bias_l1_loss", "bias_cosine_loss"}


@pytest.mark.parametrize("ignored", [-1, 255])
def test_a_batch_without_labels_costs_nothing(ignored):
    """Also where the host's cross entropy divides by the number of labels, as Pointcept's."""
    model = segmentor().train()
    model.criteria = torch.nn.CrossEntropyLoss(ignore_index=ignored)
    data = batch()
    result = model(dict(data, segment=torch.full_like(data["segment"], ignored)))
    result["loss"].backward()
    assert all(value == 0 for value in result.values())
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)
    assert model(data)["seg_loss"] > 0


def test_without_things_all_is_stuff():
    model, data = segmentor(things=(), radius=0.5), batch()
    assert model.train()(data)["bias_l1_loss"] == 0
    assert not model.eval()(data)["pred_instance"].any()


@pytest.mark.parametrize("changes", [dict(radius=(0.4,)), dict(radius=-1.0), dict(things=(2, 9))])
def test_radii_must_fit(changes):
    with pytest.raises(ValueError, match="radius"):
        segmentor(**changes)


def test_a_wrong_width_is_named():
    with pytest.raises(ValueError, match="sum\\(enc_channels\\)"):
        segmentor(backbone_out_channels=20)(batch())
