from types import SimpleNamespace

import numpy as np
import pytest
import torch

from pointins_ext.branch import OffsetField, SpatialClusteringRegularization, StageFeatures
from pointins_ext.branch.scr import PseudoInstances
from pointins_ext.datasets.rooms import generate_room
from pointins_ext.hooks.monitor import (
    OffsetMonitor,
    canary_statistics,
    field_picture,
    mean_direction,
    offset_accuracy,
    offset_statistics,
)
from pointins_ext.host import Config
from pointins_ext.inference import Predictor
from pointins_ext.visualization.render import NO_INSTANCE, PALETTE
from tests.fixtures.tiny_pointins import backbone_config, batch, build, dos_config, pointins_config

KEYS = ("coord", "color")


def field(offset, view=None, instances=None, valid=None):
    offset = torch.as_tensor(offset, dtype=torch.float32)
    view = torch.zeros(len(offset), dtype=torch.long) if view is None else view
    valid = torch.ones(len(offset), dtype=torch.bool) if valid is None else valid
    coord = torch.zeros_like(offset)
    return OffsetField(coord, StageFeatures(coord), offset, view, valid, view, torch.full((8,), 0.08), instances)


def pseudo(label, cut=None):
    label = torch.as_tensor(label)
    cut = torch.zeros_like(label, dtype=torch.bool) if cut is None else torch.as_tensor(cut)
    return PseudoInstances(label, torch.zeros(len(label), 3), ~cut, label, cut)


class Notes:
    """Writer and logger that remember."""

    def __init__(self):
        self.scalars, self.warnings, self.images = {}, [], {}

    def add_image(self, name, image, step, dataformats):
        assert dataformats == "HWC"
        self.images[name, step] = image

    def add_scalar(self, name, value, step):
        self.scalars[name, step] = value

    def warning(self, line):
        self.warnings.append(line)


@pytest.fixture
def trainer():
    transform = [
        dict(type="GridSample", grid_size=0.1),
        dict(type="GlobalViewGenerator", global_transform=[dict(type="CenterShift")]),
        dict(type="Collect", keys=(), global_feat_keys=tuple(f"global_{key}" for key in KEYS)),
    ]
    cfg = Config(dict(model=pointins_config(), data=dict(train=dict(type="Scans", transform=transform))))
    notes = Notes()
    return SimpleNamespace(model=build(cfg.model), cfg=cfg, writer=notes, logger=notes)


# what tells a collapse
def test_statistics_of_hand_made_offsets():
    raw = field([[1, 0, 0], [3, 0, 0], [0, 2, 0], [0, -2, 0]])
    valid = torch.tensor([True, False, True, True])
    stats = offset_statistics(raw, field(torch.zeros(4, 3), valid=valid))
    assert stats["length_mean"] == 2.0 and stats["length_std"] == pytest.approx(np.std([1, 3, 2, 2], ddof=1))
    assert stats["std_over_mean"] == pytest.approx(stats["length_std"] / 2)
    assert stats["mean_direction"] == pytest.approx(0.5) and stats["valid_share"] == 0.75
    assert not any(name.startswith("instance") for name in stats)
    assert all(isinstance(value, float) for value in stats.values())


def test_statistics_of_pseudo_instances():
    view = torch.tensor([0] * 6 + [1] * 4)
    label = [0, 0, 0, 0, 1, 2, 3, 3, 4, 4]
    target = field(torch.zeros(10, 3), view, pseudo(label, [True] * 4 + [False] * 6))
    stats = offset_statistics(field(torch.ones(10, 3), view), target)
    assert stats["instances_per_view"] == 2.5 and stats["cut_share"] == pytest.approx(0.4)
    assert stats["largest_share"] == pytest.approx(4 / 10 * 2)  # of an average view
    sizes = [4, 1, 1, 2, 2]
    for q in (25, 50, 75):
        assert stats[f"instance_size_q{q}"] == pytest.approx(np.quantile(sizes, q / 100))


