"""Submissions to the servers of the benchmarks."""

from pointins_ext.submission.formats import BENCHMARKS
from pointins_ext.submission.write import write_submission

__all__ = ["BENCHMARKS", "write_submission"]
