import ast
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from pointins_ext.checkpoint import read_checkpoint, save_checkpoint
from tests.fixtures.evil_pickle import Evil

ROOT = Path(__file__).parents[2]


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
    with pytest.raises(ValueError, match="cannot read checkpoint .*cut.pth.*truncated"):
        read_checkpoint(path)


@pytest.mark.parametrize(
    "content, message",
    [
        (dict(state_dict=dict(w=torch.ones(1)), code=pytest.raises), "cannot read checkpoint .*foreign.pth"),
        (dict(epoch=1, optimizer={}), "foreign.pth has no 'state_dict' of tensors; found 2 entries epoch, optimizer"),
        (dict(state_dict={}), "found an empty one"),
        (dict(state_dict=torch.ones(2)), "found a Tensor as 'state_dict'"),
        (dict(state_dict=dict(w=torch.ones(1), depth=3)), "found 1 other values in it: .'depth': 'int'"),
        ({f"layer{i}": i for i in range(400)}, "found 400 entries layer0, layer1, layer2, layer3, layer4$"),
        (torch.zeros(3), "found a Tensor"),
        ([1, 2], "found a list"),
    ],
)
def test_files_that_are_no_checkpoint(tmp_path, content, message):
    torch.save(content, tmp_path / "foreign.pth")
    with pytest.raises(ValueError, match=message):
        read_checkpoint(tmp_path / "foreign.pth")


@pytest.mark.parametrize("new_format", [True, False])
@pytest.mark.parametrize("where", ["state_dict", "config", "rng"])
def test_code_in_a_checkpoint_is_not_run(where, new_format, tmp_path):
    path, trace = tmp_path / "evil.pth", tmp_path / "executed"
    content = dict(state_dict=dict(w=torch.ones(1))) | {where: dict(x=Evil(trace))}
    torch.save(content, path, _use_new_zipfile_serialization=new_format)
    with pytest.raises(ValueError, match="evil.pth .*it asks to run (posix|nt).mkdir"):
        read_checkpoint(path)
    assert not trace.exists()
    torch.load(path, weights_only=False)
    assert trace.exists()  # the trap works


def test_nothing_is_read_with_code_allowed():
    """Every torch.load says weights_only=True or reads by our pickle of plain data; no other pickle is read."""
    seen = 0
    for path in [*(ROOT / "pointins_ext").rglob("*.py"), *(ROOT / "tools").rglob("*.py")]:
        calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
        for call in calls:
            name = ast.unparse(call.func)
            options = {option.arg: ast.unparse(option.value) for option in call.keywords}
            assert options.get("allow_pickle", "False") == "False", path
            assert name not in ("pickle.load", "pickle.loads", "torch.hub.load", "torch.jit.load", "dill.load"), path
            if name == "torch.load":
                seen += 1
                safe = options.get("weights_only") == "True" or options.get("pickle_module") == "plain_pickle"
                assert safe, f"{path}, line {call.lineno}"
    assert seen >= 3


def test_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="none.pth not found"):
        read_checkpoint(tmp_path / "none.pth")
    with pytest.raises(FileNotFoundError, match="is a folder"):
        read_checkpoint(tmp_path)


def test_bare_tensors_and_numpy_metrics_are_read(tmp_path):
    torch.save(nn.Linear(1, 1).state_dict(), tmp_path / "bare.pth")
    assert set(read_checkpoint(tmp_path / "bare.pth")["state_dict"]) == {"weight", "bias"}
    for kind in (np.float64, np.float32):
        torch.save(dict(state_dict=dict(w=torch.ones(1)), best_metric_value=kind(0.5)), tmp_path / "metric.pth")
        assert read_checkpoint(tmp_path / "metric.pth")["best_metric_value"] == 0.5


@pytest.mark.parametrize("module", [b"numpy.core.multiarray", b"numpy._core.multiarray"])
def test_metrics_written_by_another_numpy(tmp_path, module):
    """A pickle names the module of the numpy that wrote it; torch's legacy format keeps the pickle plain."""
    path = tmp_path / "metric.pth"
    state = dict(state_dict=dict(w=torch.ones(1)), best_metric_value=np.float64(0.25))
    torch.save(state, path, _use_new_zipfile_serialization=False)
    ours = np.float64(0).__reduce__()[0].__module__.encode()
    assert ours in path.read_bytes()
    path.write_bytes(path.read_bytes().replace(ours, module))
    assert read_checkpoint(path)["best_metric_value"] == 0.25
