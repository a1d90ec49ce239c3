import hashlib
import os
import subprocess
import sys
from importlib.util import find_spec

import pytest
import torch

from pointins_ext.embedded.point_transformer_v3 import DropPath
from pointins_ext.embedded.registry import MODELS, build_model
from tests.fixtures.tiny_ptv3 import DECODER, ENCODER, SEED, batch, build, run, scene
from tests.oracles import pointcept_ptv3, ptv3_peer

VARIANTS = ("PT-v3m1", "PT-v3m2")
SONATA = dict(
    in_channels=9,
    order=("z", "z-trans", "hilbert", "hilbert-trans"),
    enc_depths=(3, 3, 3, 12, 3),
    enc_channels=(48, 96, 192, 384, 512),
    enc_num_head=(3, 6, 12, 24, 32),
    enc_patch_size=(1024,) * 5,
    mask_token=True,
    traceable=True,
    enc_mode=True,
)
# from Pointcept's own classes: number of entries, sha256 of the sorted "key shape" lines, some of them
STATE_DICTS = [
    (
        "PT-v3m2",
        SONATA,
        453,
        "5aedc3f15d588de1b3fded8f89ce1cad01854c5f3f74102a5ef960d429e36183",
        {
            "embedding.mask_token": (1, 48),
            "embedding.stem.linear.weight": (48, 9),
            "enc.enc3.down.norm.0.weight": (384,),
            "enc.enc3.block11.cpe.0.weight": (384, 3, 3, 3, 384),
            "enc.enc4.block2.mlp.0.fc1.weight": (2048, 512),
        },
    ),
    (
        "PT-v3m2",
        {},
        448,
        "157c0b1717ab223a4d1abf9948ae9d36235d850246c832e4d75e0fe9fe46c406",
        {"dec.dec3.up.proj_skip.1.bias": (256,), "dec.dec0.block1.attn.qkv.weight": (192, 64)},
    ),
    (
        "PT-v3m1",
        {},
        486,
        "bc88816290678a142ec82dd424537d9c771cedc476fd7c0e5b79183668b3f7a4",
        {"embedding.stem.conv.weight": (32, 5, 5, 5, 6), "enc.enc1.down.norm.0.running_var": (64,)},
    ),
    (
        "PT-v3m1",
        dict(pdnorm_bn=True, pdnorm_ln=True, pdnorm_adaptive=True),
        1038,
        "afa5c03b497d1e3b9affc0dc891eca145417eb3e7d770bd91904c03362abffc4",
        {"enc.enc0.block0.norm1.0.norm.2.weight": (32,), "enc.enc0.block0.norm1.0.modulation.1.bias": (64,)},
    ),
    (
        "PT-v3m1",
        dict(enable_rpe=True),
        508,
        "c447d4b39cabf4618c9d475734ce2d5d5005309c5954d6f9ef1be28ee7503ba5",
        {"enc.enc0.block0.attn.rpe.rpe_table": (69, 2)},
    ),
]


def formula_weights(model):
    """A state_dict that depends on nothing but names and shapes."""
    state = model.state_dict()
    return {
        key: torch.sin(torch.arange(1, value.numel() + 1)).view(value.shape) * 0.3 + key.endswith("norm.weight")
        if value.is_floating_point() and "running" not in key
        else value
        for key, value in state.items()
    }


@pytest.mark.parametrize("variant, kwargs, count, digest, some", STATE_DICTS)
def test_state_dict_is_that_of_pointcept(variant, kwargs, count, digest, some):
    with torch.device("meta"):
        state = build_model(dict(type=variant, **kwargs)).state_dict()
    shapes = {key: tuple(value.shape) for key, value in state.items()}
    assert {key: shapes.get(key) for key in some} == some
    assert len(shapes) == count
    lines = "\n".join(f"{key} {shape}" for key, shape in sorted(shapes.items()))
    assert hashlib.sha256(lines.encode()).hexdigest() == digest


@pytest.mark.parametrize(
    "variant, order",
    [("PT-v3m1", ("hilbert",)), ("PT-v3m1", ("z-trans",)), ("PT-v3m2", ("z", "hilbert-trans"))],
)
def test_encoder_equals_torch_pointcloud(variant, order):
    """That package does not shuffle the orders of pooled PT-v3m1 stages, so one order there."""
    encoder = {**ENCODER, "order": order}
    model, data = build(variant, order=order, enc_mode=True).train(), batch(scene(seed=1), scene((8, 9, 10), seed=2))
    state = {key: value.clone() for key, value in model.state_dict().items()}
    ours = run(model, data)[::-1]
    expected = ptv3_peer.encoder_stages(variant, state, data, encoder, SEED)
    for point, feat in zip(ours, expected, strict=True):
        feat_ours = ptv3_peer.in_cell_order(point.feat, point.grid_coord, point.batch)
        torch.testing.assert_close(feat_ours, feat, atol=1e-4, rtol=1e-4)


