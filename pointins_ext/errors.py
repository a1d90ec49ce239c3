"""What a user can repair ends in one line; checks that more than one room makes."""

import copy
import errno
import logging
import os
import sys
import traceback
import warnings
from collections import Counter


class UserError(ValueError):
    """Something that a user can repair, said in one line: what was found where, what was expected, and the fix."""


class UserKeyError(UserError, KeyError):
    """A UserError about a key that is missing or unknown."""

    __str__ = UserError.__str__  # a KeyError would quote its message


# a ValueError or KeyError of any other kind is a bug, of ours or of a library, and keeps its traceback
USER_ERRORS = (UserError, FileNotFoundError, ImportError, FloatingPointError)
# of other errors of the system: places that cannot be written to, and disks that are full
USER_ERRNO = {getattr(errno, name) for name in "EACCES EPERM EROFS ENOTDIR EISDIR EEXIST ENOSPC EDQUOT EFBIG".split()}


GPU_FULL = (
    "the GPU is out of memory; lower batch_size, then max_size of the view generator, or, downstream, point_max of "
    "SphereCrop (`pointins doctor --config NAME` estimates what they need); for one scan, take a larger grid_size"
)

MAX_NOTICES = 20  # of one kind in one process: a folder of 10,000 scans has 10,000 times the same to say
_notices = Counter()


class ScanWarning(UserWarning):
    """What was guessed about a scan, or left out of it."""


def notice(kind, text):
    """Warn with `text`, a line that names the scan; the first 20 of a `kind` in a process, then no more."""
    _notices[kind] += 1
    if _notices[kind] <= MAX_NOTICES:
        last = f" (no more is said about {kind})" if _notices[kind] == MAX_NOTICES else ""
        warnings.warn(text + last, ScanWarning, stacklevel=2)


def one_line_warnings():
    """From here on a ScanWarning is one line on stderr, without the place in our code that gives it."""
    show = warnings.showwarning

    def showwarning(message, category, *place, **more):
        if issubclass(category, ScanWarning):
            print(f"warning: {message}", file=sys.stderr, flush=True)
        else:
            show(message, category, *place, **more)

    warnings.showwarning = showwarning


def exit_on_user_error(function, *args):
    """Call; what a user can repair ends in one line and exit code 2 (POINTINS_DEBUG=1: with its traceback)."""
    # here: the doctor runs also where there is no torch
    from torch.cuda import OutOfMemoryError
    from torch.multiprocessing import ProcessExitedException

    one_line_warnings()
    try:
        function(*args)
        return
    except ProcessExitedException as error:
        sys.exit(error.exit_code)
    except (*USER_ERRORS, OSError, OutOfMemoryError) as error:
        if isinstance(error, OSError) and not isinstance(error, USER_ERRORS) and error.errno not in USER_ERRNO:
            raise
        if os.environ.get("POINTINS_DEBUG") == "1":
            traceback.print_exc()
        line = GPU_FULL if isinstance(error, OutOfMemoryError) else one_line(error)
    # only now, because the error holds the frames of progress bars, which write a last line when they go
    logging.shutdown()
    print(f"error: {line}", file=sys.stderr, flush=True)
    sys.exit(2)


def one_line(error):
    """Message of an error; from a data worker, whose message is a traceback, what its last line says of the cause."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    if lines[0].startswith("Caught "):
        kind, _, cause = lines[-1].partition(": ")
        return cause or kind
    return " ".join(lines)


def require_objects(scene: dict) -> None:
    """ValueError if a scene has no `instance` labels, or only -1."""
    if scene.get("instance") is None or scene["instance"].max() < 0:
        raise UserError(f"{scene['name']}: no instance labels; expected instance.npy with at least one object")


def require_scenes(dataset, warn=None):
    """`dataset`, unchanged. ValueError that names it, or the part or the split of it, that holds no scene.

    `warn`: what says so instead where other parts or splits hold scenes, such as `logger.warning`.
    """
    for line in _empty_parts(dataset):
        if warn is None or len(dataset) == 0:
            raise UserError(line)
        warn(f"{line}. Training goes on without it")
    return dataset


def _empty_parts(dataset):
    """A line for the dataset without scenes, or for each part or split of it that has none."""
    for part in getattr(dataset, "datasets", ()):
        yield from _empty_parts(part)
    if len(dataset) == 0:
        yield _no_scene(dataset)
    for part in _splits(dataset):
        if len(part.get_data_list()) == 0:
            yield _no_scene(part)


def _splits(dataset):
    """The dataset as if each of its several splits were its only one; those that know their files by path."""
    splits, files = getattr(dataset, "split", None), getattr(dataset, "data_list", None)
    if isinstance(splits, (list, tuple)) and len(splits) > 1 and files and isinstance(files[0], str):
        for split in splits:
            part = copy.copy(dataset)
            part.split = [split]
            yield part


def _no_scene(dataset):
    place = ", ".join(f"{key}={getattr(dataset, key)!r}" for key in ("data_root", "split") if hasattr(dataset, key))
    return (
        f"the dataset {type(dataset).__name__}{f' with {place}' if place else ''} holds no scene; preprocess or "
        "link the data to data_root, or correct data_root and split"
    )


def distinct_names(dataset):
    """Name of every scene of a dataset, in order. ValueError where two would have the same file, `file_name`."""
    places = getattr(dataset, "data_list", None)
    number = len(dataset) // getattr(dataset, "loop", 1) if places is None else len(places)
    names = [dataset.get_data_name(i) for i in range(number)]
    first = {}
    for i, name in enumerate(names):
        other = first.setdefault(file_name(name), i)
        if other != i:
            both = " and ".join(str(places[j]) if places else f"scene {j}" for j in (other, i))
            raise UserError(
                f"two scenes of {type(dataset).__name__} have the name {name!r}, and would overwrite each other: "
                f"{both}; rename one, or take one split at a time"
            )
    return names


def file_name(name):
    """A scene's name as that of a file."""
    return name.replace(os.sep, "_")
