"""The binding of Pointcept: its own classes under our names, and the process group that its `comm` expects."""

import pytest
from pointcept.engines.hooks.builder import HOOKS
from pointcept.models.builder import MODELS
from pointcept.utils import comm
from pointcept.utils.registry import Registry

from pointins_ext import host
from pointins_ext.host import pointcept_host


def test_names_are_pointcepts_own():
    assert host.NAME == "pointcept" and host.MODELS is MODELS and host.HOOKS is HOOKS
    for name in host.NAMES:
        assert getattr(host, name) is not None
    assert MODELS.get("PointINS-v1m1") is not None and HOOKS.get("ODRHook") is not None


def test_registries_have_the_scope_that_they_give_themselves():
    """And they give it themselves again, now that Pointcept is imported."""
    for registry in (host.DATASETS, host.HOOKS, host.MODELS, host.TESTERS, host.TRAINERS, host.TRANSFORMS):
        assert registry.scope == "pointcept"
    assert (
        Registry("elsewhere").scope == __name__.partition(".")[0]
        and Registry.infer_scope.__module__ == Registry.__module__
    )


@pytest.mark.parametrize("rank, expected", [(0, (0, 2)), (1, (0, 2)), (3, (2, 4))])
def test_each_machine_has_a_group_of_its_own(rank, expected, monkeypatch):
    """Every process makes all groups, in the same order, and keeps that of its machine."""
    made, seen = [], []
    monkeypatch.setattr(pointcept_host.dist, "new_group", lambda ranks: made.append(ranks) or ranks)
    monkeypatch.setattr(comm, "get_world_size", lambda: 4)
    monkeypatch.setattr(comm, "get_rank", lambda: rank)
    monkeypatch.setattr(comm, "_LOCAL_PROCESS_GROUP", None)
    monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
    pointcept_host._with_local_group(lambda *cfg: seen.append((comm._LOCAL_PROCESS_GROUP, cfg)), 2, "cfg")
    assert made == [range(0, 2), range(2, 4)] and seen == [(range(*expected), ("cfg",))]


def test_one_process_needs_no_group(monkeypatch):
    monkeypatch.setattr(pointcept_host.dist, "new_group", lambda ranks: pytest.fail("a group was made"))
    seen = []
    pointcept_host._with_local_group(seen.append, 1, "cfg")
    assert seen == ["cfg"]
