"""The transforms of the embedded host, under the names, arguments and output keys that Pointcept gives them.

Importing this module fills TRANSFORMS. Random numbers come from the generator that Pointcept draws them from (numpy's,
python's or torch's global one), so that the same seeds give the same scene; the engine seeds all. Scene dicts hold
`coord` (N, 3) float32 meters, `color` (N, 3) 0..255, `normal` (N, 3) unit, `strength` (N, 1), `segment` and `instance`
(N,).
"""

from pointins_ext.embedded.registry import TRANSFORMS
from pointins_ext.embedded.transform_color import (
    ChromaticAutoContrast,
    ChromaticJitter,
    ChromaticTranslation,
    NormalizeColor,
    RandomColorGrayScale,
    RandomColorJitter,
    RandomDropColor,
    RandomDropNormal,
)
from pointins_ext.embedded.transform_geometry import (
    CenterShift,
    ElasticDistortion,
    NormalizeCoord,
    PointClip,
    PositiveShift,
    RandomFlip,
    RandomJitter,
    RandomRotate,
    RandomRotateTargetAngle,
    RandomScale,
    RandomShift,
)
from pointins_ext.embedded.transform_pipeline import Collect, Compose, Copy, ToTensor, Update
from pointins_ext.embedded.transform_sampling import (
    CropBoundary,
    GridSample,
    InstanceParser,
    RandomDropout,
    ShufflePoint,
    SphereCrop,
    index_operator,
)
from pointins_ext.embedded.transform_views import MultiViewGenerator

__all__ = [
    "TRANSFORMS",
    "CenterShift",
    "ChromaticAutoContrast",
    "ChromaticJitter",
    "ChromaticTranslation",
    "Collect",
    "Compose",
    "Copy",
    "CropBoundary",
    "ElasticDistortion",
    "GridSample",
    "InstanceParser",
    "MultiViewGenerator",
    "NormalizeColor",
    "NormalizeCoord",
    "PointClip",
    "PositiveShift",
    "RandomColorGrayScale",
    "RandomColorJitter",
    "RandomDropColor",
    "RandomDropNormal",
    "RandomDropout",
    "RandomFlip",
    "RandomJitter",
    "RandomRotate",
    "RandomRotateTargetAngle",
    "RandomScale",
    "RandomShift",
    "ShufflePoint",
    "SphereCrop",
    "ToTensor",
    "Update",
    "index_operator",
]
