"""The oracle's targets against centroids that the test computes on its own."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from pointins_ext.branch import StageFeatures
from pointins_ext.branch.targets import OffsetField, offset_targets
from pointins_ext.hooks.oracle import OracleHook
from tests.fixtures.tiny_pointins import build, pointins_config


class Rooms:
    """Two scenes of the same points whose objects differ; the points with x > 1 have none."""

    data_list = [0, 1]

    def get_data_name(self, index):
        return f"room{index}"

    def get_data(self, index):
        coord = np.random.default_rng(0).uniform(0, 1.5, (900, 3)).astype(np.float32)
        instance = np.floor(coord[:, index] / 0.5).astype(np.int32) * 5
        return dict(coord=coord, instance=np.where(coord[:, 0] > 1, -1, instance))


@pytest.fixture
def hook():
    hook = OracleHook()
    hook.trainer = SimpleNamespace(
        model=build(pointins_config()), train_loader=SimpleNamespace(dataset=Rooms()), comm_info={}
    )
    hook.before_train()
    return hook


def field(scene):
    """Two views of each scene of a batch, its points in random order, offsets that must not matter."""
    coord = torch.from_numpy(Rooms().get_data(0)["coord"])
    coord = torch.cat([coord[torch.randperm(len(coord), generator=torch.Generator().manual_seed(i))] for i in range(4)])
    view = torch.arange(4).repeat_interleave(900)
    return OffsetField(
        coord=coord,
        features=StageFeatures(torch.zeros(len(coord), 1)),
        offset=torch.randn(len(coord), 3),
        view=view,
        valid=torch.ones(len(coord), dtype=torch.bool),
        scene=scene[view],
        voxel=torch.full((8,), 0.08),
    )


@pytest.mark.parametrize("names", [("room0", "room1"), ("room1", "room0")])
def test_points_at_the_centroid_of_the_labeled_object(hook, names):
    hook.trainer.comm_info["input_dict"] = dict(name=list(names))
    hook.before_step()
    assert hook.model.teacher_regularizers == [hook]
    views = field(torch.tensor([0, 0, 1, 1]))
    target = offset_targets(views, hook.model.teacher_regularizers)
    for index, name in enumerate(names):
        scene = Rooms().get_data(int(name[-1]))
        labels = {tuple(point): label for point, label in zip(scene["coord"], scene["instance"], strict=True)}
        own = (target.scene == index).nonzero().squeeze(1)
        label = np.array([labels[tuple(point)] for point in target.coord[own].numpy()])
        np.testing.assert_array_equal(target.valid[own], label >= 0)
        for i in set(label[label >= 0]):
            centers = target.center[own[torch.from_numpy(label == i)]]
            np.testing.assert_allclose(
                centers, np.tile(scene["coord"][scene["instance"] == i].mean(0), (len(centers), 1)), atol=1e-5
            )


def test_stuff_may_keep_the_targets_that_it_had(hook):
    hook.trainer.comm_info["input_dict"] = dict(name=["room0", "room1"])
    hook.before_step()
    views = field(torch.tensor([0, 0, 1, 1]))
    views = views.replace(valid=torch.rand(len(views.coord), generator=torch.Generator().manual_seed(0)) > 0.5)
    alone = offset_targets(views.replace(valid=torch.ones_like(views.valid)), [hook])
    hook.keep_stuff = True
    target = offset_targets(views, [hook])
    on_object = alone.valid
    assert torch.equal(target.valid, views.valid | on_object) and not on_object.all()
    torch.testing.assert_close(target.offset[on_object], alone.offset[on_object])
    torch.testing.assert_close(target.offset[~on_object], views.offset[~on_object])


def test_needs_names_and_labels(hook, monkeypatch):
    hook.trainer.comm_info["input_dict"] = dict()
    with pytest.raises(ValueError, match="add 'name' to Collect"):
        hook.before_step()
    monkeypatch.setattr(Rooms, "get_data", lambda self, index: dict(coord=np.zeros((5, 3), np.float32)))
    hook.names = ["room0", "room1"]
    with pytest.raises(ValueError, match="room0 has no instance labels"):
        hook.refine(field(torch.tensor([0, 0, 1, 1])))
