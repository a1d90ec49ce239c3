"""Files that are whole or not there."""

import os
from contextlib import contextmanager

from pointins_ext.errors import UserError


@contextmanager
def whole_file(path, temporary=None):
    """A binary stream that becomes the file `path`, in a folder that is made, once everything is written.

    temporary: its name until then, by default one of this process alone. What a killed process leaves under a fixed
    name, the next one writes over. OSError that names the file.
    """
    path = os.path.abspath(path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    temporary = os.path.abspath(temporary or f"{path}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as stream:
            yield stream
        os.replace(temporary, path)
    except OSError as error:
        if error.errno is not None and error.filename is None:  # a full disk names none
            error.filename = path
        raise
    finally:
        if os.path.exists(temporary):
            os.remove(temporary)


def write_text(path, text):
    """`text` as the file `path`, whole or not at all; see `whole_file`."""
    with whole_file(path) as stream:
        stream.write(text.encode())


def require_output_file(path):
    """`path`, unchanged. ValueError where no file can be written: a folder, or below a file or a closed folder."""
    if os.path.isdir(path):
        raise UserError(f"{path} is a folder; name a file to write")
    require_output_folder(os.path.dirname(os.path.abspath(path)), path)
    return path


def require_output_folder(path, wanted=None):
    """`path`, unchanged. ValueError that names `wanted` where the folder is none, cannot be made or written to."""
    nearest = os.path.abspath(path)
    while not os.path.lexists(nearest):
        nearest = os.path.dirname(nearest)
    if not os.path.isdir(nearest):
        raise UserError(f"{wanted or path} cannot be written: {nearest} is a file, not a folder; name another place")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise UserError(f"{wanted or path} cannot be written: no permission to write to {nearest}; name another place")
    return path
