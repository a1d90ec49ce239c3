"""Curves of a training run: read from TensorBoard's files, drawn as inline SVG."""

import os
from html import escape

import numpy as np

from pointins_ext.errors import UserError

CURVE_SIZE = (460, 220)
CURVE_PAD = (62, 14, 12, 34)  # left, right, top, bottom
SMOOTHING = 25  # a curve of more points than twice this also shows its running mean
LARGEST_CURVE = 800  # points drawn; longer curves are averaged in equal runs


def number_text(value):
    """Four significant digits; a dash for what is not finite."""
    return f"{value:.4g}" if np.isfinite(value) else "–"


def curve_svg(name, steps, values):
    """SVG element of values over steps, (S,) each; long curves faint under their running mean, gaps left out.

    Raises ValueError where steps and values differ in number.
    """
    steps, values = np.asarray(steps, float), np.asarray(values, float)
    if steps.shape != values.shape or steps.ndim != 1:
        raise UserError(f"curve {name!r} has {steps.shape} steps and {values.shape} values: expected two equal lists")
    finite = np.isfinite(steps) & np.isfinite(values)
    steps, values = _thinned(steps[finite], values[finite])
    width, height = CURVE_SIZE
    if len(steps) == 0:
        return _svg(name, ['<text x="20" y="30">no data</text>'])
    left, right, top, bottom = CURVE_PAD
    x = left + _unit(steps) * (width - left - right)
    y = height - bottom - _unit(values) * (height - top - bottom)
    smooth = len(y) > 2 * SMOOTHING
    lines = [_polyline(x, y, "raw faint" if smooth else "raw")]
    if smooth:
        kernel = np.ones(SMOOTHING) / SMOOTHING
        inner = slice(SMOOTHING // 2, len(x) - (SMOOTHING - 1) // 2)
        lines.append(_polyline(x[inner], np.convolve(y, kernel, mode="valid"), "raw"))
    floor, end = height - bottom, width - right
    labels = [
        f'<text x="{left - 6}" y="{floor}" text-anchor="end">{number_text(float(values.min()))}</text>',
        f'<text x="{left - 6}" y="{top + 9}" text-anchor="end">{number_text(float(values.max()))}</text>',
        f'<text x="{left}" y="{height - 14}">{number_text(float(steps.min()))}</text>',
        f'<text x="{end}" y="{height - 14}" text-anchor="end">step {number_text(float(steps.max()))}</text>',
        f'<path class="axis" fill="none" d="M{left} {top}V{floor}H{end}"/>',
    ]
    return _svg(name, labels + lines)


def _svg(name, elements):
    width, height = CURVE_SIZE
    return (
        f'<svg role="img" aria-label="{escape(name)}" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}">{"".join(elements)}</svg>'
    )


def _thinned(steps, values):
    if len(steps) <= LARGEST_CURVE:
        return steps, values
    runs = np.array_split(np.arange(len(steps)), LARGEST_CURVE)
    return tuple(np.array([array[run].mean() for run in runs]) for array in (steps, values))


def _unit(array):
    spread = array.max() - array.min()
    return (array - array.min()) / spread if spread > 0 else np.full(len(array), 0.5)


def _polyline(x, y, name):
    points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
    return f'<polyline class="{name}" points="{points}"/>'


def read_curves(folder) -> dict[str, tuple[list, list]]:
    """Scalars of the TensorBoard files in `folder`, resumed runs joined: name -> (steps, values)."""
    # here, because it takes a while and most that draw curves read none
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(os.fspath(folder), size_guidance=dict(scalars=0)).Reload()
    return {
        tag: ([e.step for e in events.Scalars(tag)], [e.value for e in events.Scalars(tag)])
        for tag in events.Tags()["scalars"]
    }
