"""A training step of every pretrainer with the branch, in half precision, and how often it asks the GPU."""

import pytest
import torch

from tests.fixtures.tiny_pointins import backbone_config, batch, build, dos_config, pointins_config
from tests.fixtures.tiny_psa import clustered, psa_config
from tests.fixtures.tiny_sonata import scattered, sonata_config
from tests.fixtures.training_step import Step

# as deep as the paper's, and as many orders: what a stage asks does not depend on its width
DEEP = dict(
    order=("z", "z-trans", "hilbert", "hilbert-trans"), shuffle_orders=True, drop_path=0.3, stride=(2, 2, 2, 2),
    enc_depths=(1, 1, 1, 1, 1), enc_channels=(8, 8, 8, 16, 16), enc_num_head=(1, 1, 1, 2, 2), enc_patch_size=(64,) * 5,
)  # fmt: skip
PRETRAINERS = {
    "dos": (lambda **shape: dos_config(**shape), batch),
    "psa": (lambda **shape: psa_config(**shape), clustered),
    "sonata": (lambda **shape: sonata_config(**shape), lambda: scattered(batch(num_local=3))),
}
SCR = dict(pairwise={}, kmeans=dict(num_clusters=3, radius=0.12))


def step_of(name, device, half=torch.bfloat16, scr="pairwise", **shape):
    config, make = PRETRAINERS[name]
    if shape:
        shape = dict(
            backbone=backbone_config(**shape, mask_token=name == "sonata"), head_in_channels=40, up_cast_level=2
        )
    torch.manual_seed(0)
    model = build(pointins_config(config(**shape)))
    return Step(model, make(), device, half, SCR[scr] | dict(min_points=1, max_length=None))


@pytest.mark.parametrize(("half", "scr"), [(torch.bfloat16, "pairwise"), (torch.float16, "kmeans")])
@pytest.mark.parametrize("name", PRETRAINERS)
def test_a_step_learns(name, half, scr, device):
    step = step_of(name, device, half, scr)
    before = {key: value.clone() for key, value in step.model.student.named_parameters()}
    result = step.run()
    assert all(value.is_cuda for value in step.model.state_dict().values())
    assert 0 < result["loss"] < 20 and result["offset_matched"] > 0.1
    changed = [not torch.equal(value, before[key]) for key, value in step.model.student.named_parameters()]
    assert sum(changed) > 0.9 * len(changed)


def test_in_full_precision_targets_are_those_of_the_cpu(device):
    """A step without chance: no mask, one order of the points."""
    fields = []
    for place in ("cpu", device):
        config = dos_config(mask_ratio_start=0.0, backbone=backbone_config(order=("z",)))
        step = Step(build(pointins_config(config)), batch(), place, None, SCR["pairwise"])
        step.run()
        fields.append((step.model.teacher_field.offset.cpu(), step.model.target_field.center.cpu()))
    torch.testing.assert_close(fields[1], fields[0], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("name", "scr", "most", "of_branch"),
    [
        ("dos", "pairwise", 80, 10),
        ("dos", "kmeans", 80, 10),
        ("psa", "pairwise", 90, 10),
        ("sonata", "pairwise", 120, 15),
    ],
)
def test_a_step_asks_the_gpu_no_more_than_it_must(name, scr, most, of_branch, waits_of, device):
    """These figures stand in tools/README.md: meanwhile the GPU runs empty."""
    step = step_of(name, device, scr=scr, **DEEP)
    step.batch = {key: value.to(device) if torch.is_tensor(value) else value for key, value in step.batch.items()}
    step.model._checked_views = True  # which the first step alone does
    assert waits_of(step.run) <= most
    branch, offset_loss = [], step.model.offset_loss

    def counted(passes):
        result = []
        branch.append(waits_of(lambda: result.append(offset_loss(passes))))
        return result[0]

    step.model.offset_loss = counted
    with torch.no_grad(), torch.autocast(device.type, dtype=torch.bfloat16):
        step.model(step.batch)
    assert branch[0] <= of_branch
