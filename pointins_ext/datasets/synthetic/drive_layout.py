"""Where things stand in a simulated street: lanes, parked cars, sidewalks, crossings, buildings or parks.

The street runs along x, z = 0 is its surface, the sensor drives towards +x on the right side. Each half is laid out as
the left one, from the middle outwards, and the right one is turned by half a circle. Rows keep to bands of their own,
so that no two things overlap.
"""

from typing import NamedTuple

import numpy as np

from pointins_ext.datasets.synthetic.drive_objects import VARIANTS, block
from pointins_ext.datasets.synthetic.room_shapes import Part, bounds, moved

LANE = 3.3
EGO = 7.0  # meters before and behind the sensor without another vehicle in its lane
ZEBRA = 4.0  # meters on both sides of a crossing that vehicles leave free
CURB = 0.13
PARKING = dict(none=0.3, parallel=2.6, perpendicular=5.6)  # width of the strip
CLASSES = dict(
    car="car",
    truck="truck",
    person="person",
    rider="two-wheeler",
    parked_cycle="two-wheeler",
    pole="pole",
    tree="vegetation",
    shrub="vegetation",
    hill="terrain",
    building="building",
)


class Item(NamedTuple):
    """An object or a piece of ground: its class name and parts in the street's frame."""

    name: str
    parts: tuple

    def moved(self, yaw, shift):
        return self._replace(parts=tuple(moved(p, yaw, np.asarray(shift, float)) for p in self.parts))


def street(rng, reach):
    """The items of one street, `reach` meters before and behind the sensor, which is at (0, -LANE / 2)."""
    crossing = rng.choice((-1, 1)) * rng.uniform(14, 40) if rng.random() < 0.5 else None
    width = rng.uniform(4.0, 5.5)  # half of the crossing street
    items = [Item("road", (Part("plane", np.zeros(3), np.array([2 * reach, 2 * reach, 0.0])),))]
    curbs = []
    for side in (-1, 1):
        place = None if crossing is None else side * crossing
        half, curb = _half(rng, reach, _spans(reach, place, width), ego=side < 0)
        items += [item.moved(0.0 if side > 0 else np.pi, np.zeros(3)) for item in half]
        curbs.append(curb)
    if crossing is not None:
        items += _crossing(rng, reach, crossing, width, *curbs)
    return items


def row(rng, span, near, kinds, run, close, far, turn=0.0, height=0.0):
    """Items along x within span = (low, high): runs of one kind each.

    near: (low, high) of the y of their side next to the street. run: (fewest, most) items. close, far: (low, high) gaps
    within and between runs. turn: yaw.
    """
    items, start = [], span[0] + rng.uniform(0, far[1])
    while start < span[1]:
        kind = kinds[rng.integers(len(kinds))]
        for _ in range(rng.integers(run[0], run[1] + 1)):
            variant = VARIANTS[kind][rng.integers(len(VARIANTS[kind]))]
            item = Item(CLASSES[kind], tuple(variant(rng))).moved(turn, np.zeros(3))
            low, high = bounds(item.parts)
            if start + high[0] - low[0] > span[1]:
                return items
            items.append(item.moved(0.0, (start - low[0], rng.uniform(*near) - low[1], height)))
            start += high[0] - low[0] + rng.uniform(*close)
        start += rng.uniform(*far)
    return items


def _spans(reach, crossing, margin):
    """The parts of (-reach, reach) that the crossing, with `margin` meters on both sides, leaves."""
    if crossing is None:
        return [(-reach, reach)]
    return [(-reach, crossing - margin), (crossing + margin, reach)]


