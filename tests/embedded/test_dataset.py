"""Scene folders to samples, samples to packed batches."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pointins_ext.embedded.dataset import ConcatDataset, DefaultDataset, collate_fn, point_collate_fn

TO_BATCH = [
    dict(type="ToTensor"),
    dict(type="Collect", keys=("coord", "segment", "instance", "name"), feat_keys=("coord", "color")),
]


def write_scene(folder, number=30, seed=0, **arrays):
    rng = np.random.default_rng(seed)
    arrays = dict(coord=rng.random((number, 3)), color=rng.integers(0, 256, (number, 3), np.uint8)) | arrays
    folder.mkdir(parents=True)
    for key, value in arrays.items():
        np.save(folder / f"{key}.npy", value)


@pytest.fixture
def root(tmp_path):
    for seed, name in enumerate(("train/b", "train/a", "val/c")):
        write_scene(tmp_path / name, number=20 + seed, seed=seed)
    return tmp_path


def test_scene_follows_the_contract(root):
    write_scene(root / "test/d", segment=np.arange(30.0)[:, None], strength=np.ones(30), junk=np.ones(3))
    scene = DefaultDataset("test", root)[0]
    assert {
        key: (value.dtype.name, value.shape) for key, value in scene.items() if isinstance(value, np.ndarray)
    } == dict(
        coord=("float32", (30, 3)),
        color=("float32", (30, 3)),
        strength=("float32", (30, 1)),
        segment=("int32", (30,)),
        instance=("int32", (30,)),
    )
    assert (scene["segment"] == np.arange(30)).all() and (scene["instance"] == -1).all()
    assert (scene["name"], scene["split"]) == ("d", "test")


def test_splits_by_name_list_and_file(root):
    (root / "few.json").write_text(json.dumps(["train/b"]))
    names = {
        "train": ["a", "b"],
        ("val", "train"): ["c", "a", "b"],
        "few.json": ["b"],
    }
    for split, expected in names.items():
        dataset = DefaultDataset(split, root, loop=2)
        assert [dataset.get_data_name(idx) for idx in range(len(dataset))] == expected * 2


def test_cache_returns_the_same_scene_and_survives_transforms(root):
    transform = [dict(type="CenterShift"), dict(type="RandomFlip", p=1), dict(type="NormalizeColor")]
    cached, fresh = (DefaultDataset("train", root, transform, cache=cache) for cache in (True, False))
    for _ in range(2):
        for key in ("coord", "color"):
            assert (cached[0][key] == fresh[0][key]).all()
    assert len(cached.cache) == 1


@pytest.mark.parametrize(
    "arrays, message",
    [(dict(color=np.ones((29, 3))), "color.npy.*29 rows, expected 30"), (dict(segment=[1, 2]), "2 rows")],
)
def test_unequal_lengths_name_the_file(tmp_path, arrays, message):
    write_scene(tmp_path / "train/x", **arrays)
    with pytest.raises(ValueError, match=message):
        DefaultDataset("train", tmp_path)[0]


def test_a_scene_without_points_is_named(tmp_path):
    write_scene(tmp_path / "train" / "empty", number=0)
    with pytest.raises(ValueError, match="train/empty/coord.npy: no point in this scene"):
        DefaultDataset(split="train", data_root=str(tmp_path))[0]


def test_missing_split_names_folder_and_layout(root):
    with pytest.raises(FileNotFoundError, match=r"nosuch.*nosuch/\*/coord\.npy"):
        DefaultDataset("nosuch", root)


def test_test_mode_gives_fragments_that_cover_the_scene(root):
    test_cfg = dict(
        voxelize=dict(type="GridSample", grid_size=0.5, mode="test", return_grid_coord=True),
        crop=None,
        post_transform=[dict(type="ToTensor"), dict(type="Collect", keys=("coord", "index"))],
        aug_transform=[[], [dict(type="RandomFlip", p=1)]],
    )
    dataset = DefaultDataset("val", root, test_mode=True, test_cfg=test_cfg, loop=7)
    assert len(dataset) == 1
    sample = dataset[0]
    index = torch.cat([fragment["index"] for fragment in sample["fragment_list"]])
    assert set(index.tolist()) == set(range(22)) and sample["name"] == "c" and len(sample["segment"]) == 22


def test_concat_holds_both(root):
    parts = [dict(type="DefaultDataset", split=split, data_root=root) for split in ("val", "train")]
    dataset = ConcatDataset(parts, loop=2)
    assert [dataset[idx]["name"] for idx in range(len(dataset))] == ["c", "a", "b"] * 2


# batches


@settings(max_examples=30, deadline=None)
@given(counts=st.lists(st.integers(1, 6), min_size=1, max_size=5))
def test_offsets_count_the_points_of_every_scene_and_view(counts):
    batch = collate_fn(
        [
            dict(
                coord=torch.full((count, 3), float(scene)),
                offset=torch.tensor([count]),
                global_offset=torch.tensor([count, 3 * count]),
                grid_size=0.02,
                name=f"{scene}",
            )
            for scene, count in enumerate(counts)
        ]
    )
    assert batch["offset"].tolist() == np.cumsum(counts).tolist()
    assert batch["global_offset"].diff(prepend=torch.tensor([0])).tolist() == [n for c in counts for n in (c, 2 * c)]
    for scene, part in enumerate(batch["coord"].split(counts)):
        assert (part == scene).all()
    assert batch["grid_size"].tolist() == [0.02] * len(counts) and batch["name"] == [str(i) for i in range(len(counts))]


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_mix3d_joins_pairs_and_keeps_instances_apart(root, number):
    scenes = []
    for seed in range(number):
        rng = np.random.default_rng(seed)
        coord = torch.from_numpy(rng.normal(size=(10, 3))).float()
        instance = torch.from_numpy(rng.integers(-1, 3, 10))
        scenes.append(
            dict(
                coord=coord,
                instance=instance,
                grid_coord=torch.zeros(10, 3, dtype=torch.long),
                offset=torch.tensor([10]),
                grid_size=0.1,
            )
        )
    batch = point_collate_fn(scenes, mix_prob=1)
    assert batch["offset"].tolist() == {1: [10], 2: [20], 3: [20, 30], 4: [20, 40]}[number]
    assert (batch["coord"] == torch.cat([scene["coord"] for scene in scenes])).all()
    start = 0
    for end in batch["offset"].tolist():
        ids = [set(part.tolist()) - {-1} for part in batch["instance"][start:end].split(10)]
        assert sum(map(len, ids)) == len(set().union(*ids))
        cell = batch["grid_coord"][start:end]
        assert cell.amin(dim=0).tolist() == [0, 0, 0]
        assert ((cell - cell[:1]) * 0.1 - (batch["coord"][start:end] - batch["coord"][start])).abs().max() <= 0.1001
        start = end
    alone = torch.cat([scene["instance"] for scene in scenes])
    assert ((batch["instance"] == -1) == (alone == -1)).all()


def test_views_cannot_be_mixed(root):
    views = dict(global_coord=torch.zeros(4, 3), global_offset=torch.tensor([2, 4]))
    assert point_collate_fn([views, views], mix_prob=0)["global_offset"].tolist() == [2, 4, 6, 8]
    with pytest.raises(ValueError, match="mix_prob is 1.*set it to 0"):
        point_collate_fn([views, views], mix_prob=1)


def test_loader_packs_samples(root):
    dataset = DefaultDataset("train", root, TO_BATCH)
    batch = next(iter(torch.utils.data.DataLoader(dataset, 2, collate_fn=point_collate_fn)))
    assert batch["offset"].tolist() == [21, 41] and batch["feat"].shape == (41, 6) and batch["name"] == ["a", "b"]
