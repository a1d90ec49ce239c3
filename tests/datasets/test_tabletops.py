"""Table tops as a dataset: scaled, with the normals that a scan without them gets."""

import numpy as np

from pointins_ext.datasets.tabletops import SyntheticTabletopsDataset, generate_tabletop
from pointins_ext.host import build_dataset

KNOBS = dict(num_objects=(2, 4))


def test_scenes_are_scaled_and_have_normals():
    dataset = build_dataset(
        dict(type="SyntheticTabletopsDataset", split="val", num_scenes=2, scale=5.0, tabletop=KNOBS)
    )
    scene = dataset.get_data(1)
    plain = SyntheticTabletopsDataset("val", 2, tabletop=KNOBS, cache=False).get_data(1)
    np.testing.assert_allclose(scene["coord"], 5 * plain["coord"], rtol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(scene["normal"], axis=1), 1, atol=1e-4)
    assert scene["normal_estimated"] and scene["name"] == "tabletop_val_0_0001"
    board = (scene["segment"] == 0) & (np.abs(scene["coord"][:, 2]) < 0.02)
    assert np.median(np.abs(scene["normal"][board, 2])) > 0.95
    assert (
        generate_tabletop(np.random.SeedSequence(0, spawn_key=(1, 1)), **KNOBS)["coord"].shape == plain["coord"].shape
    )
