"""Procedural rooms: repeatable, consistently labelled, partly hidden, touching but never interpenetrating."""

import numpy as np
import pytest
from scipy.spatial import cKDTree

from pointins_ext.datasets.rooms import CLASS_NAMES, STUFF, SyntheticRoomsDataset, generate_room, room_centers, touching
from pointins_ext.datasets.synthetic import room_furniture, room_layout, room_scan, room_shapes
from pointins_ext.datasets.synthetic.room_shapes import inside

NUM_ROOMS = 8
VOXEL = 0.04
COARSE = dict(density=300.0, min_points=10)
ARRAYS = ("coord", "color", "normal", "segment", "instance")


@pytest.fixture(scope="module")
def rooms():
    return [generate_room(seed) for seed in range(NUM_ROOMS)]


@pytest.fixture(scope="module")
def layouts():
    rngs = [np.random.default_rng(seed) for seed in range(8)]
    return [room_layout.furnish(rng, np.array([3.0, 2.8]), 8, stick_ratio=0.65, stack_ratio=0.35) for rng in rngs]


def voxels(scene):
    cell = np.floor(scene["coord"] / VOXEL).astype(np.int64) + 8
    return np.unique(cell @ (1 << 20, 1 << 10, 1), return_index=True)[1]


def penetration(first, second):
    """Depth in metres (0 or more) to which surface samples of one piece reach into the solids of another."""
    rng = np.random.default_rng(0)
    samples = np.concatenate([room_shapes.sample_surface(part, 800, rng)[0] for part in first.parts])
    low, high = room_shapes.bounds(second.parts)
    samples = samples[((samples > low) & (samples < high)).all(axis=1)]
    depths = [m for m in np.arange(0.0, 0.05, 0.005) if any(inside(p, samples, -m).any() for p in second.parts)]
    return max(depths, default=-0.005) + 0.005


def test_same_seed_gives_the_same_room(rooms):
    again = generate_room(3)
    for key in ARRAYS:
        np.testing.assert_array_equal(again[key], rooms[3][key])
    assert again["name"] == rooms[3]["name"] == "room_3"


def test_other_seed_gives_another_room(rooms):
    sizes = {len(scene["coord"]) for scene in rooms}
    assert len(sizes) == NUM_ROOMS


def test_types_and_ranges(rooms):
    for scene in rooms:
        count = len(scene["coord"])
        dtypes = {key: scene[key].dtype for key in ARRAYS}
        assert dtypes == dict(coord="f4", color="f4", normal="f4", segment="i4", instance="i4")
        assert all(len(scene[key]) == count for key in ARRAYS)
        assert scene["color"].min() >= 0 and scene["color"].max() <= 255
        np.testing.assert_allclose(np.linalg.norm(scene["normal"], axis=1), 1.0, atol=1e-5)
        assert scene["coord"].min() > -0.05 and scene["coord"][:, :2].max() < 3.5


def test_instance_is_none_exactly_on_floor_and_walls(rooms):
    for scene in rooms:
        np.testing.assert_array_equal(scene["instance"] == -1, np.isin(scene["segment"], STUFF))
        ids = np.unique(scene["instance"][scene["instance"] >= 0])
        np.testing.assert_array_equal(ids, np.arange(len(ids)))
        assert all(len(np.unique(scene["segment"][scene["instance"] == i])) == 1 for i in ids)


def test_floor_and_walls_are_planes(rooms):
    for scene in rooms:
        floor = scene["coord"][scene["segment"] == 0]
        walls = scene["coord"][scene["segment"] == 1]
        assert np.abs(floor[:, 2] - VOXEL / 2).max() < 0.02
        assert np.abs(walls[:, :2].min(axis=1) - VOXEL / 2).max() < 0.02


def test_size_of_the_cloud(rooms):
    raw = [len(scene["coord"]) for scene in rooms]
    fine = [len(voxels(scene)) for scene in rooms]
    stuff = [np.isin(scene["segment"][voxels(scene)], STUFF).mean() for scene in rooms]
    assert 30_000 < min(raw) and max(raw) < 65_000
    assert 10_000 < np.mean(fine) < 15_000
    assert 0.5 < np.mean(stuff) < 0.75


def test_objects(rooms):
    counts = [scene["instance"].max() + 1 for scene in rooms]
    assert min(counts) >= 5 and max(counts) <= 9
    smallest = [np.bincount(scene["instance"][scene["instance"] >= 0]).min() for scene in rooms]
    assert min(smallest) >= 100
    seen = set(np.concatenate([np.unique(scene["segment"]) for scene in rooms]))
    assert seen == set(range(len(CLASS_NAMES)))


