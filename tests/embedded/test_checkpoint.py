import numpy as np
import pytest
import torch
from torch import nn

from pointins_ext.embedded.checkpoint import load_weight, read_checkpoint, rename, save_checkpoint


class Unwritable:
    """Raises while it is being pickled, when part of the file is on disk."""

    def __reduce__(self):
        raise OSError("disk full")


def test_an_interrupted_save_leaves_the_old_file(tmp_path):
    path = tmp_path / "model_last.pth"
    save_checkpoint(dict(state_dict=dict(w=torch.ones(2))), path)
    with pytest.raises(OSError, match="disk full"):
        save_checkpoint(dict(state_dict=dict(w=torch.zeros(1000)), bad=Unwritable()), path)
    assert read_checkpoint(path)["state_dict"]["w"].tolist() == [1, 1]
    assert [file.name for file in tmp_path.iterdir()] == ["model_last.pth"]


@pytest.mark.parametrize("keep", [0.0, 0.3, 0.9])
def test_truncated_file(tmp_path, keep):
    path = tmp_path / "cut.pth"
    save_checkpoint(dict(state_dict=dict(w=torch.ones(1000))), path)
    path.write_bytes(path.read_bytes()[: int(keep * path.stat().st_size)])
    with pytest.raises(ValueError, match="cannot read checkpoint .*cut.pth"):
        read_checkpoint(path)


def test_files_that_are_no_checkpoint(tmp_path):
    with pytest.raises(FileNotFoundError, match="none.pth not found"):
        read_checkpoint(tmp_path / "none.pth")
    torch.save(dict(epoch=1), tmp_path / "empty.pth")
    with pytest.raises(ValueError, match="has no 'state_dict'.*'epoch'"):
        read_checkpoint(tmp_path / "empty.pth")
    torch.save(dict(state_dict=dict(w=torch.ones(1)), code=pytest.raises), tmp_path / "code.pth")
    with pytest.raises(ValueError, match="cannot read checkpoint"):
        read_checkpoint(tmp_path / "code.pth")


def test_bare_tensors_and_numpy_metrics_are_read(tmp_path):
    torch.save(nn.Linear(1, 1).state_dict(), tmp_path / "bare.pth")
    assert set(read_checkpoint(tmp_path / "bare.pth")["state_dict"]) == {"weight", "bias"}
    for kind in (np.float64, np.float32):
        torch.save(dict(state_dict=dict(w=torch.ones(1)), best_metric_value=kind(0.5)), tmp_path / "metric.pth")
        assert read_checkpoint(tmp_path / "metric.pth")["best_metric_value"] == 0.5


def test_rename_as_pointcept():
    names = {"module.student.backbone.w": 0, "student.backbone.b": 1, "teacher.w": 2}
    renamed = rename(names, "module.student.backbone", "module.backbone")
    assert renamed == {"backbone.w": 0, "backbone.b": 1, "teacher.w": 2}
    assert set(rename(names, "", "")) == {"student.backbone.w", "student.backbone.b", "teacher.w"}


@pytest.fixture
def model():
    return nn.ModuleDict(dict(backbone=nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 3)), head=nn.Linear(3, 1)))


def test_load_by_name(model):
    weight = {"backbone.0.weight": torch.zeros(3, 2), "other": torch.zeros(1)}
    matched, missing, unexpected = load_weight(model, weight, strict=False, path="x.pth")
    assert (matched, len(missing), unexpected) == (["backbone.0.weight"], 5, ["other"])
    assert not model["backbone"][0].weight.any()
    with pytest.raises(ValueError, match="missing .'backbone.0.bias'.* unexpected .'other'"):
        load_weight(model, weight, strict=True, path="x.pth")
    with pytest.raises(ValueError, match=r"backbone.0.weight \(4, 2\) -> \(3, 2\)"):
        load_weight(model, {"backbone.0.weight": torch.zeros(4, 2)}, strict=False, path="x.pth")


def test_no_match_says_the_renaming_that_would(model):
    weight = {f"student.{name}": value for name, value in model.state_dict().items() if "head" not in name}
    with pytest.raises(ValueError, match=r"keywords='module.student', replacement='module'\) would match 4"):
        load_weight(model, weight, strict=False, path="x.pth")
    bare = {f"enc.{name}": value for name, value in model["backbone"].state_dict().items()}
    with pytest.raises(ValueError, match=r"keywords='module.enc', replacement='module.backbone'\) would match 4"):
        load_weight(model, bare, strict=False, path="x.pth")
    with pytest.raises(ValueError, match="checkpoint of another model"):
        load_weight(model, {"a.b.c": torch.zeros(1)}, strict=False, path="x.pth")
