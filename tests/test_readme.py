"""The worked examples of README run as they stand there."""

import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from pointins_ext.host import HOOKS, build_dataset
from tests.fixtures.tiny_pointins import backbone_config, batch, build, pointins_config

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", README.split("## Adding to it")[1].split("\n## ")[0], re.DOTALL)


@pytest.fixture(scope="module")
def examples():
    """What the blocks define; a name can be registered only once."""
    names = dict(__name__="readme")
    for code in EXAMPLES:
        exec(compile(code, "README.md", "exec"), names)
    return names


def test_there_are_three_examples_of_some_twenty_lines():
    assert len(EXAMPLES) == 3
    assert all(10 < len([line for line in code.splitlines() if line.strip()]) < 32 for code in EXAMPLES)


def test_the_regulariser_shortens_the_targets(examples):
    model = build(pointins_config())
    hook = HOOKS.build(dict(type="ShortenHook", limit=0.004))
    hook.trainer = SimpleNamespace(model=model)
    hook.before_train()
    model(batch())["loss"].backward()
    before, after = (field.offset.norm(dim=1) for field in (model.teacher_field, model.target_field))
    assert before.max() > 0.004 and after.max() <= 0.004 * (1 + 1e-5)
    torch.testing.assert_close(after, before.clamp(max=0.004), atol=1e-5, rtol=1e-4)


def test_the_pretrainer_learns_inside_pointins(examples):
    model = build(
        pointins_config(dict(type="Denoise-v1m1", backbone=backbone_config(), head_in_channels=32, up_cast_level=1))
    )
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-3)
    teacher = [p.clone() for p in model.teacher.parameters()]
    for _ in range(2):
        optimizer.zero_grad()
        result = model(batch())
        result["loss"].backward()
        optimizer.step()
        model.after_step()
    assert torch.isfinite(result["loss"]) and result["offset_loss"] > 0 and result["offset_matched"] > 0.5
    assert any(not torch.equal(a, b) for a, b in zip(teacher, model.teacher.parameters(), strict=True))


def test_the_dataset_reads_its_files(examples, tmp_path):
    table = np.random.default_rng(0).uniform(0, 9, (50, 6)).astype(np.float32)
    (tmp_path / "train").mkdir()
    np.savetxt(tmp_path / "train/hall.txt", table)
    collect = [dict(type="ToTensor"), dict(type="Collect", keys=("coord", "name"), feat_keys=("color",))]
    dataset = build_dataset(dict(type="TextScans", data_root=str(tmp_path), split="train", transform=collect))
    sample = dataset[0]
    np.testing.assert_allclose(sample["coord"], table[:, :3])
    np.testing.assert_allclose(sample["feat"], table[:, 3:])
    assert sample["name"] == "hall" and len(dataset) == 1
