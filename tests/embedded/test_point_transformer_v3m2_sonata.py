"""What only PT-v3m2 has: pooling of grid cells, the mask token, an encoder that is frozen."""

import torch

from pointins_ext.embedded.registry import build_model

# SHARED
SEED = 1
ENCODER = dict(
    in_channels=9,
    order=("z", "hilbert-trans"),
    stride=(2, 2),
    enc_depths=(1, 2, 1),
    enc_channels=(16, 24, 32),
    enc_num_head=(2, 3, 4),
    enc_patch_size=(16, 16, 16),
)
DECODER = dict(dec_depths=(2, 1), dec_channels=(16, 24), dec_num_head=(2, 3), dec_patch_size=(16, 16))


def scene(extent=(11, 11, 6), seed=0, channels=9):
    """The shell of a box, one point a cell, in random order."""
    generator = torch.Generator().manual_seed(seed)
    axes = torch.cartesian_prod(*(torch.arange(size) for size in extent))
    shell = ((axes == 0) | (axes == torch.tensor(extent) - 1)).any(1)
    cells = axes[shell & (torch.rand(len(axes), generator=generator) < 0.8)]
    cells = cells[torch.randperm(len(cells), generator=generator)]
    return dict(cells=cells, feat=torch.randn(len(cells), channels, generator=generator))


def batch(*scenes, grid_size=0.1):
    cells = torch.cat([item["cells"] for item in scenes])
    return dict(
        coord=cells * grid_size,
        origin_coord=cells * grid_size + 5,
        color=cells * 10.0,
        grid_coord=cells,
        grid_size=torch.tensor([grid_size]),
        feat=torch.cat([item["feat"] for item in scenes]),
        offset=torch.tensor([len(item["cells"]) for item in scenes]).cumsum(0),
    )


def build(variant, seed=0, **kwargs):
    """A small model whose biases and tokens are not zero, in evaluation mode."""
    torch.manual_seed(seed)
    model = build_model(dict(type=variant, **{"drop_path": 0.0, **ENCODER, **DECODER, **kwargs}))
    for parameter in model.parameters():
        parameter.data.add_(torch.randn_like(parameter), alpha=0.05)
    return model.eval()


def run(model, data):
    """Points from the result up the pooling chain; orders are shuffled in evaluation, too, so the seed is fixed."""
    torch.manual_seed(SEED)
    points = [model(data)]
    while "pooling_parent" in points[-1]:
        points.append(points[-1].pooling_parent)
    return points


# END


def test_pooled_feature_is_the_maximum():
    model, data = build("PT-v3m2", enc_depths=(0, 0, 1), enc_mode=True), batch(scene(seed=1))
    down = model.enc[0][0]
    coarse, fine = run(model, data)[1:]
    rows = down.proj(fine.feat)
    top = torch.stack([rows[coarse.pooling_inverse == i].amax(0) for i in range(len(coarse.feat))])
    expected = torch.nn.functional.gelu(down.norm[0](top))
    torch.testing.assert_close(coarse.feat, expected)


def test_mask_replaces_the_stem_output():
    """What masked points carry in does not matter; the token does."""
    model, data = build("PT-v3m2", enc_mode=True, mask_token=True), batch(scene(seed=1))
    data["mask"] = torch.arange(len(data["feat"])) % 2 == 0
    noisy = {**data, "feat": torch.where(data["mask"][:, None], torch.randn_like(data["feat"]), data["feat"])}
    before = run(model, data)[0].feat
    assert torch.equal(run(model, noisy)[0].feat, before)
    model.embedding.mask_token.data += 1
    assert not torch.allclose(run(model, data)[0].feat, before)


def test_frozen_encoder_trains_the_decoder_alone():
    model = build("PT-v3m2", freeze_encoder=True)
    model(batch(scene(seed=1))).feat.square().mean().backward()
    for name, parameter in model.named_parameters():
        assert (parameter.grad is not None) == name.startswith("dec."), name
