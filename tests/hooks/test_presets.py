"""Presets: the same options in each, the paper's taken literally, and what a config gives above all."""

import pytest

from pointins_ext.branch import MagnitudePrior
from pointins_ext.hooks.presets import MONITOR, ODR, SCR, require_known, with_preset

PAIRWISE, KMEANS = ({n: o for n, o in SCR.items() if o["cut"] == cut} for cut in ("pairwise", "kmeans"))


@pytest.mark.parametrize("presets", [ODR, PAIRWISE, KMEANS, MONITOR], ids=["ODR", "pairwise", "kmeans", "monitor"])
def test_presets_of_a_hook_have_the_same_options(presets):
    assert len({frozenset(options) for options in presets.values()}) == 1
    for options in presets.values():
        assert "prior" not in options or MagnitudePrior.load(options["prior"])


def test_the_paper_is_taken_literally():
    paper = SCR["paper"]
    assert paper["num_clusters"] == 20 and paper["feature"] == "concat" and paper["radius"] is None
    assert paper["late"] is paper["max_length"] is None and paper["cut"] == "kmeans" and ODR["paper"]["ramp_steps"] == 0


def test_given_options_stand_over_the_preset_and_change_none():
    before = dict(SCR["kmeans"])
    options = with_preset("SCRHook", SCR, "kmeans", dict(num_clusters=3, seed=1), more=dict(seed=0))
    assert options == before | dict(num_clusters=3, seed=1) and SCR["kmeans"] == before


@pytest.mark.parametrize(
    "preset, options, message",
    [
        ("indor", {}, "SCRHook preset 'indor' is unknown; expected one of indoor, outdoor, kmeans, .*, paper"),
        ("kmeans", dict(num_cluster=3), "SCRHook has no option 'num_cluster'; did you mean 'num_clusters'"),
        ("outdoor", dict(xyz=3), "SCRHook has no option 'xyz'; known are"),
        ("kmeans", dict(num_clusters="3"), "SCRHook num_clusters is '3'; expected a number as its default 5"),
        ("kmeans", dict(late_start=dict(a=1)), "SCRHook late_start is {'a': 1}; expected a number"),
    ],
)
def test_what_is_misspelt_or_no_number_is_named(preset, options, message):
    with pytest.raises(ValueError, match=message):
        with_preset("SCRHook", SCR, preset, options)


def test_truth_values_are_not_asked_to_be_numbers():
    require_known("X", dict(on="yes"), dict(on=True))
