"""Furniture of the synthetic rooms: every class has three shape variants with random proportions.

A variant takes a random generator and gives the list of `Part`s in the object's own frame: standing on z = 0, centered
on the z axis, front towards +y (the back of a chair, cabinet or sofa lies at -y). Lengths are meters.
"""

import numpy as np

from pointins_ext.datasets.synthetic.room_shapes import box, frustum, sphere


def legs(length, width, height, thick=0.045):
    """Four square legs under the corners of a plate."""
    x, y = (length - thick) / 2, (width - thick) / 2
    return [box((sx * x, sy * y, height / 2), (thick, thick, height)) for sx in (-1, 1) for sy in (-1, 1)]


def plate(length, width, top, thick):
    """Horizontal board whose upper face is at height `top`."""
    return box((0, 0, top - thick / 2), (length, width, thick))


def chair_legged(rng):
    width, depth, seat = rng.uniform(0.40, 0.50), rng.uniform(0.40, 0.48), rng.uniform(0.42, 0.48)
    back = rng.uniform(0.38, 0.52)
    return [
        plate(width, depth, seat, 0.05),
        *legs(width, depth, seat - 0.05),
        box((0, -depth / 2 + 0.025, seat + back / 2), (width, 0.05, back)),
    ]


def chair_arm(rng):
    width, depth, seat = rng.uniform(0.60, 0.72), rng.uniform(0.56, 0.68), rng.uniform(0.36, 0.44)
    arm, back = rng.uniform(0.18, 0.24), rng.uniform(0.36, 0.50)
    sides = [box((s * (width / 2 - 0.05), 0, (seat + arm) / 2), (0.10, depth, seat + arm)) for s in (-1, 1)]
    return [
        box((0, 0, seat / 2 + 0.03), (width - 0.2, depth, seat - 0.06)),
        box((0, -depth / 2 + 0.07, seat + back / 2), (width - 0.2, 0.14, back)),
        *sides,
    ]


def chair_office(rng):
    size, seat, back = rng.uniform(0.44, 0.52), rng.uniform(0.44, 0.52), rng.uniform(0.40, 0.55)
    spokes = [box((0, 0, 0.03), (size * 1.1, 0.06, 0.06), yaw=k * np.pi / 3) for k in range(3)]
    return [
        *spokes,
        frustum((0, 0, seat / 2), 0.07, seat - 0.12),
        frustum((0, 0, seat - 0.03), size, 0.06),
        box((0, -size / 2 + 0.03, seat + back / 2 - 0.05), (size * 0.8, 0.05, back + 0.1)),
    ]


def table_legged(rng):
    length, width, top = rng.uniform(0.8, 1.2), rng.uniform(0.6, 0.8), rng.uniform(0.68, 0.76)
    return [plate(length, width, top, 0.04), *legs(length - 0.06, width - 0.06, top - 0.04, 0.06)]


def table_round(rng):
    diameter, top = rng.uniform(0.7, 1.0), rng.uniform(0.62, 0.76)
    return [
        frustum((0, 0, top - 0.02), diameter, 0.04),
        frustum((0, 0, (top - 0.04 + 0.03) / 2), 0.10, top - 0.07),
        frustum((0, 0, 0.015), diameter * 0.55, 0.03),
    ]


def table_desk(rng):
    length, width, top = rng.uniform(0.9, 1.3), rng.uniform(0.55, 0.70), rng.uniform(0.70, 0.76)
    drawers = rng.uniform(0.32, 0.40)
    side = (length - drawers) / 2
    return [
        plate(length, width, top, 0.035),
        box((-side, 0, (top - 0.035) / 2), (drawers, width - 0.06, top - 0.035)),
        box((length / 2 - 0.025, 0, (top - 0.035) / 2), (0.04, width - 0.06, top - 0.035)),
    ]


def cabinet_doors(rng):
    length, width, height = rng.uniform(0.6, 0.9), rng.uniform(0.36, 0.5), rng.uniform(0.75, 1.25)
    door = (length / 2 - 0.03, 0.025, height - 0.12)
    doors = [box((s * length / 4, width / 2 + 0.0125, height / 2 + 0.02), door) for s in (-1, 1)]
    return [box((0, 0, height / 2), (length, width, height)), *doors]


def cabinet_shelf(rng):
    length, width, height = rng.uniform(0.6, 0.9), rng.uniform(0.28, 0.36), rng.uniform(0.95, 1.35)
    levels = np.linspace(0.04, height - 0.015, rng.integers(4, 6))
    boards = [box((0, 0.01, z), (length - 0.06, width - 0.02, 0.03)) for z in levels]
    sides = [box((s * (length / 2 - 0.015), 0, height / 2), (0.03, width, height)) for s in (-1, 1)]
    return [box((0, -width / 2 + 0.01, height / 2), (length - 0.06, 0.02, height)), *sides, *boards]


def cabinet_sideboard(rng):
    length, width, foot = rng.uniform(0.8, 1.2), rng.uniform(0.36, 0.46), rng.uniform(0.10, 0.18)
    body = rng.uniform(0.40, 0.55)
    return [box((0, 0, foot + body / 2), (length, width, body)), *legs(length - 0.1, width - 0.08, foot)]


