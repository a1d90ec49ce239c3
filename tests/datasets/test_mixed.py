"""A mix is its datasets in order, each with its own transforms before the shared ones."""

import numpy as np

from pointins_ext.host import DATASETS
from tests.fixtures.tiny_datasets import write_s3dis, write_scannet

SHARED = [dict(type="Copy", keys_dict=dict(coord="origin_coord"))]
LIFT = dict(type="RandomShift", shift=((0, 0), (0, 0), (5, 5)))


def test_mix(tmp_path):
    write_scannet(tmp_path / "scannet")
    write_s3dis(tmp_path / "s3dis")
    parts = [
        dict(type="ScanNetDataset", split="train", data_root=str(tmp_path / "scannet")),
        dict(type="S3DISDataset", split="Area_1", data_root=str(tmp_path / "s3dis"), transform=[LIFT]),
    ]
    alone = [DATASETS.build(dict(part, transform=None)) for part in parts]
    mix = DATASETS.build(dict(type="MixedDataset", datasets=parts, transform=SHARED, loop=2))
    names = ["scene0000_00", "scene0001_00", "Area_1-office_1"]
    assert [mix.get_data_name(i) for i in range(len(mix))] == names * 2
    assert [mix[i]["name"] for i in range(6)] == names * 2
    raw = [alone[0].get_data(0)["coord"], alone[0].get_data(1)["coord"], alone[1].get_data(0)["coord"]]
    for number, coord in enumerate(raw):
        assert (mix.get_data(number)["coord"] == coord).all()
        # the own transform ran first: the copy is lifted, too
        lifted = coord + np.float32([0, 0, 5 * (number == 2)])
        np.testing.assert_allclose(mix[number]["origin_coord"], lifted, atol=1e-6)
