"""Training and evaluation on scenes of a few points: no label, no object, no proposal, one voxel."""

import pytest
import torch

from pointins_ext.host import NAME, build_model
from tests.fixtures.tiny_pointins import GRID, VIEW_MAPS, backbone_config, build, dos_config, pack, pointins_config

pytestmark = pytest.mark.skipif(NAME != "embedded", reason="one host is enough")
HEADS = dict(head_hidden_channels=16, head_embed_channels=8)
PSA = dict(HEADS, type="PSA-v1m1", backbone=backbone_config(), head_in_channels=32, queue_size=8)
SONATA = dict(
    HEADS,
    type="Sonata-v1m1",
    backbone=backbone_config(mask_token=True),
    head_in_channels=32,
    head_num_prototypes=6,
    up_cast_level=1,
    num_local_view=1,
)
PRETRAINERS = {
    "DOS": dos_config(),
    "PointINS": pointins_config(dos_config()),
    "PSA": dict(PSA, up_cast_level=1),
    "PSA scenes": dict(PSA, up_cast_level=1, contrast="scene"),
    "Sonata": SONATA,
}
BACKBONE = dict(
    in_channels=6,
    stride=(2, 2),
    enc_depths=(1, 1, 1),
    enc_channels=(8, 8, 8),
    enc_num_head=(1, 1, 1),
    enc_patch_size=(16, 16, 16),
    dec_depths=(1, 1),
    dec_channels=(8, 8),
    dec_num_head=(1, 1),
    dec_patch_size=(16, 16),
    enable_flash=False,
)
SEGMENTORS = {
    "DefaultSegmentorV2": dict(num_classes=2),
    "PG-v1m2": dict(semantic_num_classes=2, segment_ignore_index=(-1,)),
    "PanSeg-v1m1": dict(num_classes=2, things=(1,), radius=0.1),
}
CRITERIA = [dict(type=kind, ignore_index=-1) for kind in ("CrossEntropyLoss", "LovaszLoss")]


def assert_trains(model, batch):
    """A training step whose loss and gradients are finite."""
    result = model.train()(batch)
    result["loss"].backward()
    assert all(torch.isfinite(value).all() for value in result.values()), result
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)


@pytest.mark.parametrize("name", PRETRAINERS)
def test_pretraining_on_views_of_a_few_points(name):
    model = build(PRETRAINERS[name])
    for number in (1, 2, 3, 5):
        torch.manual_seed(number)
        batch = pack("global", [torch.rand(number, 3), torch.rand(number, 3)], VIEW_MAPS[:2])
        batch |= pack("local", [torch.rand(number, 3)], VIEW_MAPS[:1]) if name == "Sonata" else {}
        batch |= dict(grid_size=torch.tensor([GRID]), global_box=torch.ones(2 * number, 7))
        for cluster in (0, -1) if name == "PSA" else (0,):  # one, or none
            assert_trains(model, batch | dict(global_cluster=torch.full((2 * number,), cluster)))


@pytest.mark.parametrize("backbone", ["PT-v3m1", "PT-v3m2"])
@pytest.mark.parametrize("name", SEGMENTORS)
@pytest.mark.parametrize("label", [0, -1])
def test_segmentation_of_a_few_points(backbone, name, label):
    options = dict(backbone=dict(BACKBONE, type=backbone), backbone_out_channels=8, criteria=CRITERIA)
    options["criteria"][1]["mode"] = "multiclass"
    model = build_model(dict(type=name, **options, **SEGMENTORS[name]))
    for number in (1, 2, 3):
        coord = torch.rand(number, 3)
        batch = dict(
            coord=coord,
            grid_coord=(coord / 0.02).int(),
            grid_size=torch.tensor([0.02]),
            feat=torch.rand(number, 6),
            offset=torch.tensor([number]),
            segment=torch.full((number,), label),
            instance=torch.full((number,), -1),
            instance_centroid=torch.full((number, 3), -1.0),
        )
        assert_trains(model, dict(batch))
        with torch.no_grad():
            result = model.eval()(dict(batch))
        assert len(result.get("pred_masks", ())) == 0 and result.get("seg_logits", coord).shape[0] == number
