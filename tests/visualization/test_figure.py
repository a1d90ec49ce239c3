"""Figures: a readable PNG appears whole, and wrong input is named."""

import numpy as np
import pytest

from pointins_ext.visualization import figure

pytest.importorskip("matplotlib")


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(figure, "VIEW_SIZE", (60, 80))
    monkeypatch.setattr(figure, "PIXELS_PER_INCH", 40)


def scene(**changes):
    rng = np.random.default_rng(0)
    coord = rng.random((300, 3)).astype(np.float32)
    ids = np.repeat([-1, 0, 1], 100)
    entries = dict(coord=coord, color=coord * 255, predicted=ids + 3 * (ids >= 0), instance=ids, offset=0.1 - coord / 5)
    return dict(entries, name="box", **changes)


def read(path):
    from matplotlib.image import imread

    return imread(path)


def test_instances_figure_writes_a_row_a_scene(tmp_path):
    one = figure.instances_figure([scene()], tmp_path / "deep" / "one.png")
    two = figure.instances_figure([scene(), scene()], tmp_path / "two.png")
    assert read(two).shape[0] == pytest.approx(2 * read(one).shape[0], abs=2)
    assert read(one).std() > 0.02
    assert sorted(p.name for p in tmp_path.rglob("*.png")) == ["one.png", "two.png"]


def test_instances_figure_without_any_instance(tmp_path):
    nothing = scene()
    nothing.update(predicted=np.full(300, -1), instance=np.full(300, -1))
    assert figure.instances_figure([nothing], tmp_path / "none.png").is_file()


def test_instances_figure_names_what_is_missing(tmp_path):
    lacking = scene()
    del lacking["offset"]
    with pytest.raises(KeyError, match="box.*offset"):
        figure.instances_figure([lacking], tmp_path / "x.png")
    with pytest.raises(ValueError, match="no scene"):
        figure.instances_figure([], tmp_path / "x.png")


def test_panel_places_images_and_refuses_uneven_titles(tmp_path):
    images = [np.full((60, 80, 3), value, np.uint8) for value in (0, 120, 200)]
    shown = read(figure.panel(images, ["a", "b", "c"], 2, tmp_path / "panel.png"))
    assert len(np.unique(np.round(shown[..., 0], 2))) >= 3
    with pytest.raises(ValueError, match="2 titles"):
        figure.panel(images, ["a", "b"], 2, tmp_path / "panel.png")
