import numpy as np
import pytest
import torch

from pointins_ext.inference import load_predictor
from tests.fixtures.tiny_pointins import GRID


def test_a_checkpoint_gives_the_networks_back(checkpoint, model, predictor, scene):
    expected = predictor(scene)
    assert np.array_equal(load_predictor(checkpoint, device="cpu")(scene).offset, expected.offset)
    student = load_predictor(str(checkpoint), network="student", device="cpu")
    assert torch.equal(next(student.networks.parameters()), next(model.student.parameters()))
    assert load_predictor(checkpoint, grid_size=GRID / 4, device="cpu").scale == 4.0


def test_names_of_wrapped_models_are_understood(checkpoint, model, cfg, predictor, scene):
    state = {f"module.{key}": value for key, value in model.state_dict().items()}
    torch.save(dict(state_dict=state, config=cfg.to_dict()), checkpoint)
    assert np.array_equal(load_predictor(checkpoint, device="cpu")(scene).offset, predictor(scene).offset)


def test_a_missing_checkpoint(tmp_path):
    with pytest.raises(FileNotFoundError, match="none.pth not found; expected a file such as exp/"):
        load_predictor(tmp_path / "none.pth")


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_truncated_checkpoint(checkpoint, share):
    content = checkpoint.read_bytes()
    checkpoint.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match="cannot read checkpoint .*model_last.pth .*truncated"):
        load_predictor(checkpoint)


def test_a_checkpoint_of_another_kind(tmp_path, model, cfg):
    path = tmp_path / "foreign.pth"
    torch.save(dict(state_dict={"student.backbone.x": torch.zeros(1)}, config={}), path)
    with pytest.raises(ValueError, match="foreign.pth: not a PointINS .*'student.backbone.x', have no teacher.offset"):
        load_predictor(path)
    torch.save(dict(state_dict=model.state_dict(), config={}), path)
    with pytest.raises(ValueError, match="config of .*foreign.pth: expected the key 'model', found no key"):
        load_predictor(path)
    state = {name: value for name, value in model.state_dict().items() if "enc1" not in name}
    torch.save(dict(state_dict=state, config=cfg.to_dict()), path)
    with pytest.raises(ValueError, match="foreign.pth: missing .*enc1"):
        load_predictor(path)


def test_the_config_of_the_experiment_serves_where_the_checkpoint_has_none(tmp_path, model, cfg, predictor, scene):
    """As Pointcept's own saver leaves an experiment."""
    path = tmp_path / "exp" / "model" / "model_last.pth"
    path.parent.mkdir(parents=True)
    torch.save(dict(state_dict=model.state_dict(), epoch=3, best_metric_value=np.float64(0.5)), path)
    with pytest.raises(FileNotFoundError, match="carries no config; .*exp/config.py not found; .*--config"):
        load_predictor(path)
    with pytest.raises(FileNotFoundError, match="^elsewhere.py not found"):
        load_predictor(path, config="elsewhere.py")
    cfg.dump(tmp_path / "other.py")
    expected = predictor(scene).offset
    assert np.array_equal(load_predictor(path, device="cpu", config=tmp_path / "other.py")(scene).offset, expected)
    cfg.dump(tmp_path / "exp" / "config.py")
    assert np.array_equal(load_predictor(path, device="cpu")(scene).offset, expected)


def test_a_config_beside_a_checkpoint_runs_only_where_it_is_asked_for(tmp_path, model, cfg, predictor, scene):
    path, beside = tmp_path / "exp" / "model" / "model_last.pth", tmp_path / "exp" / "config.py"
    path.parent.mkdir(parents=True)
    torch.save(dict(state_dict=model.state_dict(), epoch=3), path)
    ran = tmp_path / "ran"
    beside.write_text(f"open({str(ran)!r}, 'w').close()\n{cfg.pretty_text}")
    with pytest.raises(ValueError, match="exp/config.py, line 1: found the code `open.*read as data.*--config"):
        load_predictor(path, device="cpu")
    assert not ran.exists()
    trusted = load_predictor(path, device="cpu", config=beside)
    assert ran.exists() and np.array_equal(trusted(scene).offset, predictor(scene).offset)
    torch.save(dict(state_dict=model.state_dict(), config=[("model", 1)]), path)
    with pytest.raises(ValueError, match="config of .*model_last.pth: expected the key 'model', found no key"):
        load_predictor(path, device="cpu")
