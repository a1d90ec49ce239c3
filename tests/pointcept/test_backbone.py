"""PTv3 of the embedded host against Pointcept's: features of every stage and all gradients, from the same weights."""

import numpy as np
import pytest
import torch
from pointcept.models.utils.serialization import encode as pointcept_encode

from pointins_ext.embedded.registry import MODELS as EMBEDDED
from pointins_ext.embedded.serialization import encode
from pointins_ext.host import MODELS

TOLERANCE = 1e-9
COMMON = dict(
    in_channels=6,
    order=("z", "z-trans", "hilbert", "hilbert-trans"),
    stride=(2, 2),
    enc_depths=(1, 2, 1),
    enc_channels=(16, 32, 48),
    enc_num_head=(2, 4, 4),
    enc_patch_size=(48, 48, 48),
    drop_path=0.0,
    shuffle_orders=True,
)
DECODER = dict(dec_depths=(1, 1), dec_channels=(24, 32), dec_num_head=(2, 4), dec_patch_size=(48, 48), enc_mode=False)
CASES = {
    "m2 encoder": ("PT-v3m2", dict(enc_mode=True, traceable=True, mask_token=True)),
    "m2 decoder": ("PT-v3m2", dict(DECODER, traceable=True)),
    "m1 encoder": ("PT-v3m1", dict(enc_mode=True)),
    "m1 decoder": ("PT-v3m1", DECODER),
}


def make_batch():
    generator = torch.Generator().manual_seed(3)
    cells = torch.stack(torch.meshgrid(*[torch.arange(24)] * 3, indexing="ij"), -1).reshape(-1, 3)
    counts, coord = (700, 450), []
    for count in counts:  # a thick surface, every voxel once, as after grid sampling
        surface = cells[(cells[:, 2] - cells[:, 0] // 3).abs() < 3]
        coord.append(surface[torch.randperm(len(surface), generator=generator)[:count]])
    grid = torch.cat(coord)
    return dict(
        coord=grid.double() * 0.04 + 0.01,
        origin_coord=grid.double() * 0.04 + 1.0,
        grid_coord=grid.int(),
        grid_size=0.04,
        feat=torch.randn(len(grid), 6, generator=generator).double(),
        offset=torch.tensor(counts).cumsum(0),
    )


def run(model, batch):
    """Features of every stage up the pooling chain, and the gradients of their weighted sum."""
    torch.manual_seed(11)  # the orders are shuffled
    point, feats = model({key: value.clone() if torch.is_tensor(value) else value for key, value in batch.items()}), []
    while True:
        feats.append(point.feat)
        if "pooling_parent" not in point:
            break
        point = point.pooling_parent
    loss = sum((feat * torch.linspace(-1, 1, feat.numel()).view_as(feat)).sum() for feat in feats)
    loss.backward()
    return feats, {name: p.grad for name, p in model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("mode", ["train", "eval"])
def test_features_and_gradients(case, mode):
    kind, kwargs = CASES[case]
    torch.manual_seed(0)
    ours = EMBEDDED.build(dict(type=kind, **COMMON, **kwargs))
    theirs = MODELS.build(dict(type=kind, enable_flash=False, **COMMON, **kwargs))
    theirs.load_state_dict(ours.state_dict())
    # double precision: rounding must not hide a difference
    getattr(ours.double(), mode)(), getattr(theirs.double(), mode)()
    (feats, grads), (their_feats, their_grads) = run(ours, make_batch()), run(theirs, make_batch())
    assert len(feats) == len(their_feats) and grads.keys() == their_grads.keys() and len(grads) > 20
    for ours_, theirs_ in zip(feats, their_feats, strict=True):
        assert (ours_ - theirs_).abs().max() <= TOLERANCE * theirs_.abs().max()
    # a bias before BatchNorm has no gradient but rounding: the floor is a thousandth of the largest gradient
    floor = 1e-3 * max(grad.abs().max() for grad in their_grads.values())
    for name, theirs_ in their_grads.items():
        assert (grads[name] - theirs_).abs().max() <= TOLERANCE * max(theirs_.abs().max(), floor), name


@pytest.mark.parametrize("order", ["z", "z-trans", "hilbert", "hilbert-trans"])
def test_serialization(order):
    generator = np.random.default_rng(5)
    grid = torch.from_numpy(generator.integers(0, 2**11, (500, 3)))
    batch = torch.from_numpy(generator.integers(0, 3, 500))
    assert torch.equal(encode(grid, batch, 11, order), pointcept_encode(grid, batch, 11, order))
