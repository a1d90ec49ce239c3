"""What comes after pretraining, on a GPU as on the CPU: segmentors, testers, `segment()` of a scan, a training run."""

import numpy as np
import pytest
import torch

import pointins_ext
from pointins_ext.host import build_model
from pointins_ext.inference import Predictor
from tests.fixtures import tiny_predictor
from tests.fixtures import tiny_testers as tiny
from tests.fixtures.tiny_pointins import backbone_config, scene_points

COORD = scene_points(0, 500)
CRITERIA = [dict(type="CrossEntropyLoss", loss_weight=1.0, ignore_index=-1)]
BACKBONE = backbone_config(
    in_channels=3,
    enc_mode=False,
    dec_depths=(1, 1),
    dec_channels=(16, 16),
    dec_num_head=(2, 2),
    dec_patch_size=(32, 32),
)
SHARED = dict(backbone=BACKBONE, backbone_out_channels=16, criteria=CRITERIA)
SEGMENTORS = {
    "DefaultSegmentorV2": dict(num_classes=4),
    "PG-v1m2": dict(semantic_num_classes=4, cluster_thresh=4.0, voxel_size=0.05, cluster_propose_points=3),
    "PanSeg-v1m1": dict(num_classes=4, things=(2, 3), radius=0.2, min_points=3),
}


def batch():
    segment = (COORD[:, 0] / 0.4).long().clamp(max=3)
    center = torch.stack([COORD[segment == s].mean(0) for s in range(4)])[segment]
    data = dict(coord=COORD, feat=COORD, segment=segment, instance=segment, instance_centroid=center)
    return data | dict(offset=torch.tensor([len(COORD)]), grid_size=torch.tensor(0.05))


@pytest.mark.parametrize("kind", SEGMENTORS)
def test_a_segmentor_learns_and_predicts_as_on_the_cpu(kind, device):
    found = []
    for place in ("cpu", device):
        torch.manual_seed(0)
        model = build_model(dict(type=kind, **SHARED, **SEGMENTORS[kind])).to(place)
        data = {key: value.to(place) for key, value in batch().items()}
        loss = model.train()(data)["loss"]
        loss.backward()
        with torch.no_grad():
            prediction = model.eval()(data)
        found.append((loss.detach().cpu(), {key: torch.as_tensor(value).cpu() for key, value in prediction.items()}))
    torch.testing.assert_close(found[1][0], found[0][0], atol=1e-4, rtol=1e-4)
    assert found[0][1].keys() == found[1][1].keys()
    assert all(found[0][1][key].shape == value.shape for key, value in found[1][1].items())


@pytest.mark.parametrize("task", tiny.TASKS)
def test_a_tester_scores_as_on_the_cpu(task, device, tmp_path, monkeypatch):
    cfg = tiny.experiment(tmp_path, task)
    result = tiny.build_tester(cfg).test()
    with monkeypatch.context() as patch:
        patch.setattr(torch.cuda, "is_available", lambda: False)
        expected = tiny.build_tester(cfg).test()
    for name, value in expected.items():
        np.testing.assert_allclose(result[name], value)


def test_segment_gives_the_instances_of_the_cpu(device):
    cfg = tiny_predictor.config()
    color = np.random.default_rng(0).uniform(0, 255, COORD.shape)
    labels = []
    for place in ("cpu", device):
        predictor = Predictor.from_config(tiny_predictor.trained(cfg).teacher.to(place), cfg)
        labels.append(pointins_ext.segment(COORD, color, weight=predictor, grid_size=0.05, min_points=3)[0])
    assert labels[0].max() >= 1
    np.testing.assert_array_equal(labels[1], labels[0])


def test_the_trainer_trains_in_half_precision_and_saves(build_trainer, device, tmp_path):
    trainer = build_trainer(enable_amp=True, epoch=1)
    assert trainer.device.type == "cuda" and trainer.scaler is not None
    trainer.train()
    saved = torch.load(tmp_path / "run" / "model" / "model_last.pth", map_location="cpu", weights_only=True)
    assert all(torch.isfinite(value).all() and not value.is_cuda for value in saved["state_dict"].values())