def _half(rng, reach, spans, ego):
    """Items of the left half and the y of its curb. spans: what the crossing leaves of x; ego: the sensor is here."""
    parking = rng.choice(list(PARKING), p=(0.35, 0.4, 0.25))
    curb = LANE + PARKING[parking]
    items = []
    for low, high in spans:
        inner = (low + ZEBRA * (low > -reach), high - ZEBRA * (high < reach))
        for span in [(inner[0], min(-EGO, inner[1])), (max(EGO, inner[0]), inner[1])] if ego else [inner]:
            items += row(rng, span, (0.4, 0.6), ("car", "car", "car", "truck", "rider"), (1, 2), (3, 8), (6, 30), np.pi)
        if parking == "parallel":
            kinds = ("car",) * 5 + ("truck",)
            items += row(rng, inner, (LANE, LANE + 0.1), kinds, (2, 6), (0.3, 1.0), (3, 15), np.pi)
        elif parking == "perpendicular":
            turn = rng.choice((-1, 1)) * np.pi / 2
            items += row(rng, inner, (LANE, LANE + 0.3), ("car",), (3, 8), (0.3, 1.0), (3, 15), turn)
        items += _block(rng, (low, high), curb, reach)
    return items, curb


def _block(rng, span, curb, reach):
    """Sidewalk, lawn and what stands on them between two streets."""
    walk, lawn = rng.uniform(3.7, 5.0), CURB + rng.uniform(0.01, 0.08)
    edge = curb + walk
    # The sidewalk goes around the corner of a crossing.
    inner = (span[0] + walk * (span[0] > -reach), span[1] - walk * (span[1] < reach))
    length, middle = span[1] - span[0], sum(span) / 2
    inner_length, inner_middle = inner[1] - inner[0], sum(inner) / 2
    ground = [
        Item("sidewalk", (block(length, reach, 0, CURB, middle, curb + reach / 2),)),
        Item("terrain", (block(inner_length, reach, 0, lawn, inner_middle, edge + reach / 2),)),
    ]
    items = row(rng, inner, (curb + 0.3, curb + 0.5), ("pole",), (1, 1), (0, 0), (8, 20), height=CURB)
    items += row(rng, inner, (curb + 1.0, edge - 2.7), ("person",), (1, 5), (0.05, 0.5), (4, 25), height=CURB)
    # in a rack, side by side
    cycles = dict(run=(1, 6), close=(0.1, 0.4), far=(10, 40), turn=np.pi / 2, height=CURB)
    items += row(rng, inner, (edge - 2.1, edge - 2.1), ("parked_cycle",), **cycles) if rng.random() < 0.7 else []
    if rng.random() < 0.3:  # a park
        items += row(rng, inner, (edge + 5, edge + 16), ("hill",), (1, 1), (0, 0), (0, 20), height=lawn)
        rows, front = rng.integers(2, 4), edge + 0.5
    else:
        setback = rng.uniform(1.0, 7.0)
        front = edge + setback
        items += row(rng, inner, (front, front + 0.5), ("building",), (1, 3), (0, 0), (1, 8), height=lawn)
        rows, front = (1 if setback > 4 else 0), edge + 0.2
    for number in range(rows):
        near = (front + 5 * number, front + 5 * number + 1)
        items += row(rng, inner, near, ("tree", "tree", "shrub"), (1, 3), (0.3, 2), (2, 12), height=lawn)
    return ground + items


def _crossing(rng, reach, place, width, right, left):
    """Vehicles in the crossing street, beyond the curbs, and people on the zebras."""
    items, kinds = [], ("car", "car", "truck", "rider")
    for side, curb in ((-1, right), (1, left)):
        lane = row(rng, (curb + 1, reach), (0.5, 0.8), kinds, (1, 2), (3, 8), (4, 30), np.pi)
        for item in lane:  # laid along +x, turned into the side street
            items.append(item.moved(side * np.pi / 2, (place, 0, 0)))
    for side in (-1, 1):
        if rng.random() < 0.6:
            zebra = row(rng, (-right, left), (-0.6, 0.0), ("person",), (1, 4), (0.05, 0.6), (2, 10))
            items += [item.moved(np.pi / 2, (place + side * (width + ZEBRA / 2), 0, 0)) for item in zebra]
    return items
