"""Every deviation from Pointcept's published configs has a reason and stands in the README of the configs."""

import pytest

from config_deviations import BEGIN, REASONS, compare, deviations, table, with_table
from config_deviations import README as PATH


@pytest.fixture(scope="module")
def found():
    return deviations()


def test_the_table_is_up_to_date(found):
    text = PATH.read_text(encoding="utf-8")
    assert with_table(text, table(found)) == text, "run python tools/config_deviations.py"


def test_a_deviation_without_a_reason_and_a_reason_without_a_deviation_are_errors(found):
    with pytest.raises(ValueError, match="insseg-ptv3-scannet: clip_grad is 3.0, published is None; follow it, or add"):
        table({**found, ("clip_grad", "None", "3.0"): ["insseg-ptv3-scannet"]})
    fewer = {difference: names for difference, names in found.items() if difference[0] != "enable_wandb"}
    fewer = {difference: names for difference, names in fewer.items() if not difference[0].startswith("wandb")}
    with pytest.raises(ValueError, match="REASONS has lines that nothing needs: .*enable_wandb"):
        table(fewer)
    with pytest.raises(ValueError, match="lacks the markers"):
        with_table(f"text {BEGIN}", "rows")


def test_a_file_is_compared_by_what_it_means():
    theirs = dict(
        lr=0.002,
        hooks=[dict(type="CheckpointLoader"), dict(type="ModelHook"), dict(type="CheckpointSaver", save_freq=None)],
        transform=[dict(type="RandomFlip", p=0.5), dict(type="Collect", keys=("a", "b"), feat_keys=["a"])],
    )
    ours = dict(
        lr=0.1 * 0.02,
        hooks=[dict(type="WeightLoader"), dict(type="ModelHook"), dict(type="CheckpointSaver")],
        transform=[dict(type="RandomFlip"), dict(type="Collect", keys=("b", "a"), feat_keys=("a",))],
    )
    assert compare(theirs, ours) == []
    ours["hooks"][1] = dict(type="ODRHook")
    ours["transform"][0]["p"] = 0.4
    ours["transform"][1]["feat_keys"] = ("b",)
    ours["lr"] = 0.003
    assert set(compare(theirs, ours)) == {
        ("lr", "0.002", "0.003"),
        ("hooks.ModelHook", "there", "-"),
        ("hooks.ODRHook", "-", "there"),
        ("transform.RandomFlip.p", "0.5", "0.4"),
        ("transform.Collect.feat_keys", "['a']", "('b',)"),
    }
    assert len(REASONS) > 20
