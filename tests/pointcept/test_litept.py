"""Our LitePT is Pointcept's: the same keys, values and gradients, to the rounding of half precision."""

import copy

import pytest
import torch
from pointcept.models.litept import LitePT as TheirLitePT

from pointins_ext.embedded.litept import LitePT

SIZE = dict(
    in_channels=4,
    order=("z", "hilbert"),
    stride=(2, 2),
    enc_depths=(1, 2, 2),
    enc_channels=(12, 24, 36),
    enc_num_head=(2, 2, 3),
    enc_patch_size=(32, 32, 32),
    enc_rope_freq=(100.0, 100.0, 50.0),
    dec_depths=(1, 1),
    dec_channels=(12, 24),
    dec_num_head=(2, 2),
    dec_patch_size=(32, 32),
    dec_rope_freq=(100.0, 100.0),
    drop_path=0.0,
)
VARIANTS = dict(
    published=dict(enc_conv=(True, True, False), enc_attn=(False, False, True), enc_mode=True),
    decoder=dict(
        enc_conv=(True, False, True),
        enc_attn=(False, True, True),
        dec_conv=(True, False),
        dec_attn=(False, True),
        pre_norm=False,
    ),
    attention=dict(enc_conv=(False, False, False), enc_attn=(True, True, True), enc_mode=True, qkv_bias=False),
)


def batch():
    generator = torch.Generator().manual_seed(0)
    grid = torch.randint(0, 14, (900, 3), generator=generator)
    grid[600:] //= 2
    first, second = grid[:600].unique(dim=0), grid[600:].unique(dim=0)
    grid = torch.cat([first, second])
    feat = torch.randn(len(grid), 4, generator=generator)
    return dict(coord=grid * 0.1, grid_coord=grid, feat=feat, offset=torch.tensor([len(first), len(grid)]))


def run(model, train):
    torch.manual_seed(3)  # the curves are shuffled
    point = model.train(train)(copy.deepcopy(batch()))
    point.feat.square().mean().backward()
    stages = []
    while True:
        stages.append({key: point[key].detach() for key in ("feat", "coord", "grid_coord", "batch")})
        if "pooling_parent" not in point:
            return stages, {name: parameter.grad for name, parameter in model.named_parameters()}
        point = point.pooling_parent


@pytest.mark.parametrize("train", [True, False])
@pytest.mark.parametrize("name", VARIANTS)
def test_equals_the_real_class(name, train):
    torch.manual_seed(0)
    theirs, ours = (kind(**(SIZE | VARIANTS[name])) for kind in (TheirLitePT, LitePT))
    ours.load_state_dict(theirs.state_dict())  # strict: the same names and shapes
    (expected, slopes), (found, gradients) = run(theirs, train), run(ours, train)
    assert len(found) == len(expected) == (1 if name == "decoder" else 3)
    for mine, real in zip(found, expected, strict=True):
        for key, value in real.items():
            torch.testing.assert_close(mine[key], value.to(mine[key].dtype), atol=1e-4, rtol=1e-4)
    for parameter, slope in slopes.items():
        assert (slope is None) == (gradients[parameter] is None), parameter
        if slope is not None:
            torch.testing.assert_close(gradients[parameter], slope, atol=1e-4, rtol=1e-4)
    assert any(slope is not None and slope.abs().max() > 1e-3 for slope in slopes.values())
