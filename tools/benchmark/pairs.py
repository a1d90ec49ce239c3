"""What a case of the benchmark is: A and B, which do the same, and the ratio of their times that was promised."""

from collections.abc import Callable
from dataclasses import dataclass


class Skip(Exception):
    """What a case needs is missing."""


@dataclass(frozen=True)
class Pair:
    a: Callable
    b: Callable
    points: int  # that a call of `a` works on
    scale: float = 1.0  # of the ratio
    note: str = ""


@dataclass(frozen=True)
class Case:
    what: str  # A against B
    make: Callable[[str, bool], Pair]  # of device and quick
    target: dict[str, float | None]  # device -> ratio that was promised
    threads: int = 1