def test_every_class_has_three_variants_that_stand_on_the_floor():
    assert set(room_furniture.VARIANTS) == set(CLASS_NAMES) - {"floor", "wall"}
    for kind, variants in room_furniture.VARIANTS.items():
        assert len(variants) == 3 and all(v.__name__.startswith(kind) for v in variants)
        for variant in variants:
            parts = variant(np.random.default_rng(0))
            assert min(part.bottom for part in parts) == pytest.approx(0.0, abs=1e-9), variant.__name__


def test_parts_of_a_piece_do_not_swallow_its_highest_face():
    """Two coplanar faces of overlapping parts would each count as buried in the other part."""
    rng = np.random.default_rng(0)
    for variant in (v for variants in room_furniture.VARIANTS.values() for v in variants):
        piece = room_layout.Piece("any", variant, tuple(variant(rng)))
        coord, _, _, part = room_scan.sample_pieces([piece], 4000.0, rng)
        free = ~room_scan.buried(coord, part, [piece])
        highest = coord[:, 2] > max(p.top for p in piece.parts) - 1e-6
        assert free[highest].sum() >= 0.9 * highest.sum(), variant.__name__


def test_centres_lie_in_the_boxes_of_their_objects(rooms):
    for scene in rooms:
        for i, center in enumerate(room_centers(scene)):
            points = scene["coord"][scene["instance"] == i]
            np.testing.assert_allclose(center, points.mean(axis=0, dtype=np.float64), atol=1e-5)
            assert (center >= points.min(axis=0)).all() and (center <= points.max(axis=0)).all()


def test_touching_agrees_with_distances_between_all_pairs(rooms):
    scene = rooms[0]
    trees = [cKDTree(scene["coord"][scene["instance"] == i]) for i in range(scene["instance"].max() + 1)]
    near = [any(a is not b and a.count_neighbors(b, 0.04) for b in trees) for a in trees]
    np.testing.assert_array_equal(touching(scene), near)


def test_touching_and_free_objects_both_occur(rooms):
    share = np.concatenate([touching(scene) for scene in rooms]).mean()
    assert 0.45 < share < 0.9
    free = np.concatenate([touching(generate_room(seed, stick_ratio=0.0, stack_ratio=0.0)) for seed in range(2)])
    assert not free.any()


def test_touching_without_objects():
    scene = dict(coord=np.zeros((4, 3), np.float32), instance=np.full(4, -1, np.int32))
    assert touching(scene).shape == (0,) and room_centers(scene).shape == (0, 3)


def test_pieces_do_not_interpenetrate(layouts):
    deepest = 0.0
    for pieces in layouts:
        assert len(pieces) >= 6
        for first in pieces:
            for second in pieces:
                if first is not second:
                    deepest = max(deepest, penetration(first, second))
    assert deepest <= 0.005


def test_penetration_is_seen_when_two_pieces_overlap(layouts):
    piece = layouts[0][0]
    pushed = piece._replace(parts=tuple(room_shapes.moved(p, 0.0, np.array([0.1, 0.1, 0.0])) for p in piece.parts))
    assert penetration(piece, pushed) > 0.02


def test_pieces_stay_in_the_room(layouts):
    for pieces in layouts:
        low, high = zip(*(room_shapes.bounds(piece.parts) for piece in pieces), strict=True)
        assert np.min(low) >= 0 and np.max(high, axis=0)[0] <= 3.0 and np.max(high, axis=0)[1] <= 2.8


def test_objects_show_the_side_of_the_cameras_only(rooms):
    """The cameras stand towards +x, +y: hardly any visible surface faces away from there, or down."""
    for scene in rooms:
        normal = scene["normal"][scene["instance"] >= 0]
        diagonal = normal[:, :2].sum(axis=1)
        assert (diagonal < -1.3).sum() < 0.1 * (diagonal > 1.3).sum()
        assert (normal[:, 2] < -0.9).mean() < 0.01


def test_a_wall_hides_what_lies_behind_it():
    rng = np.random.default_rng(0)
    front, back = rng.uniform(-0.5, 0.5, (2, 8000, 3))
    front[:, 0], back[:, 0] = 1.0, 0.0
    back[:, 1:] *= 2
    coord, normal = np.concatenate([front, back]), np.tile([1.0, 0.0, 0.0], (16000, 1))
    seen = room_scan.visible(coord, normal, np.array([3.0, 0.0, 0.0]))
    shadow = (np.abs(back[:, 1:]) < 0.7).all(axis=1)
    beside = (np.abs(back[:, 1:]) > 0.8).any(axis=1)
    assert seen[:8000].mean() > 0.99
    assert seen[8000:][shadow].mean() < 0.01 and seen[8000:][beside].mean() > 0.99
    assert not room_scan.visible(coord, -normal, np.array([3.0, 0.0, 0.0])).any()


