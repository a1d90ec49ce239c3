"""What a config may say of a run, and what it gets where it is silent."""

import pytest

from pointins_ext.embedded.defaults import default_config_parser
from pointins_ext.embedded.logger import get_root_logger


@pytest.mark.parametrize("epoch, eval_epoch", [(3, 3), (100, 100), (800, 100)])
def test_a_config_without_eval_epoch_is_scored_as_often_as_on_pointcept(
    tiny_config, tmp_path, caplog, epoch, eval_epoch
):
    with caplog.at_level("INFO", "pointins_ext"):
        get_root_logger().addHandler(caplog.handler)
        cfg = default_config_parser(tiny_config, dict(save_path=str(tmp_path / "run"), epoch=epoch))
    assert (cfg.eval_epoch, cfg.data.train.loop) == (eval_epoch, epoch // eval_epoch)
    assert f"no eval_epoch, so eval_epoch = {eval_epoch} of epoch = {epoch}" in caplog.text
    caplog.clear()
    default_config_parser(tiny_config, dict(save_path=str(tmp_path / "run"), epoch=epoch, eval_epoch=1))
    assert "eval_epoch" not in caplog.text
    get_root_logger().removeHandler(caplog.handler)


@pytest.mark.parametrize(
    "options, error, match",
    [
        (dict(epoch=5, eval_epoch=2), ValueError, "multiple of eval_epoch"),
        (dict(epoch=250), ValueError, "epoch = 250 must be a multiple of eval_epoch = 100"),
        (dict(batch_size=0), ValueError, "batch_size = 0, expected a whole number of at least 1"),
        (dict(data__train__num_scenes=0), ValueError, "TinyScenes holds no scene"),
        (dict(evaluate=True), KeyError, "data = dict.val="),
        (dict(model__type="TinyModle"), KeyError, "did you mean 'TinyModel'"),
        (dict(model__widht=1), ValueError, "TinyModel: unknown key 'widht'"),
    ],
)
def test_wrong_configs(build_trainer, options, error, match):
    with pytest.raises(error, match=match):
        build_trainer(**options)
