"""Primitives and samples of their surfaces."""

import numpy as np
import pytest

from pointins_ext.datasets.synthetic import room_shapes


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
