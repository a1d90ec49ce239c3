"""The one door: which host is bound, why, and what happens where it cannot be."""

import pytest

from pointins_ext import host
from tests.fixtures.fresh_python import python


def test_every_promised_name_is_bound():
    for name in host.NAMES:
        assert getattr(host, name) is not None
    for registry, key in ((host.MODELS, "PointINS-v1m1"), (host.MODELS, "DOS-v1m1"), (host.MODELS, "OffsetHead")):
        assert registry.get(key) is not None
    assert all(host.HOOKS.get(key) for key in ("ODRHook", "SCRHook", "OffsetMonitor"))


def test_without_pointcept_the_embedded_host_is_bound_and_says_why():
    done = python("from pointins_ext import host; print(host.NAME, '|', host.REASON)")
    assert done.stdout.startswith("embedded | Pointcept is not installed"), done.stderr


@pytest.mark.parametrize(
    "environment, message",
    [
        (dict(POINTINS_HOST="pointcept"), "POINTINS_HOST=pointcept, but Pointcept is not installed"),
        (dict(POINTINS_HOST="Pointcept"), "expected auto, pointcept or embedded"),
    ],
)
def test_a_host_that_cannot_be_bound_is_an_error(environment, message):
    done = python("import pointins_ext", **environment)
    assert done.returncode != 0 and message in done.stderr
