import pytest
import torch

from pointins_ext.host import flash


def test_flash_needs_a_gpu_and_the_package(monkeypatch):
    assert not flash.has_flash(torch.device("cpu"))
    for found in (None, "a spec"):
        monkeypatch.setattr(flash.importlib.util, "find_spec", lambda name, found=found: found)
        assert flash.has_flash(torch.device("cuda")) == bool(found)


def test_it_is_turned_off_wherever_it_was_on_also_by_default():
    model = dict(
        type="PointINS-v1m1",
        pretrainer=dict(
            backbone=dict(type="PT-v3m2"),
            teacher=dict(type="PT-v3m1", enable_flash=True),
            off=dict(type="PT-v3m1", enable_flash=False),
        ),
    )
    assert flash.disable_flash(model) == [
        f"model.pretrainer.{name}.enable_flash = False" for name in ("backbone", "teacher")
    ]
    assert all(model["pretrainer"][name]["enable_flash"] is False for name in ("backbone", "teacher", "off"))
    assert flash.disable_flash(model) == []


@pytest.mark.parametrize("kind", ["SpUNet-v1m1", None])
def test_other_networks_stay_as_they_are(kind):
    cfg = dict(type=kind, enable_flash=True)
    assert flash.disable_flash(cfg) == [] and cfg["enable_flash"] is True
