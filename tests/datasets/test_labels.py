"""CheckLabels: good scenes pass, others stop the run by name."""

import numpy as np
import pytest

from pointins_ext.datasets.labels import CheckLabels


def scene(segment, instance=(0, 0, 0)):
    return dict(name="scene7", segment=np.array(segment), instance=np.array(instance))


@pytest.mark.parametrize("segment", [[0, 4, -1], [2, 2, 2]])
def test_good_scenes_pass_unchanged(segment):
    data = scene(segment)
    assert CheckLabels(num_classes=5, instance=True)(data) is data


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (scene([0, 25, 31]), r"scene7.*\[25, 31\].*0\.\.19"),
        (scene([0, -2, 1]), r"scene7.*\[-2\]"),
        (scene([-1, -1, -1]), "scene7: no point has a class"),
        (scene([0, 1, 1], [-1, -1, -1]), "scene7: no point has an instance; its instance.npy"),
    ],
)
def test_bad_scenes_stop(data, words):
    with pytest.raises(ValueError, match=words):
        CheckLabels(num_classes=20, instance=True)(data)
