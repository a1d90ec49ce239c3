"""What only LitePT has: rotary positions, and stages without attention or without convolutions."""

import pytest
import torch

from pointins_ext.embedded.litept import LitePT, rotate

SIZE = dict(
    stride=(2,), enc_depths=(1, 1), enc_channels=(12, 12), enc_num_head=(2, 2), enc_patch_size=(16, 16), drop_path=0.0
)


def test_rotary_attention_sees_differences_of_places_alone():
    generator = torch.Generator().manual_seed(0)
    query, key = torch.randn(2, 1, 3, 7, 18, generator=generator)
    place = torch.randint(0, 50, (1, 7, 3), generator=generator)
    shift = torch.tensor([5, 0, 11])

    def products(place):
        return rotate(query, place, 100.0) @ rotate(key, place, 100.0).transpose(-1, -2)

    torch.testing.assert_close(products(place), products(place + shift), atol=1e-4, rtol=1e-4)
    assert not torch.allclose(products(place), products(2 * place), atol=0.1)
    assert torch.equal(rotate(query, 0 * place, 100.0), query)
    torch.testing.assert_close(rotate(query, place, 100.0).norm(dim=-1), query.norm(dim=-1))


def test_one_channel_turns_by_the_angle_of_its_axis():
    feat = torch.zeros(1, 1, 1, 12)
    feat[..., 5] = 1.0  # second third: y; of its four channels the second, with the fourth
    turned = rotate(feat, torch.tensor([[[3, 4, 5]]]), base=16.0)
    angle = torch.tensor(4.0 / 16.0**0.5)
    expected = torch.zeros(12)
    expected[5], expected[7] = angle.cos(), angle.sin()
    torch.testing.assert_close(turned.flatten(), expected)


def batch():
    grid = torch.cartesian_prod(*[torch.arange(6)] * 3)
    return dict(coord=grid * 0.1, grid_coord=grid, feat=torch.randn(216, 4), offset=torch.tensor([216]))


def test_only_stages_that_attend_are_sorted_along_curves():
    model = LitePT(enc_conv=(True, False), enc_attn=(False, True), enc_rope_freq=(10.0, 10.0), enc_mode=True, **SIZE)
    point = model(batch())
    assert "serialized_order" in point and "serialized_order" not in point.pooling_parent
    assert not hasattr(model.enc[0][0], "mlp") and not hasattr(model.enc[1][1], "conv")


@pytest.mark.parametrize(
    "options, words",
    [
        (dict(enc_channels=(12, 8)), "8 channels in 2 heads; rotary positions need heads of a multiple of 6"),
        (
            dict(dec_depths=(1,), dec_channels=(12,), dec_num_head=(2,), dec_attn=(True,), enc_mode=False),
            "dec_attn is .*sorts no voxels there",
        ),
    ],
)
def test_what_it_cannot_do_is_refused(options, words):
    size = SIZE | dict(enc_conv=(True, True), enc_attn=(False, True), enc_rope_freq=(10.0, 10.0), enc_mode=True)
    decoder = dict(dec_patch_size=(16,), dec_conv=(True,), dec_rope_freq=(10.0,))
    with pytest.raises(ValueError, match=words):
        LitePT(**(size | decoder | options))