POINTCEPT = os.environ.get("POINTCEPT_ROOT")
REQUESTS = [
    ("PT-v3m2", dict(enc_mode=True, mask_token=True, layer_scale=0.1), ["mask"]),
    ("PT-v3m2", DECODER, []),
    ("PT-v3m2", dict(enable_rpe=True, pre_norm=False, qk_scale=0.3, qkv_bias=False), []),
    ("PT-v3m1", DECODER, []),
    ("PT-v3m1", dict(pdnorm_bn=True, pdnorm_ln=True, pdnorm_adaptive=True), ["condition", "context"]),
]


@pytest.mark.skipif(not POINTCEPT, reason="POINTCEPT_ROOT is not set")
@pytest.mark.skipif(find_spec("spconv") is None, reason="Pointcept's PTv3 needs spconv")
def test_equals_pointcept(tmp_path):
    """Same weights, same numbers at every stage; in a process of its own for the sake of Pointcept's imports."""
    models = [build(variant, **kwargs).train() for variant, kwargs, _ in REQUESTS]
    data = batch(scene(seed=1), scene((8, 9, 10), seed=2))
    extra = dict(mask=torch.arange(len(data["feat"])) % 3 == 0, condition=["S3DIS"], context=torch.ones(1, 256))
    requests = [
        dict(
            variant=variant[-2:],
            kwargs={**ENCODER, **DECODER, **kwargs},
            state_dict={key: value.clone() for key, value in model.state_dict().items()},
            batch={**data, **{key: extra[key] for key in keys}},
            seed=SEED,
        )
        for model, (variant, kwargs, keys) in zip(models, REQUESTS, strict=True)
    ]
    torch.save(requests, tmp_path / "request.pt")
    files = [str(tmp_path / "request.pt"), str(tmp_path / "answer.pt")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, pointcept_ptv3.__file__, POINTCEPT, *files], check=True, env=environment)
    answers = torch.load(tmp_path / "answer.pt", weights_only=False)
    for model, request, answer in zip(models, requests, answers, strict=True):
        shapes = {key: tuple(value.shape) for key, value in model.state_dict().items()}
        assert list(shapes.items()) == list(answer["shapes"].items())  # in this order: teachers follow by position
        for point, stage in zip(run(model, request["batch"]), answer["stages"], strict=True):
            torch.testing.assert_close(point.feat, stage["feat"], atol=1e-4, rtol=1e-4)
            torch.testing.assert_close(point.coord, stage["coord"])
            assert torch.equal(point.grid_coord, stage["grid_coord"])