@pytest.mark.parametrize(
    "part, area",
    [
        (room_shapes.box((1, 2, 3), (0.4, 0.6, 0.8), yaw=0.3), 2 * (0.24 + 0.32 + 0.48)),
        (room_shapes.frustum((0, 1, 0.5), 1.0, 1.0), np.pi * (0.5 + 1.0)),
        (room_shapes.frustum((0, 0, 1), 1.0, 0.5, taper=0.4), np.pi * (0.7 * np.hypot(0.5, 0.3) + 0.25 + 0.04)),
        (room_shapes.sphere((1, 1, 1), 0.8), np.pi * 0.64),
    ],
)
def test_primitive_samples_lie_on_the_surface(part, area):
    coord, normal = room_shapes.sample_surface(part, 20000, np.random.default_rng(0))
    assert len(coord) == pytest.approx(20000 * area, rel=0.01)
    np.testing.assert_allclose(np.linalg.norm(normal, axis=1), 1.0, atol=1e-9)
    assert room_shapes.inside(part, coord, 1e-6).all()
    # A step along the normal leaves the solid, a step against it enters: but for edges, where the step may miss.
    assert not room_shapes.inside(part, coord + 1e-3 * normal).any()
    assert room_shapes.inside(part, coord - 1e-3 * normal).mean() > 0.98
    outline = room_shapes.footprint(part)
    inward = [(outline[i] - coord[:, :2]) @ n for i, n in enumerate(room_shapes.footprint_normals(part))]
    assert np.min(inward) > -1e-9


def test_slide_ends_at_the_wanted_distance():
    fixed = room_layout.outline([room_shapes.box((0, 0, 0.5), (1, 1, 1))])
    low = room_layout.outline([room_shapes.box((0, 0.1, 0.1), (0.2, 0.2, 0.2), yaw=0.4)])
    contact, shadow = room_layout.slide(fixed, low, np.array([1.0, 0.0]), 0.02)
    assert contact == shadow
    assert room_layout.separation(fixed, low.shifted((contact, 0)))[0].max() == pytest.approx(0.02)
    above = low._replace(bottom=low.bottom + 2, top=low.top + 2)
    assert room_layout.slide(fixed, above, np.array([1.0, 0.0]), 0.02)[0] == -np.inf


def test_impossible_number_of_objects_is_refused():
    with pytest.raises(ValueError, match="num_objects"):
        generate_room(0, num_objects=(5, 40))


def test_splits_are_disjoint_and_repeatable():
    train, val = (SyntheticRoomsDataset(s, num_scenes=2, cache=False, room=COARSE) for s in ("train", "val"))
    rooms = [dataset.get_data(i) for dataset in (train, val) for i in range(2)]
    assert len({len(room["coord"]) for room in rooms}) == 4
    assert [room["name"] for room in rooms] == [f"room_{s}_0_000{i}" for s in ("train", "val") for i in range(2)]
    assert {room["split"] for room in rooms} == {"train", "val"}
    longer = SyntheticRoomsDataset(["val", "train"], num_scenes=3, cache=False, room=COARSE)
    np.testing.assert_array_equal(longer.get_data(0)["coord"], rooms[2]["coord"])
    np.testing.assert_array_equal(longer.get_data(4)["coord"], rooms[1]["coord"])


def test_dataset_applies_transforms_and_loops_without_spoiling_its_scenes():
    shift = [dict(type="CenterShift", apply_z=True), dict(type="ToTensor")]
    dataset = SyntheticRoomsDataset(num_scenes=1, loop=3, transform=shift, room=COARSE)
    assert len(dataset) == 3
    raw = dataset.get_data(0)["coord"].copy()
    dataset.get_data(0)["coord"] += 1.0  # as a transform that works in place does
    first, second = dataset[0], dataset[2]
    np.testing.assert_array_equal(first["coord"], second["coord"])
    np.testing.assert_array_equal(dataset.get_data(1)["coord"], raw)
    assert not np.allclose(first["coord"], raw)


def test_dataset_refuses_unknown_split_and_no_scene():
    with pytest.raises(ValueError, match="train, val, test"):
        SyntheticRoomsDataset(split="trian", num_scenes=1)
    with pytest.raises(ValueError, match="num_scenes"):
        SyntheticRoomsDataset(num_scenes=0)
