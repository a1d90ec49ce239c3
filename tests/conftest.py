"""The tests run on the embedded host, also where Pointcept is at hand; comparisons with it are marked by their files."""

import os

os.environ.setdefault("POINTINS_HOST", "embedded")
