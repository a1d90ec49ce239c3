"""Segmentors and losses of the embedded host against Pointcept's: results and gradients of the same weights."""

import pytest
import torch

from pointins_ext.embedded import losses as embedded
from pointins_ext.host import MODELS, build_model
from pointins_ext.models.segmentors import DefaultSegmentorV2, PointGroup

CRITERIA = [
    dict(type="CrossEntropyLoss", ignore_index=-1, loss_weight=0.7),
    dict(type="LovaszLoss", mode="multiclass", ignore_index=-1),
]
SIZE = dict(
    type="PT-v3m2",
    in_channels=6,
    order=("z", "hilbert"),
    stride=(2, 2),
    enc_depths=(1, 1, 1),
    enc_channels=(16, 16, 32),
    enc_num_head=(1, 2, 2),
    enc_patch_size=(32, 32, 32),
    dec_depths=(1, 1),
    dec_channels=(16, 16),
    dec_num_head=(1, 1),
    dec_patch_size=(32, 32),
    drop_path=0.0,
    shuffle_orders=False,
    enable_flash=False,
    mask_token=False,
)
POINT_GROUP = dict(
    semantic_num_classes=5,
    cluster_thresh=4.0,
    cluster_propose_points=12,
    cluster_min_points=4,
    voxel_size=0.05,
    segment_ignore_index=(-1, 0),
)


def scenes():
    generator = torch.Generator().manual_seed(0)
    number = 400
    grid = torch.cat([torch.randperm(4096, generator=generator)[:number] for _ in range(2)])
    cell = torch.stack([grid // 256, grid // 16 % 16, grid % 16], dim=1)
    coord = 0.05 * (cell + torch.rand(cell.shape, generator=generator))
    instance = torch.randint(-1, 6, (2 * number,), generator=generator)
    return dict(
        coord=coord,
        grid_coord=cell,
        feat=torch.cat([coord, torch.rand(2 * number, 3, generator=generator)], dim=1),
        offset=torch.tensor([number, 2 * number]),
        segment=torch.randint(-1, 5, (2 * number,), generator=generator),
        instance=instance,
        instance_centroid=torch.rand(2 * number, 3, generator=generator),
    )


def run(model, data):
    torch.manual_seed(0)  # pooling shuffles the curves
    return model(dict(data))


@pytest.mark.parametrize("enc_mode", [True, False])
@pytest.mark.parametrize("name", ["DefaultSegmentorV2", "PG-v1m2"])
def test_equals_pointcepts(name, enc_mode):
    common = dict(
        backbone=dict(SIZE, enc_mode=enc_mode),
        backbone_out_channels=64 if enc_mode else 16,
        criteria=CRITERIA,
        **(POINT_GROUP if name == "PG-v1m2" else dict(num_classes=5)),
    )
    theirs = build_model(dict(common, type=name))
    ours = {"PG-v1m2": PointGroup, "DefaultSegmentorV2": DefaultSegmentorV2}[name](**common)
    assert not isinstance(theirs, type(ours)) and MODELS.get(name) is not type(ours)
    ours.load_state_dict(theirs.state_dict())
    ours.criteria = embedded.build_criteria(CRITERIA)
    data = scenes()
    expected, found = run(theirs, data), run(ours, data)
    assert set(found) == set(expected)
    for key in expected:
        torch.testing.assert_close(found[key], expected[key], rtol=1e-5, atol=1e-5)
    expected["loss"].backward()
    found["loss"].backward()
    for key, own in ours.named_parameters():
        expected_grad = theirs.get_parameter(key).grad
        assert (own.grad - expected_grad).norm() <= 1e-4 * expected_grad.norm() + 1e-7, key

    if name == "PG-v1m2":  # a scene a batch, as evaluators read it
        number = int(data["offset"][0])
        data = {key: value[:1] if key == "offset" else value[:number] for key, value in data.items()}
    expected, found = run(theirs.eval(), data), run(ours.eval(), data)
    assert set(found) == set(expected)
    for key in expected:
        torch.testing.assert_close(found[key].float(), expected[key].float(), rtol=1e-5, atol=1e-5)
    if name == "PG-v1m2":
        assert len(found["pred_scores"]) > 1


def test_class_weights_are_kept_without_a_gpu():
    weight = [1.0, 4.0, 0.5, 2.0, 1.0]
    criteria = [dict(type="CrossEntropyLoss", ignore_index=-1, weight=weight)]
    common = dict(backbone=dict(SIZE, enc_mode=True), backbone_out_channels=64, num_classes=5, criteria=criteria)
    model = build_model(dict(common, type="DefaultSegmentorV2"))
    (loss,) = model.criteria.criteria
    assert loss.loss.weight.tolist() == weight
    logits, target = torch.randn(50, 5), torch.arange(50) % 5
    expected = torch.nn.functional.cross_entropy(logits, target, torch.tensor(weight))
    torch.testing.assert_close(model.criteria(logits, target).cpu(), expected)
    if not torch.cuda.is_available():
        with pytest.raises((AssertionError, RuntimeError)):  # as ever
            torch.zeros(1).cuda()
