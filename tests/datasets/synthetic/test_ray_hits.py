"""Hits of rays: where marching along the ray first finds the inside of the solid, and normal to its surface."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointins_ext.datasets.synthetic.ray_hits import hit
from pointins_ext.datasets.synthetic.room_shapes import Part, inside

STEP = 0.002
KINDS = ("box", "frustum", "spheroid")


def part_of(kind, size, taper=1.0):
    size = np.asarray(size, float)
    size = size[[0, 0, 2]] if kind != "box" else size
    return Part(kind, np.zeros(3), size, taper=taper)


def is_inside(part, coord):
    if part.kind == "spheroid":
        return ((2 * coord / part.size) ** 2).sum(axis=1) <= 1
    return inside(part, coord)


def rays_to(part, rng, number):
    """A start outside and unit rays to points around the solid."""
    start = rng.standard_normal(3)
    start *= 1.5 * np.linalg.norm(part.size) / np.linalg.norm(start)
    ray = rng.uniform(-0.7, 0.7, (number, 3)) * part.size * [part.taper, part.taper, 1] - start
    return start, ray / np.linalg.norm(ray, axis=1, keepdims=True)


def march(part, start, ray):
    """First distance (N,) at which a ray is inside, inf where it never is."""
    t = np.arange(0, 3 * np.linalg.norm(part.size) * max(part.taper, 1.0), STEP)
    found = np.full(len(ray), np.inf)
    for i, direction in enumerate(ray):
        within = is_inside(part, start + t[:, None] * direction)
        if within.any():
            found[i] = t[within.argmax()]
    return found


@settings(max_examples=40, deadline=None)
@given(
    kind=st.sampled_from(KINDS),
    size=st.tuples(*[st.floats(0.1, 0.6)] * 3),
    taper=st.sampled_from((0.3, 0.8, 1.0, 1.6)),
    seed=st.integers(0, 999),
)
def test_a_hit_is_where_marching_gets_inside(kind, size, taper, seed):
    part = part_of(kind, size, taper if kind == "frustum" else 1.0)
    start, ray = rays_to(part, np.random.default_rng(seed), 40)
    distance, _ = hit(part, start, ray)
    expected = march(part, start, ray)
    both = np.isfinite(distance) & np.isfinite(expected)
    np.testing.assert_allclose(distance[both], expected[both], atol=1.5 * STEP)
    # rays that graze it may be inside for less than a step
    only = np.isfinite(distance) & ~np.isfinite(expected)
    assert not (np.isfinite(expected) & ~np.isfinite(distance)).any()
    assert not is_inside(part, start + (distance[only, None] + 3 * STEP) * ray[only]).any()


@pytest.mark.parametrize("kind, taper", [("box", 1.0), ("frustum", 0.5), ("frustum", 1.7), ("spheroid", 1.0)])
def test_the_cosine_is_that_of_the_surface(kind, taper):
    """Neighboring rays span the surface."""
    part, rng, step = part_of(kind, (0.4, 0.3, 0.5), taper), np.random.default_rng(0), 1e-5
    start, ray = rays_to(part, rng, 400)
    distance, cosine = hit(part, start, ray)
    at = []
    for _ in range(2):
        aside = np.cross(ray, rng.standard_normal(3))
        near = ray + step * aside / np.linalg.norm(aside, axis=1, keepdims=True)
        near /= np.linalg.norm(near, axis=1, keepdims=True)
        at.append(start + hit(part, start, near)[0][:, None] * near)
    met = np.isfinite(distance) & np.isfinite(at).all(axis=(0, 2)) & (cosine > 0.1)
    point = start + np.where(met, distance, 0)[:, None] * ray
    at, point = [other[met] for other in at], point[met]
    normal = np.cross(at[0] - point, at[1] - point)
    expected = np.abs((normal * ray[met]).sum(axis=1)) / np.linalg.norm(normal, axis=1)
    smooth = np.abs(at[0] - point).max(axis=1) < 100 * step  # both on one face
    assert smooth.sum() > 100
    assert np.mean(np.abs(expected - cosine[met])[smooth] < 1e-3) > 0.97  # some neighbors are around an edge


def test_a_cup_is_open_at_the_top():
    cup = part_of("cup", (0.2, 0.2, 0.3))
    down = np.array([[0.0, 0.0, -1.0]])
    assert hit(cup, np.array([0.0, 0.0, 1.0]), down)[0] == pytest.approx(1.15)
    assert hit(cup._replace(kind="frustum"), np.array([0.0, 0.0, 1.0]), down)[0] == pytest.approx(0.85)
    # over the near rim, to the inside of the far wall
    aside = np.array([[0.8, 0.0, -0.6]])
    start = np.array([-0.45, 0.0, 0.45])
    assert (start + hit(cup, start, aside)[0] * aside)[0, 0] == pytest.approx(0.1)
    assert hit(cup._replace(kind="frustum"), start, aside)[0] < hit(cup, start, aside)[0]


def test_a_plane_and_what_is_behind():
    plane = Part("plane", np.zeros(3), np.zeros(3))
    ray = np.array([[0.0, 0.6, -0.8], [0.0, 0.6, 0.8], [1.0, 0.0, 0.0]])
    distance, cosine = hit(plane, np.array([0.0, 0.0, 2.0]), ray)
    assert distance[0] == pytest.approx(2.5) and cosine[0] == pytest.approx(0.8)
    assert not (distance[1:] > 0).any() or np.isinf(distance[2])
    box = part_of("box", (1, 1, 1))
    assert not 0 < hit(box, np.array([2.0, 0.0, 0.0]), np.array([[1.0, 0.0, 0.0]]))[0][0] < np.inf
