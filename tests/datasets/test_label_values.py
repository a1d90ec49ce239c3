"""Labels as files write them: marks for none, words, background."""

import numpy as np
import pytest

from pointins_ext.datasets.scans import ObjectSegment
from tests.fixtures.raw_values import FLOOR, LABEL, OBJECT, N, scene

pytestmark = pytest.mark.usefixtures("said")


@pytest.mark.parametrize("key", ["segment", "instance"])
@pytest.mark.parametrize(
    "kind, none", [("f4", np.nan), ("f8", np.inf), ("u1", 255), ("u2", 65535), ("u4", 2**32 - 1), ("i4", -100)]
)
def test_every_mark_of_no_label_is_minus_one_and_said(key, kind, none, said):
    raw = np.where(LABEL == 2, none, LABEL).astype(kind)
    read = scene(**{key: raw})[key]
    assert read.dtype == np.int32
    np.testing.assert_array_equal(read, np.where(LABEL == 2, -1, LABEL))
    assert said and all(str(w.message).startswith("a.ply: ") and "-1" in str(w.message) for w in said)


def test_a_mark_that_the_type_does_not_need_is_kept_and_said(said):
    raw = np.where(LABEL == 2, 255, LABEL)
    np.testing.assert_array_equal(scene(segment=raw)["segment"], raw)
    assert "255 and is kept" in str(said[0].message)
    every = np.arange(N).astype(np.uint8)  # 254 is used as well: an id like the others
    np.testing.assert_array_equal(scene(segment=every)["segment"], every)


@pytest.mark.parametrize("kind", [bool, "i1", "i8", "f2", "u8"])
def test_whole_numbers_of_any_type_are_labels(kind, said):
    np.testing.assert_array_equal(scene(segment=LABEL.astype(kind))["segment"], LABEL.astype(kind))
    assert not said


WORD = (LABEL.astype(np.uint32) << 16) | 40


@pytest.mark.parametrize(
    "key, value, message",
    [
        ("segment", LABEL + 0.5, "300 of 300 points have a fraction in segment"),
        ("segment", WORD, "word & 0xFFFF"),
        ("segment", (WORD | 0x80000000).view(np.int32), "word = segment.astype"),
        ("instance", WORD, "classes in its low bits; .*word >> 16"),
        ("instance", LABEL + 2**40, "expected at most 2147483647; number them anew"),
        ("instance", LABEL * 1e30, "expected at most 2147483647; number them anew"),
    ],
)
def test_numbers_that_are_no_labels_are_refused_with_the_cure(key, value, message):
    with pytest.raises(ValueError, match=rf"a\.ply: .*{message}"):
        scene(**{key: value})


def test_instance_0_that_spans_the_scan_is_background(said):
    read = scene(instance=FLOOR.astype(np.uint16))
    np.testing.assert_array_equal(read["instance"], np.where(FLOOR == 0, -1, FLOOR))
    assert "background" in str(said[0].message) and "-1" in str(said[0].message)
    np.testing.assert_array_equal(ObjectSegment()(read)["segment"], FLOOR > 0)
    assert (scene(instance=np.zeros(N))["instance"] == -1).all()


@pytest.mark.parametrize("instance", [OBJECT - 1, OBJECT, np.where(OBJECT == 7, -1, FLOOR), LABEL])
def test_an_object_0_is_kept(instance):
    """It is compact, or some other point is marked as none, or every instance spans the scan."""
    np.testing.assert_array_equal(scene(instance=instance)["instance"], instance)
