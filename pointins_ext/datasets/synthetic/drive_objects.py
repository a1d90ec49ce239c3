"""What stands in a street: every class has a few shape variants with random proportions.

A variant takes a random generator and gives the list of `Part`s in the object's own frame: standing on z = 0, centered
on the z axis, front towards +x. Lengths are meters.
"""

from pointins_ext.datasets.synthetic.room_shapes import box, frustum, spheroid


def cylinder(diameter, bottom, top, x=0.0, y=0.0):
    """Upright cylinder between two heights."""
    return frustum((x, y, (bottom + top) / 2), diameter, top - bottom)


def block(length, width, bottom, top, x=0.0, y=0.0):
    """Box between two heights."""
    return box((x, y, (bottom + top) / 2), (length, width, top - bottom))


def wheels(axles, width, diameter, thick):
    """The lower halves of two wheels an axle."""
    return [block(diameter, thick, 0, diameter / 2, x, s * (width - thick) / 2) for x in axles for s in (-1, 1)]


def _car(rng, length, height, cabin, setback, belt):
    """cabin, setback: its length and the shift of its middle to the back, as shares of the car; belt: its foot."""
    length, width, height = rng.uniform(*length), rng.uniform(1.70, 1.90), rng.uniform(*height)
    return [
        block(length, width, 0.22, belt * height),
        block(length * cabin, width - 0.16, belt * height, height, -setback * length),
        *wheels((-0.31 * length, 0.31 * length), width, 0.62, 0.2),
    ]


def car_sedan(rng):
    return _car(rng, (4.3, 4.9), (1.40, 1.52), 0.48, 0.07, 0.62)


def car_hatchback(rng):
    return _car(rng, (3.6, 4.2), (1.42, 1.60), 0.66, 0.15, 0.60)


def car_van(rng):
    return _car(rng, (4.4, 5.2), (1.75, 2.10), 0.76, 0.11, 0.54)


def _truck(rng, cargo, bottom, top):
    cab, width, cargo = rng.uniform(1.9, 2.3), rng.uniform(2.3, 2.5), rng.uniform(*cargo)
    length = cab + 0.3 + cargo
    back = (cargo - length) / 2
    return [
        block(cab, width - 0.1, 0.45, rng.uniform(2.4, 2.9), (length - cab) / 2),
        block(cargo, width, bottom, rng.uniform(*top), back),
        block(length - 0.4, 0.9, 0.5, min(bottom, 1.0)),
        *wheels((length / 2 - 1.2, back - 0.3 * cargo), width, 0.96, 0.3),
    ]


def truck_box(rng):
    return _truck(rng, (3.8, 5.5), 1.0, (2.9, 3.5))


def truck_long(rng):
    return _truck(rng, (7.0, 9.5), 1.1, (3.4, 3.9))


def truck_flatbed(rng):
    return _truck(rng, (4.0, 6.0), 0.95, (1.3, 1.9))


def _figure(tall, girth, bottom=0.0, x=0.0):
    """Torso and head that end at height `tall`."""
    return [cylinder(girth, bottom, tall - 0.24, x), spheroid((x, 0, tall - 0.13), 0.22, 0.26)]


def person_standing(rng):
    return _figure(rng.uniform(1.6, 1.9), rng.uniform(0.38, 0.5))


def person_walking(rng):
    tall, stride = rng.uniform(1.6, 1.9), rng.uniform(0.12, 0.24)
    legs = [cylinder(0.17, 0, tall * 0.5, s * stride, s * 0.09) for s in (-1, 1)]
    return [*legs, *_figure(tall, rng.uniform(0.36, 0.46), tall * 0.48)]


def person_child(rng):
    return _figure(rng.uniform(1.0, 1.4), rng.uniform(0.28, 0.36))


def bicycle(rng):
    base, wheel = rng.uniform(0.98, 1.1), rng.uniform(0.62, 0.72)
    return [
        *(block(wheel, 0.05, 0, wheel, s * base / 2) for s in (-1, 1)),
        block(base * 0.7, 0.08, 0.45, 0.85),
        block(0.08, rng.uniform(0.45, 0.6), 0.95, 1.05, base * 0.42),
    ]


def motorcycle(rng):
    base = rng.uniform(1.25, 1.45)
    return [
        *(block(0.6, 0.13, 0, 0.6, s * base / 2) for s in (-1, 1)),
        block(base * 0.8, rng.uniform(0.28, 0.4), 0.3, 0.85, -0.05),
        block(0.1, rng.uniform(0.65, 0.8), 0.95, 1.1, base * 0.36),
    ]


def cyclist(rng):
    return [*bicycle(rng), *_figure(rng.uniform(1.6, 1.8), 0.38, 0.75, -0.1)]


def motorcyclist(rng):
    return [*motorcycle(rng), *_figure(rng.uniform(1.5, 1.7), 0.46, 0.75, -0.15)]


def pole_lamp(rng):
    tall = rng.uniform(5.0, 8.0)
    return [cylinder(rng.uniform(0.14, 0.26), 0, tall), block(0.3, 0.5, tall - 0.15, tall)]


def pole_sign(rng):
    tall, side = rng.uniform(2.4, 3.2), rng.uniform(0.5, 0.8)
    return [cylinder(0.09, 0, tall), block(0.04, side, tall - side, tall)]


def pole_bollard(rng):
    return [cylinder(rng.uniform(0.12, 0.24), 0, rng.uniform(0.8, 1.1))]


def tree(rng):
    fork, wide = rng.uniform(2.3, 3.2), rng.uniform(1.8, 3.2)
    crown = []
    for _ in range(rng.integers(2, 5)):
        x, y = rng.uniform(-0.3, 0.3, 2) * wide
        tall = wide * rng.uniform(0.8, 1.3)
        crown.append(spheroid((x, y, fork + rng.uniform(0.3, 0.7) * tall), wide * rng.uniform(0.6, 0.9), tall))
    return [cylinder(rng.uniform(0.2, 0.45), 0, fork + 0.3 * wide), *crown]


def bush(rng):
    wide, tall = rng.uniform(0.8, 1.8), rng.uniform(0.7, 1.6)
    return [spheroid((0, 0, 0.4 * tall), wide, tall)]


def hedge(rng):
    return [block(rng.uniform(2.0, 7.0), rng.uniform(0.5, 0.8), 0, rng.uniform(0.8, 1.6))]


def hill(rng):
    """A rise of the lawn of at most 1 m: a slope of some 10 degrees."""
    return [spheroid((0, 0, 0), rng.uniform(9, 16), 2 * rng.uniform(0.3, 1.0))]


def building(rng):
    length, depth, tall = rng.uniform(7, 20), rng.uniform(7, 12), rng.uniform(4, 15)
    bay = block(
        length * rng.uniform(0.2, 0.4), depth, 0, tall * rng.uniform(0.4, 0.9), length * rng.uniform(-0.25, 0.25)
    )
    # The bay stands before the front, which looks to -y at the street.
    return [block(length, depth, 0, tall), bay._replace(center=bay.center - (0, rng.uniform(0.4, 1.2), 0))]


VARIANTS = dict(
    car=(car_sedan, car_hatchback, car_van),
    truck=(truck_box, truck_long, truck_flatbed),
    person=(person_standing, person_walking, person_child),
    rider=(cyclist, motorcyclist),
    parked_cycle=(bicycle, bicycle, motorcycle),
    pole=(pole_lamp, pole_sign, pole_bollard),
    tree=(tree,),
    shrub=(bush, hedge),
    hill=(hill,),
    building=(building,),
)
