"""The datasets of Pointcept's layouts: what a sample holds, which scenes are found, what is said of missing ones."""

import numpy as np
import pytest

from tests.fixtures.dataset_layouts import LAYOUTS, build

# type -> (splits, names of the scenes, keys of the sample with their width)


@pytest.mark.parametrize("kind", LAYOUTS)
def test_scenes_and_what_they_hold(roots, kind):
    _, names, widths = LAYOUTS[kind]
    dataset = build(kind, roots[kind], loop=2, cache=True)
    assert [dataset.get_data_name(i) for i in range(len(dataset))] == names * 2
    scene = dataset[0]
    number = len(scene["coord"])
    assert {key: scene[key].shape for key in widths} == {
        key: (number,) if width is None else (number, width) for key, width in widths.items()
    }
    assert all(scene[key].dtype == np.float32 for key, width in widths.items() if width)
    assert scene["name"] == names[0] and set(scene) - set(widths) <= {"name", "split", "pose"}
    assert dataset.get_data(0)["coord"] is dataset.get_data(len(names))["coord"]


@pytest.mark.parametrize("kind", LAYOUTS)
def test_missing_data_says_where_and_how_to_get_it(tmp_path, kind):
    with pytest.raises(FileNotFoundError) as error:
        build(kind, tmp_path / "nowhere")
    text = str(error.value)
    assert str(tmp_path / "nowhere") in text and "does not exist" in text and kind in text
    assert ("preprocessing/" in text) == (kind != "SemanticKITTIDataset") and "link" in text