def sofa_block(rng):
    length, width, seat = rng.uniform(1.2, 1.6), rng.uniform(0.70, 0.82), rng.uniform(0.36, 0.44)
    back, arm = rng.uniform(0.32, 0.42), rng.uniform(0.16, 0.24)
    inner = length - 0.32
    cushions = [box((s * inner / 4, 0.09, seat - 0.06), (inner / 2 - 0.02, width - 0.18, 0.12)) for s in (-1, 1)]
    sides = [box((s * (length / 2 - 0.08), 0, (seat + arm) / 2), (0.16, width, seat + arm)) for s in (-1, 1)]
    return [
        box((0, 0.0, (seat - 0.12) / 2), (inner, width, seat - 0.12)),
        box((0, -width / 2 + 0.09, (seat + back) / 2), (inner, 0.18, seat + back)),
        *sides,
        *cushions,
    ]


def sofa_corner(rng):
    length, width, seat = rng.uniform(1.3, 1.6), rng.uniform(0.62, 0.70), rng.uniform(0.36, 0.44)
    chaise, back = rng.uniform(0.35, 0.5), rng.uniform(0.30, 0.40)
    side, y = rng.choice((-1, 1)), -chaise / 2
    return [
        box((0, y, seat / 2), (length, width, seat)),
        box((0, y - width / 2 + 0.08, seat + back / 2), (length, 0.16, back)),
        box((side * (length / 2 - width / 2), y + width / 2 + chaise / 2, seat / 2), (width, chaise, seat)),
    ]


def sofa_bench(rng):
    length, width, seat = rng.uniform(1.1, 1.5), rng.uniform(0.60, 0.72), rng.uniform(0.40, 0.48)
    roll = rng.uniform(0.18, 0.24)
    x, y = (length - roll) / 2, (roll - width) / 2
    ends = [frustum((s * x, y, seat + 0.14), roll, 0.28) for s in (-1, 1)]
    return [
        plate(length, width, seat, 0.20),
        *legs(length - 0.1, width - 0.1, seat - 0.20, 0.06),
        box((0, -width / 2 + 0.06, seat + 0.17), (length - 2 * roll, 0.12, 0.34)),
        *ends,
    ]


def lamp_cone(rng):
    height, shade = rng.uniform(1.1, 1.5), rng.uniform(0.36, 0.48)
    return [
        frustum((0, 0, 0.0125), rng.uniform(0.26, 0.34), 0.025),
        frustum((0, 0, height / 2), 0.035, height - 0.05),
        frustum((0, 0, height - 0.13), shade, 0.28, rng.uniform(0.45, 0.7)),
    ]


def lamp_globe(rng):
    height, globe = rng.uniform(0.9, 1.4), rng.uniform(0.28, 0.38)
    return [
        frustum((0, 0, 0.04), rng.uniform(0.26, 0.32), 0.08, 0.3),
        frustum((0, 0, (height - globe / 2) / 2), 0.04, height - globe),
        sphere((0, 0, height - globe / 2), globe),
    ]


def lamp_table(rng):
    height, shade = rng.uniform(0.45, 0.60), rng.uniform(0.28, 0.36)
    return [
        frustum((0, 0, 0.015), shade * 0.6, 0.03),
        sphere((0, 0, height * 0.3), height * 0.36),
        frustum((0, 0, height * 0.5), 0.03, height * 0.3),
        frustum((0, 0, height - 0.11), shade, 0.22, rng.uniform(0.6, 0.85)),
    ]


def bin_round(rng):
    height, diameter = rng.uniform(0.32, 0.55), rng.uniform(0.26, 0.34)
    return [frustum((0, 0, height / 2), diameter, height)]


def bin_bucket(rng):
    height, diameter = rng.uniform(0.28, 0.42), rng.uniform(0.22, 0.28)
    rim = diameter * 1.36
    return [
        frustum((0, 0, height / 2), diameter, height, 1.3),
        frustum((0, 0, height), rim, 0.03),
    ]


def bin_lid(rng):
    length, width, height = rng.uniform(0.28, 0.40), rng.uniform(0.24, 0.32), rng.uniform(0.36, 0.62)
    return [
        box((0, 0, (height - 0.06) / 2), (length, width, height - 0.06)),
        box((0, 0, height - 0.04), (length + 0.03, width + 0.03, 0.05)),
        box((0, width / 2 + 0.03, 0.03), (0.12, 0.06, 0.03)),
    ]


VARIANTS = {
    "chair": (chair_legged, chair_arm, chair_office),
    "table": (table_legged, table_round, table_desk),
    "cabinet": (cabinet_doors, cabinet_shelf, cabinet_sideboard),
    "sofa": (sofa_block, sofa_corner, sofa_bench),
    "lamp": (lamp_cone, lamp_globe, lamp_table),
    "bin": (bin_round, bin_bucket, bin_lid),
}
MOST_PER_ROOM = {"chair": 3, "table": 2, "cabinet": 2, "sofa": 1, "lamp": 2, "bin": 3}
# Pieces small enough to stand on top of another one, and pieces with a flat top at a height where things are put.
STACKABLE = (lamp_table, bin_round, bin_bucket)
SUPPORTS = (table_legged, table_round, table_desk, cabinet_doors, cabinet_sideboard)
WALL_PIECES = (*VARIANTS["cabinet"], *VARIANTS["sofa"], table_desk)