def test_statistics_agree_with_scr():
    coord = torch.rand(200, 3, generator=torch.Generator().manual_seed(0))
    raw = field(torch.zeros(200, 3)).replace(coord=coord, features=StageFeatures(torch.ones(200, 3)))
    scr = SpatialClusteringRegularization(num_clusters=1, radius=0.1, min_points=5)
    target = scr.refine(raw)
    stats = offset_statistics(raw, target)
    sizes = np.bincount(target.instances.label.numpy())
    assert stats["instances_per_view"] == len(sizes) and stats["largest_share"] == pytest.approx(sizes.max() / 200)
    assert stats["valid_share"] == pytest.approx(sizes[sizes >= 5].sum() / 200)


def test_mean_direction_tells_collapse_from_order():
    same = torch.tensor([[0.0, 0.3, 0.4]]) * torch.rand(50, 1).add(0.1)
    assert float(mean_direction(same)) == pytest.approx(1.0)
    ball = torch.randn(5000, 3, generator=torch.Generator().manual_seed(0))
    assert mean_direction(ball) < 0.05 and mean_direction(torch.zeros(9, 3)) == 0


@pytest.mark.parametrize("collapsed", [False, True])
def test_collapse_is_flagged(trainer, collapsed):
    hook = OffsetMonitor(every=1, canary_seed=None)
    hook.trainer = trainer
    hook.before_train()
    offset = torch.randn(400, 3, generator=torch.Generator().manual_seed(0))
    if collapsed:
        offset = 0.01 * offset + torch.tensor([0.1, 0.0, 0.0])
    trainer.model.teacher_field = trainer.model.target_field = field(offset)
    hook.after_step()
    assert len(trainer.logger.warnings) == collapsed
    assert not collapsed or "offsets look collapsed: mean direction 0.9" in trainer.logger.warnings[0]
    assert trainer.writer.scalars["offset/mean_direction", 0] == hook.latest["offset/mean_direction"]


def test_runs_every_so_many_steps_once_there_are_offsets(trainer):
    hook = OffsetMonitor(every=2, canary_seed=None)
    hook.trainer = trainer
    hook.before_train()
    hook.after_step()  # still warming up
    assert hook.latest == {}
    trainer.model(batch())
    for trainer.model.step in (1, 2, 3, 4):
        hook.after_step()
    assert sorted({step for _, step in trainer.writer.scalars}) == [2, 4]


def test_accuracy_against_known_centers():
    coord = torch.tensor([[0.0, 0, 0], [2, 0, 0], [7, 7, 7], [0, 5, 0], [0, 9, 0]])
    instance = torch.tensor([4, 4, -1, 1, 1])
    truth = torch.tensor([[1.0, 0, 0], [-1, 0, 0], [99, 0, 0], [0, 2, 0], [0, -2, 0]])
    perfect = offset_accuracy(truth, coord, instance)
    assert perfect == pytest.approx(dict(cosine=1.0, error=0.0, zero_error=1.5))
    half = offset_accuracy(truth / 2, coord, instance)
    assert half == pytest.approx(dict(cosine=1.0, error=0.75, zero_error=1.5))
    wrong = offset_accuracy(-truth, coord, instance)
    assert wrong == pytest.approx(dict(cosine=-1.0, error=3.0, zero_error=1.5))


@pytest.fixture(scope="module")
def room():
    return generate_room(0)


class Oracle:
    """Predicts the true offsets, times a factor."""

    def __init__(self, factor):
        self.factor = factor

    def __call__(self, scene):
        coord, instance = (torch.as_tensor(scene[key]) for key in ("coord", "instance"))
        center = torch.zeros_like(coord)
        for number in range(int(instance.max()) + 1):
            center[instance == number] = coord[instance == number].mean(0)
        offset = self.factor * (center - coord)
        return SimpleNamespace(raw_offset=lambda: offset)


