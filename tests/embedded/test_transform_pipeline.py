"""What a pipeline hands to the model."""

import pytest
import torch

from pointins_ext.embedded.transform import Compose
from tests.fixtures.transform_scenes import build, make_scene


def test_to_tensor_and_collect_give_what_models_read():
    sample = Compose(
        [dict(type="Copy"), dict(type="Update", keys_dict=dict(epoch=3, ratio=0.5)), dict(type="ToTensor")]
    )(make_scene())
    assert sample["coord"].dtype == torch.float32 and sample["segment"].dtype == torch.int64
    assert sample["epoch"].tolist() == [3] and sample["ratio"].tolist() == [0.5] and sample["name"] == "scene"
    collected = build("Collect", keys=("coord", "name"), feat_keys=("coord", "color"))(sample)
    assert set(collected) == {"coord", "name", "offset", "feat"} and collected["offset"].tolist() == [400]
    assert (collected["feat"] == torch.cat([sample["coord"], sample["color"]], dim=1)).all()
    with pytest.raises(KeyError, match="'strength'"):
        build("Collect", keys=("coord",), feat_keys=("coord", "strength"))(sample)
    with pytest.raises(TypeError, match="NoneType"):
        build("ToTensor")(dict(coord=None))
