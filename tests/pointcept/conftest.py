"""Tests on the real Pointcept; they need it bound, so tests/test_pointcept.py runs them in a process of their own."""

from pointins_ext import host

collect_ignore_glob = [] if host.NAME == "pointcept" else ["test_*.py"]
