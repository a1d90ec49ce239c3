"""LiDAR pattern augmentation: a sweep as a sensor with other beams would have seen it (PSA-SSL)."""

from dataclasses import dataclass

import numpy as np

from pointins_ext.errors import UserError
from pointins_ext.host import TRANSFORMS


@dataclass(frozen=True)
class BeamLayout:
    """Where the rays of a spinning sensor go."""

    elevations: np.ndarray  # (B,) degrees above the horizon, ascending
    resolution: float  # degrees between columns
    height: float  # meters above the ground

    @classmethod
    def evenly(cls, beams, fov, resolution, height):
        """`beams` rays spread evenly over `fov` = (lowest, highest) elevation in degrees."""
        if beams < 1 or fov[0] >= fov[1] or not resolution > 0:
            raise UserError(
                f"BeamAugmentation: a sensor has beams={beams}, fov={fov}, resolution={resolution}; expected at least "
                "one beam, fov=(lowest, highest) and a positive resolution, in degrees"
            )
        return cls(np.linspace(*fov, beams), resolution, height)


# From the makers' data sheets; heights are those of the data sets that drive with them (AV2, KITTI, nuScenes, Waymo),
# and the beams of Waymo's own sensor, which has no data sheet, are evenly spread over its stated field of view.
LAYOUTS = {
    "VLP-32C": BeamLayout(
        np.array(
            [-25, -15.639, -11.31, -8.843, -7.254, -6.148, -5.333, -4.667, -4, -3.667, -3.333, -3, -2.667, -2.333, -2]
            + [-1.667, -1.333, -1, -0.667, -0.333, 0, 0.333, 0.667, 1, 1.333, 1.667, 2.333, 3.333, 4.667, 7, 10.333, 15]
        ),
        resolution=0.2,
        height=1.65,
    ),
    "HDL-64E": BeamLayout(
        np.concatenate([np.linspace(-24.33, -8.83, 32), np.linspace(-8.33, 2, 32)]), resolution=0.17, height=1.73
    ),
    "HDL-32E": BeamLayout.evenly(32, (-30.67, 10.67), resolution=0.33, height=1.84),
    "Waymo-64": BeamLayout.evenly(64, (-17.6, 2.4), resolution=0.136, height=2.18),
}


@TRANSFORMS.register_module()
class BeamAugmentation:
    """Keeps of a sweep, with probability `p`, what another sensor's rays would have hit: points are picked, not made.

    `sensors`: names of LAYOUTS or dict(beams, fov, resolution, height), see `BeamLayout.evenly`; None = all LAYOUTS.
    `mode`: "single" draws one of them for the sweep; "polarmix" cuts the azimuth into random sectors, each with another
    layout or as it is. Every ray keeps the return nearest to it in angle, at most `tolerance` degrees above or below:
    half the beam spacing of the source, 0.25 for 64 beams. Every array with a row for each point follows.

    Angles are those of `origin_coord`, or of `coord` where that is missing, seen from `sensor_position` (3,), meters:
    leave it at zero for sweeps in the sensor's frame. With the source's `sensor_height` above the ground the rays start
    at the height of the target's instead. Where no ray would hit anything the sweep stays as it is.
    """

    def __init__(
        self,
        sensors=None,
        mode="single",
        p=0.5,
        tolerance=0.25,
        sensor_position=(0.0, 0.0, 0.0),
        sensor_height=None,
    ):
        if mode not in ("single", "polarmix"):
            raise UserError(f"BeamAugmentation: mode is {mode!r}, expected 'single' or 'polarmix'")
        self.layouts = [_layout(sensor) for sensor in (LAYOUTS if sensors is None else sensors)]
        if not self.layouts:
            raise UserError("BeamAugmentation: sensors is empty; expected names, dicts, or None for all known layouts")
        self.mode = mode
        self.p = p
        self.tolerance = tolerance
        self.sensor_position = np.asarray(sensor_position, np.float64)
        self.sensor_height = sensor_height

    def __call__(self, data_dict):
        if np.random.rand() >= self.p:
            return data_dict
        coord = data_dict["origin_coord" if "origin_coord" in data_dict else "coord"]
        coord = coord - self.sensor_position
        if self.mode == "single":
            index = self.returns(coord, self.layouts[np.random.randint(len(self.layouts))])
        else:
            index = self.mix(coord)
        if not len(index):
            return data_dict
        for key, value in data_dict.items():
            if isinstance(value, np.ndarray) and value.ndim and len(value) == len(coord):
                data_dict[key] = value[index]
        return data_dict

    def mix(self, coord):
        """Indices, ascending, of the returns of random sectors, no two of which have the same layout."""
        choices = [*self.layouts, None]  # None: as it is
        chosen = np.random.permutation(len(choices))[: np.random.randint(2, len(choices) + 1)]
        border = np.sort(np.random.uniform(-np.pi, np.pi, len(chosen)))
        sector = np.searchsorted(border, np.arctan2(coord[:, 1], coord[:, 0])) % len(chosen)
        kept = []
        for number, choice in enumerate(chosen):
            inside, layout = np.flatnonzero(sector == number), choices[choice]
            kept.append(inside if layout is None else inside[self.returns(coord[inside], layout)])
        return np.sort(np.concatenate(kept))

    def returns(self, coord, layout):
        """Indices, ascending, of the points of coord (N,3), seen from the source, that the rays of `layout` return."""
        shift = 0.0 if self.sensor_height is None else layout.height - self.sensor_height
        x, y, z = coord[:, 0], coord[:, 1], coord[:, 2] - shift
        elevation = np.degrees(np.arctan2(z, np.hypot(x, y)))
        column = np.degrees(np.arctan2(y, x)) / layout.resolution
        beam = np.searchsorted((layout.elevations[1:] + layout.elevations[:-1]) / 2, elevation)
        above = elevation - layout.elevations[beam]
        aside = (column - np.round(column)) * layout.resolution * np.cos(np.radians(elevation))
        num_columns = round(360 / layout.resolution)  # the last column is the first
        ray = beam * num_columns + np.round(column).astype(np.int64) % num_columns
        near = np.flatnonzero(np.abs(above) <= self.tolerance)
        order = near[np.lexsort((np.hypot(above, aside)[near], ray[near]))]
        first = np.diff(ray[order], prepend=-1) != 0
        return np.sort(order[first])


def _layout(sensor):
    if isinstance(sensor, str):
        if sensor not in LAYOUTS:
            raise UserError(
                f"BeamAugmentation: sensor '{sensor}' is unknown; expected one of {', '.join(LAYOUTS)}, or "
                "dict(beams=..., fov=(lowest, highest), resolution=..., height=...)"
            )
        return LAYOUTS[sensor]
    return BeamLayout.evenly(**sensor)
