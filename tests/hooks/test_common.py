from types import SimpleNamespace

import pytest
from torch import nn

from pointins_ext.hooks.common import pointins_model
from tests.fixtures.tiny_pointins import build, dos_config, pointins_config


def test_the_model_comes_out_of_its_wrapper():
    model = build(pointins_config())
    for wrapped in (model, SimpleNamespace(module=model)):
        assert pointins_model(SimpleNamespace(model=wrapped), "ODRHook") is model


@pytest.mark.parametrize("make", [lambda: nn.Linear(2, 2), lambda: build(dos_config())], ids=["Linear", "DOS"])
def test_another_model_is_named_with_the_way_to_wrap_it(make):
    model = make()
    with pytest.raises(
        ValueError, match=f"ODRHook needs model type 'PointINS-v1m1', found '{type(model).__name__}': wrap"
    ):
        pointins_model(SimpleNamespace(model=model), "ODRHook")
