"""The tests run on the embedded host, also where Pointcept is at hand."""

import os

os.environ.setdefault("POINTINS_HOST", "embedded")