@pytest.mark.parametrize("variant", VARIANTS)
def test_point_order_does_not_matter(variant):
    first, second = scene(seed=1), scene(seed=2)
    order = torch.randperm(len(first["cells"]))
    shuffled = {key: value[order] for key, value in first.items()}
    model = build(variant, enc_mode=True)
    for a, b in zip(run(model, batch(first, second))[:-1], run(model, batch(shuffled, second))[:-1], strict=True):
        torch.testing.assert_close(b.feat, a.feat, atol=1e-4, rtol=1e-4)
    model = build(variant)
    a, b = (run(model, batch(item, second))[0].feat for item in (first, shuffled))
    torch.testing.assert_close(b[: len(order)], a[order], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("variant", VARIANTS)
def test_scenes_do_not_see_each_other(variant):
    """Another second scene, of another size: every stage of the first scene stays bit by bit, or nearly."""
    model = build(variant, enc_mode=True)
    first = scene(seed=1)
    for other in (scene(seed=2), scene((2, 1, 1), seed=3)):
        for a, b in zip(run(model, batch(first, scene(seed=4))), run(model, batch(first, other)), strict=True):
            torch.testing.assert_close(b.feat[b.batch == 0], a.feat[a.batch == 0], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("counts", [(1,), (2,), (0,), (1, 0, 2), (0, 30), (30, 0)])
def test_tiny_and_empty_clouds(variant, counts):
    scenes = [{key: value[:count] for key, value in scene(seed=count).items()} for count in counts]
    data, model = batch(*scenes), build(variant)
    data["feat"].requires_grad_()
    out = model(data)
    assert out.feat.shape == (sum(counts), 16)
    assert torch.isfinite(out.feat).all()
    out.feat.sum().backward()
    pooled = build(variant, enc_mode=True)(data)
    assert len(pooled.offset) == len(counts)
    assert pooled.offset[-1] == len(pooled.feat)


@pytest.mark.parametrize("variant", VARIANTS)
def test_points_that_share_a_cell(variant):
    single = scene(seed=1)
    double = {key: torch.cat([value, value]) for key, value in single.items()}
    a, b = (run(build(variant, enc_mode=True), batch(item)) for item in (single, double))
    assert torch.isfinite(b[0].feat).all()
    assert len(b[-1].feat) == 2 * len(a[-1].feat)
    for fine, coarse in zip(a[:-1], b[:-1], strict=True):
        assert torch.equal(fine.grid_coord, coarse.grid_coord)


@pytest.mark.parametrize("variant", VARIANTS)
def test_pooling_keeps_the_books(variant):
    """Voxel of a point = its cell halved; coordinates are means; clouds stay apart."""
    points = run(build(variant, enc_mode=True), batch(scene(seed=1), scene(seed=2)))
    for coarse, fine in zip(points[:-1], points[1:], strict=True):
        inverse = coarse.pooling_inverse
        assert torch.equal(coarse.grid_coord[inverse], fine.grid_coord // 2)
        assert torch.equal(coarse.batch[inverse], fine.batch)
        assert inverse.unique().tolist() == list(range(len(coarse.feat)))
        keys = ("coord", "origin_coord", "color") if variant == "PT-v3m2" else ("coord",)
        for key in keys:
            mean = torch.stack([fine[key][inverse == i].mean(0) for i in range(len(coarse.feat))])
            torch.testing.assert_close(coarse[key], mean)
        if variant == "PT-v3m2":
            torch.testing.assert_close(coarse.grid_size, fine.grid_size * 2)
            assert torch.equal(coarse.idx_ptr.diff(), inverse.bincount())


def test_stem_stage_without_a_block():
    model = build("PT-v3m2", enc_depths=(0, 1, 1), enc_mode=True)
    assert not any(key.startswith("enc.enc0") for key in model.state_dict())
    points = run(model, batch(scene(seed=1)))
    assert [point.feat.shape[1] for point in points] == [32, 24, 16]


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_parameter_gets_a_gradient(variant):
    model = build(variant, mask_token=True, layer_scale=1e-5) if variant == "PT-v3m2" else build(variant)
    data = batch(scene(seed=1), scene(seed=2))
    if variant == "PT-v3m2":
        data["mask"] = torch.arange(len(data["feat"])) % 2 == 0
    model.train()(data).feat.square().mean().backward()
    assert all(torch.isfinite(parameter.grad).all() and parameter.grad.any() for parameter in model.parameters())


@pytest.mark.parametrize("variant", VARIANTS)
def test_runs_under_autocast(variant):
    model, data = build(variant), batch(scene(seed=1))
    expected = run(model, data)[0].feat
    with torch.autocast("cpu", torch.bfloat16):
        feat = run(model, data)[0].feat
    feat.float().sum().backward()
    error = (feat.float() - expected).norm() / expected.norm()
    assert error < 0.05


def test_drop_path_drops_rows_and_keeps_the_mean():
    torch.manual_seed(0)
    layer, rows = DropPath(0.25), torch.ones(20000, 2)
    out = layer(rows)
    assert set(out.unique().tolist()) == {0.0, torch.tensor(1 / 0.75).item()}
    assert torch.equal(out[:, 0], out[:, 1])
    assert out.mean().item() == pytest.approx(1, abs=0.02)
    assert torch.equal(layer.eval()(rows), rows)


@pytest.mark.parametrize("variant, golden", [("PT-v3m1", 2.227227), ("PT-v3m2", 2.225214)])
def test_golden_number(variant, golden):
    """Weights from a formula; the numbers come from Pointcept's own classes."""
    model = build(variant).train()
    model.load_state_dict(formula_weights(model))
    feat = run(model, batch(scene(seed=1), scene((8, 9, 10), seed=2)))[0].feat
    assert feat.abs().mean().item() == pytest.approx(golden, abs=1e-5)


@pytest.mark.parametrize(
    "variant, kwargs, message",
    [
        ("PT-v3m2", dict(enc_channels=(16, 24)), "enc_channels has 2 entries"),
        ("PT-v3m2", dict(dec_depths=(1,)), "dec_depths has 1 entries"),
        ("PT-v3m2", dict(enc_num_head=(3, 3, 4)), "16 channels do not divide into 3 heads"),
        ("PT-v3m1", dict(stride=(3, 2)), "not a power of two"),
    ],
)
def test_bad_sizes_are_refused(variant, kwargs, message):
    with pytest.raises(ValueError, match=message):
        build(variant, **kwargs)


def test_bad_batches_are_refused():
    model, data = build("PT-v3m2", enc_mode=True), batch(scene(seed=1, channels=6))
    with pytest.raises(ValueError, match="in_channels=9"):
        model(data)
    with pytest.raises(KeyError, match="feat"):
        model({key: value for key, value in data.items() if key != "feat"})
    with pytest.raises(ValueError, match="mask_token=False"):
        model({**batch(scene(seed=1)), "mask": torch.zeros(len(data["feat"]), dtype=torch.bool)})
    with pytest.raises(KeyError, match="pdnorm_conditions"):
        build("PT-v3m1", pdnorm_ln=True)({**batch(scene(seed=1)), "condition": ["Mars"]})


def test_both_variants_are_registered():
    assert all(variant in MODELS for variant in VARIANTS)
