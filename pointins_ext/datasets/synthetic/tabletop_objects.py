"""What stands on a synthetic table: household things built of simple solids, with random proportions.

A variant takes a random generator and gives the list of `Part`s in the object's own frame: standing on z = 0, centered
on the z axis. Lengths are meters.
"""

from pointins_ext.datasets.synthetic.room_shapes import box, frustum, spheroid


def cup(diameter, height, taper=1.0, bottom=0.0):
    """Hollow frustum without its top, standing at the height `bottom`; diameter: of its foot."""
    return frustum((0, 0, bottom + height / 2), diameter, height, taper)._replace(kind="cup")


def _upright(size):
    return [box((0, 0, size[2] / 2), size)]


def carton(rng):
    return _upright(rng.uniform((0.05, 0.04, 0.06), (0.20, 0.12, 0.28)))


def cube(rng):
    return _upright(rng.uniform(0.04, 0.14, 3))


def book(rng):
    return _upright(rng.uniform((0.14, 0.10, 0.012), (0.28, 0.21, 0.05)))


def tray(rng):
    length, width = rng.uniform(0.18, 0.32, 2)
    height, wall = rng.uniform(0.02, 0.08), 0.006
    rims = [box((s * (length - wall) / 2, 0, height / 2), (wall, width, height)) for s in (-1, 1)]
    rims += [box((0, s * (width - wall) / 2, height / 2), (length, wall, height)) for s in (-1, 1)]
    return [box((0, 0, 0.004), (length, width, 0.008)), *rims]


def can(rng):
    diameter, height = rng.uniform(0.05, 0.11), rng.uniform(0.05, 0.18)
    return [frustum((0, 0, height / 2), diameter, height)]


def bottle(rng):
    diameter, body = rng.uniform(0.055, 0.10), rng.uniform(0.10, 0.20)
    shoulder, neck = rng.uniform(0.02, 0.07), rng.uniform(0.02, 0.06)
    slim = rng.uniform(0.3, 0.5)
    return [
        frustum((0, 0, body / 2), diameter, body),
        frustum((0, 0, body + shoulder / 2), diameter, shoulder, slim),
        frustum((0, 0, body + shoulder + neck / 2), diameter * slim, neck),
    ]


def mug(rng):
    diameter, height = rng.uniform(0.07, 0.10), rng.uniform(0.07, 0.12)
    reach, thick = rng.uniform(0.02, 0.035), 0.012
    bars = [box((diameter / 2 + reach / 2, 0, height * level), (reach, thick, thick)) for level in (0.25, 0.75)]
    grip = box((diameter / 2 + reach, 0, height / 2), (thick, thick, height / 2 + thick))
    return [cup(diameter, height, rng.uniform(0.95, 1.15)), *bars, grip]


def glass(rng):
    return [cup(rng.uniform(0.05, 0.08), rng.uniform(0.08, 0.16), rng.uniform(1.0, 1.3))]


def bowl(rng):
    foot = rng.uniform(0.05, 0.10)
    return [cup(foot, rng.uniform(0.04, 0.09), rng.uniform(1.5, 2.4))]


def plate(rng):
    return [cup(rng.uniform(0.10, 0.16), rng.uniform(0.012, 0.03), rng.uniform(1.3, 1.7))]


def pan(rng):
    diameter, height, length = rng.uniform(0.14, 0.24), rng.uniform(0.04, 0.10), rng.uniform(0.12, 0.2)
    handle = box((diameter / 2 + length / 2, 0, height * 0.8), (length, 0.025, 0.015))
    return [cup(diameter, height, rng.uniform(1.0, 1.1)), handle]


def ball(rng):
    diameter = rng.uniform(0.05, 0.20)
    return [spheroid((0, 0, diameter / 2), diameter, diameter)]


def fruit(rng):
    diameter = rng.uniform(0.05, 0.10)
    height = diameter * rng.uniform(0.7, 1.5)
    return [spheroid((0, 0, height / 2), diameter, height)]


def bag(rng):
    """A heap of flat ellipsoids: a soft thing without an edge."""
    number, spread = rng.integers(3, 6), rng.uniform(0.02, 0.05)
    parts = []
    for x, y in rng.normal(0.0, spread, (number, 2)):
        diameter, height = rng.uniform(0.09, 0.17), rng.uniform(0.04, 0.10)
        parts.append(spheroid((x, y, height * rng.uniform(0.35, 0.5)), diameter, height))
    return parts


def figure(rng):
    """Body, head and base of a toy or an ornament."""
    width, body = rng.uniform(0.05, 0.09), rng.uniform(0.07, 0.16)
    head = width * rng.uniform(0.6, 1.0)
    return [
        frustum((0, 0, 0.006), width * 1.2, 0.012),
        frustum((0, 0, 0.012 + body / 2), width, body, rng.uniform(0.4, 0.8)),
        spheroid((0, 0, 0.012 + body + head * 0.4), head, head),
    ]


def spray(rng):
    """A dispenser: body and a nozzle that points forward."""
    size = rng.uniform((0.05, 0.04, 0.12), (0.09, 0.06, 0.20))
    neck = rng.uniform(0.02, 0.04)
    return [
        *_upright(size),
        frustum((0, 0, size[2] + neck / 2), 0.025, neck),
        box((0.02, 0, size[2] + neck + 0.01), (0.08, 0.025, 0.02)),
    ]


VARIANTS = (
    *(carton, carton, cube, cube, book, tray, can, can, bottle, mug, glass),
    *(bowl, bowl, plate, pan, ball, fruit, bag, bag, figure, spray),
)
LYING = (carton, book, can, bottle, figure, spray, glass)  # may lie on a side
LEANING = (carton, book, tray, plate)  # flat enough to lean against something
FLAT = (carton, cube, book, tray, can)  # things can be put on top