def test_the_canary_tells_right_from_wrong_and_from_nothing(room):
    right, half, wrong = (canary_statistics(Oracle(factor), room) for factor in (1.0, 0.5, -1.0))
    assert right["cosine"] == pytest.approx(1.0, abs=1e-4) and right["error"] < 1e-4 < 0.2 < right["zero_error"] < 0.8
    assert half["error"] == pytest.approx(half["zero_error"] / 2, rel=1e-3)
    assert wrong["cosine"] == pytest.approx(-1.0, abs=1e-4)


@pytest.mark.parametrize("scale", [1.0, 8.0])
def test_the_canary_is_a_room_whatever_the_scale_of_the_scans(trainer, room, scale):
    trainer.cfg.data.train.scale = scale
    hook = OffsetMonitor(every=1)
    hook.trainer = trainer
    hook.before_train()
    trainer.model(batch())
    state = torch.get_rng_state()
    hook.after_step()
    expected = canary_statistics(Predictor(trainer.model.teacher, 0.1, KEYS, 1), room)
    seen = {name.removeprefix("canary/"): value for name, value in hook.latest.items() if name.startswith("canary/")}
    assert seen == pytest.approx(expected) and np.isfinite(list(seen.values())).all()
    assert torch.equal(state, torch.get_rng_state()) and trainer.model.teacher.training


def test_another_model_is_named(trainer):
    hook = OffsetMonitor()
    hook.trainer = trainer
    trainer.model = build(dos_config(backbone=backbone_config()))
    with pytest.raises(ValueError, match="OffsetMonitor needs model type 'PointINS-v1m1', found 'DOS'"):
        hook.before_train()


# -- pictures -------------------------------------------------------------------------------------------------------


def two_boxes():
    """Two clouds of voxels that point at their own middles, in view 0, and noise in view 1."""
    grid = torch.cartesian_prod(*[torch.arange(6.0)] * 3) * 0.08
    coord = torch.cat([grid, grid + torch.tensor([1.5, 0.0, 0.0]), grid + 9])
    middle = torch.cat(
        [grid.mean(0).expand(len(grid), 3), (grid.mean(0) + torch.tensor([1.5, 0, 0])).expand(len(grid), 3)]
    )
    offset = torch.cat([middle, coord[-len(grid) :]]) - coord
    label = torch.arange(3).repeat_interleave(len(grid))
    view = (label == 2).long()
    valid = torch.ones(len(coord), dtype=torch.bool)
    instances = PseudoInstances(label, coord + offset, valid, label, ~valid)
    raw = OffsetField(coord, StageFeatures(coord), offset, view, valid, view, torch.full((8,), 0.08))
    return raw, raw.replace(instances=instances)


def colors(image):
    """The palette's entries that an image shows, in their brightest shade."""
    return {i for i, color in enumerate(PALETTE[:4]) if (image == color).all(2).any()}


def test_a_picture_shows_the_first_view_and_where_its_offsets_lead():
    raw, target = two_boxes()
    picture = field_picture(raw, target, size=(120, 160))
    assert picture.shape == (120, 320, 3) and picture.dtype == np.uint8
    voxels, centers = picture[:, :160], picture[:, 160:]
    assert colors(voxels) == colors(centers) == {0, 1}
    painted = [(side < 250).any(2).sum() for side in (voxels, centers)]
    assert painted[1] < painted[0] / 3  # all centers of a box are one disc
    gray = field_picture(raw, target.replace(valid=~target.valid), size=(120, 160))
    assert colors(gray) == set() and (gray == NO_INSTANCE).all(2).any()


def test_a_picture_follows_every_so_many_epochs(trainer):
    monitor = OffsetMonitor(canary_seed=None, picture_every=2)
    monitor.trainer = trainer
    monitor.before_train()
    trainer.epoch = 1
    monitor.after_epoch()  # nothing to show before the offset loss is on
    trainer.model(batch())
    for trainer.epoch in range(4):
        trainer.model.step = trainer.epoch
        monitor.after_epoch()
    assert list(trainer.writer.images) == [("offset/pseudo_instances", 1), ("offset/pseudo_instances", 3)]
    monitor.picture_every = 0
    monitor.after_epoch()
    assert len(trainer.writer.images) == 2
