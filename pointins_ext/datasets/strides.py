"""Files of float32 numbers without a header (.bin): how many of them are a point."""

import numpy as np

from pointins_ext.errors import UserError, notice

WIDTHS = range(3, 13)
READABLE = range(3, 7)
BLOCK = 27720  # a multiple of every width: blocks of a file can be drawn without moving its columns
MAX_BLOCKS = 6
BINS = 16
SAME = 0.7  # of the most that any width tells; of six different columns, three tell up to 0.56
MIN_INFORMATION = 0.02  # nats above the noise that the right width has at least
MAX_COORDINATE = 1e7  # meters; a UTM northing is below
TINY = 1e-20  # what other content looks like as float32


def float_columns(numbers, source, stated):
    """x y z, and strength where there are 4 or more, of raw float32 `numbers` (K,).

    stated: numbers of a point that the kind of file has, 4 (KITTI) or 5 (nuScenes). The values decide: each column has
    a distribution of its own, and cut at a wrong width the columns mix. ValueError that names `source` for numbers that
    are no float32 coordinates or no whole rows, and where several widths fit equally well.
    """
    cure = (
        "a = np.fromfile(file, np.float32).reshape(-1, NUMBERS_OF_A_POINT); "
        "np.savez('scan.npz', coord=a[:, :3], strength=a[:, 3])"
    )
    sane = [width for width in WIDTHS if _has_coordinates(numbers, width)]
    if numbers.size and _is_float64(numbers, sane):
        raise UserError(
            f"{source}: holds float64 numbers, expected float32; np.fromfile(file).astype(np.float32).tofile(file)"
        )
    if numbers.size and not sane:
        raise UserError(f"{source}: no float32 coordinates, expected rows of x y z strength in meters; {cure}")
    width = _width(numbers, source, stated, cure)
    if numbers.size % width:
        raise UserError(
            f"{source}: cannot be read: {numbers.size} float32 numbers, expected a multiple of {width}; is the file "
            "complete? export it again"
        )
    if width not in READABLE:
        raise UserError(f"{source}: seems to have {width} numbers a point, expected 3 to 6; say what they are: {cure}")
    table = numbers.reshape(-1, width)
    columns = dict(coord=table[:, :3])
    if width > 3:
        columns["strength"] = _as_bytes(table[:, 3])
    if width != stated:
        rest = "; the others are left out" if width > 4 else ""
        keys = "x y z strength" if width > 3 else "x y z"
        notice(
            "columns",
            f"{source}: seems to have {width} numbers a point, not {stated}: taken for {keys}{rest}; if it is not so: "
            f"{cure}",
        )
    return columns


def _width(numbers, source, stated, cure):
    """Numbers of a point, `stated` where few points leave it open and no other number fits better."""
    sample = _sample(numbers)
    told = {width: _information(sample, width) for width in WIDTHS}
    best = max(told, key=lambda width: told[width][0])
    value, noise = told[best]
    if value > MIN_INFORMATION + noise:
        # cut at twice their width, the columns tell the same twice, or little more where points alternate
        return min(width for width in WIDTHS if told[width][0] > SAME * value)
    others = [width for width in READABLE if numbers.size % width == 0 and width != stated]
    if numbers.size % stated or not others:
        return stated
    widths = " or ".join(map(str, sorted([stated, *others])))
    if told[stated][0] < max(MIN_INFORMATION, *(told[width][0] for width in others)):
        raise UserError(f"{source}: {numbers.size} float32 numbers can be rows of {widths}; say which: {cure}")
    said = f"{numbers.size} float32 numbers can be rows of {widths}: taken for {stated}"
    notice("columns", f"{source}: {said}; if it is not so: {cure}")
    return stated


def _sample(numbers):
    """At most MAX_BLOCKS blocks from all over the file."""
    count = numbers.size // BLOCK
    if count <= MAX_BLOCKS:
        return numbers
    blocks = numbers[: count * BLOCK].reshape(count, BLOCK)
    return blocks[np.linspace(0, count - 1, MAX_BLOCKS).astype(int)].reshape(-1)


def _information(numbers, width):
    """Mutual information, nats, of a number's column and its value, bias removed; and the bias."""
    numbers = numbers[: numbers.size // width * width]
    there = np.isfinite(numbers)  # organized clouds have NaN in some order of their own
    column, numbers = (np.arange(numbers.size) % width)[there], numbers[there]
    if not numbers.size:
        return 0.0, 0.0
    edges = np.unique(np.quantile(numbers, np.linspace(0, 1, BINS + 1)[1:-1]))
    # a value that is an edge fills a bin of its own: constant columns are told by it
    place = np.searchsorted(edges, numbers)
    on_edge = edges[np.minimum(place, len(edges) - 1)] == numbers
    table = np.zeros((width, 2 * len(edges) + 2))
    np.add.at(table, (column, 2 * place + on_edge), 1)
    share = table / numbers.size
    expected = share.sum(axis=1, keepdims=True) * share.sum(axis=0, keepdims=True)
    full = share > 0
    bias = (width - 1) * (np.count_nonzero(share.sum(axis=0)) - 1) / (2 * numbers.size)
    return float((share[full] * np.log(share[full] / expected[full])).sum() - bias), bias


def _has_coordinates(numbers, width):
    """Whether the first three of `width` columns can be meters."""
    coord = numbers[: numbers.size // width * width].reshape(-1, width)[:, :3]
    possible = np.isnan(coord) | _is_length(coord)
    return possible.size > 0 and bool(possible.mean() > 0.99)


def _is_length(value):
    """Mask of the numbers that can be meters."""
    with np.errstate(invalid="ignore"):  # other content has NaN that numpy complains about
        return (value == 0) | ((np.abs(value) > TINY) & (np.abs(value) < MAX_COORDINATE))


def _is_float64(numbers, sane):
    """Half of the words of float64 numbers are low digits: noise as float32, or zero where the numbers are round."""
    wide = numbers[: numbers.size // 2 * 2].view(np.float64)
    possible = _is_length(wide)
    words = numbers.view(np.uint32)
    round_numbers = not words[::2].any() and words[1::2].any()
    return bool(possible.mean() > 0.99 and (not sane or round_numbers)) if wide.size else False


def _as_bytes(strength):
    """Whole numbers of 0..255, as nuScenes has them, as uint8, whose range needs no guess."""
    whole = strength.size and np.isfinite(strength).all() and (strength == np.rint(strength)).all()
    if whole and strength.min() >= 0 and 1 < strength.max() <= 255:
        return strength.astype(np.uint8)
    return strength
