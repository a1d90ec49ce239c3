"""Pictures of point-cloud instances without a display, the 3D viewer, and the HTML report of a run."""

from .figure import instances_figure, panel
from .render import Camera, instance_colors, match_colors, render_points
from .report import write_report
from .viewer import write_viewer

__all__ = [
    "Camera",
    "instance_colors",
    "instances_figure",
    "match_colors",
    "panel",
    "render_points",
    "write_report",
    "write_viewer",
]
