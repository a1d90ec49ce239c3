"""Terrestrial scans in .e57: all stations of a file as one scan, in the frame that its poses give."""

import numpy as np

FIELDS = {  # of the format, and their names here
    "cartesianX": "x",
    "cartesianY": "y",
    "cartesianZ": "z",
    "colorRed": "red",
    "colorGreen": "green",
    "colorBlue": "blue",
    "intensity": "intensity",
}


def read_e57(path):
    """Columns (N,) of all scans of a .e57 file, what only some of them have is 0 in the others: see `as_scene`.

    ImportError where pye57 is missing.
    """
    try:
        import pye57
    except ImportError as error:
        raise ImportError(f"{path}: reading .e57 needs pye57: pip install 'pointins_ext[e57]'") from error
    file = pye57.E57(str(path))
    try:
        scans = [
            file.read_scan(number, intensity=True, colors=True, ignore_missing_fields=True)
            for number in range(file.scan_count)
        ]
    finally:
        file.close()
    return _joined([{FIELDS[name]: value for name, value in scan.items() if name in FIELDS} for scan in scans])


def _joined(scans):
    names = {name: None for scan in scans for name in scan}
    number = [len(scan["x"]) for scan in scans]
    return {
        name: np.concatenate([scan.get(name, np.zeros(n)) for scan, n in zip(scans, number, strict=True)])
        for name in names
    }
