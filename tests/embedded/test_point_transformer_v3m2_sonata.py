"""What only PT-v3m2 has: pooling of grid cells, the mask token, an encoder that is frozen."""

import torch

from tests.fixtures.tiny_ptv3 import batch, build, run, scene


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
