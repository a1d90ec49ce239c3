"""Magnitude priors: how long the offsets of a kind of scene are (ODR, Sec. 3.2 of the paper)."""

import json
import math
import os
from pathlib import Path

import torch

from pointins_ext.errors import UserError
from pointins_ext.files import write_text

NUM_QUANTILES = 1025

# (median, sigma of the log, clip) in meters of a truncated log-normal: the order of magnitude of furniture and of
# traffic participants. The paper loses less than one point with a prior of the wrong domain.
BUILT_IN = {"indoor": (0.45, 0.6, 2.5), "outdoor": (1.2, 0.75, 6.0)}


class MagnitudePrior:
    """Distribution of offset lengths as a monotone quantile table at equidistant levels 0..1.

    `quantiles`: (Q,) meters, not decreasing, Q >= 2. Raises ValueError if the table is no distribution.
    """

    def __init__(self, quantiles: torch.Tensor, source: str = "quantile table"):
        quantiles = torch.as_tensor(quantiles, dtype=torch.float32).flatten().cpu()
        problem = _table_problem(quantiles)
        if problem:
            raise UserError(f"{source}: {problem}; expected lengths in meters, >= 0, in increasing order")
        self.quantiles = quantiles
        self.source = source

    @classmethod
    def load(cls, name_or_path: str | os.PathLike) -> "MagnitudePrior":
        """Built-in prior `indoor` or `outdoor`, or a JSON file written by `save`."""
        if name_or_path in BUILT_IN:
            return cls._log_normal(name_or_path)
        path = Path(name_or_path)
        if not path.is_file():
            raise FileNotFoundError(
                f"prior '{name_or_path}' is neither a file nor built in ({', '.join(BUILT_IN)}); "
                "fit one with pointins prior"
            )
        try:
            table = json.loads(path.read_text())["quantiles"]
            quantiles = torch.tensor(table, dtype=torch.float32)
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(f"{path}: not a prior file ({error!r}); expected JSON with a list 'quantiles'") from error
        return cls(quantiles, source=str(path))

    @classmethod
    def fit(cls, magnitude: torch.Tensor, source: str = "fitted prior") -> "MagnitudePrior":
        """Quantile table of observed lengths (N,), meters. Raises ValueError if they are no distribution."""
        magnitude = torch.as_tensor(magnitude, dtype=torch.float64).flatten()
        if len(magnitude) < 2 or not torch.isfinite(magnitude).all():
            raise UserError(f"{source}: {len(magnitude)} lengths, not all finite or too few; expected at least 2")
        # interpolating the sorted sample instead of torch.quantile, which refuses more than 16M elements
        ordered = magnitude.sort().values
        position = torch.linspace(0, len(ordered) - 1, NUM_QUANTILES, dtype=torch.float64, device=ordered.device)
        return cls(_interpolate(ordered, position).float(), source)

    @classmethod
    def _log_normal(cls, name: str) -> "MagnitudePrior":
        median, sigma, clip = BUILT_IN[name]
        mass = torch.special.ndtr(torch.tensor(math.log(clip / median) / sigma, dtype=torch.float64))
        level = torch.linspace(0, 1, NUM_QUANTILES, dtype=torch.float64) * mass
        return cls((median * torch.exp(sigma * torch.special.ndtri(level))).float(), f"built-in '{name}'")

    def quantile(self, level: torch.Tensor) -> torch.Tensor:
        """F^-1: lengths in meters at `level` in 0..1, any shape, linear between table entries."""
        table = self.quantiles.to(level.device, non_blocking=True)
        return _interpolate(table, level.clamp(0, 1) * (len(table) - 1))

    def cdf(self, magnitude: torch.Tensor) -> torch.Tensor:
        """F: share of offsets not longer than `magnitude` (meters, any shape)."""
        table = self.quantiles.to(magnitude.device, non_blocking=True)
        right = torch.searchsorted(table, magnitude.contiguous(), right=True).clamp(1, len(table) - 1)
        low, high = table[right - 1], table[right]
        fraction = ((magnitude - low) / (high - low).clamp_min(torch.finfo(table.dtype).tiny)).clamp(0, 1)
        return (right - 1 + fraction) / (len(table) - 1)

    def save(self, path: str | os.PathLike) -> None:
        """Write the table as JSON, atomically."""
        content = {"unit": "meter", "source": self.source, "quantiles": [round(q, 6) for q in self.quantiles.tolist()]}
        write_text(path, json.dumps(content))


def _interpolate(table: torch.Tensor, position: torch.Tensor) -> torch.Tensor:
    low = position.floor().long().clamp(0, len(table) - 2)
    return torch.lerp(table[low], table[low + 1], (position - low).to(table.dtype))


def _table_problem(quantiles: torch.Tensor) -> str | None:
    if len(quantiles) < 2:
        return f"{len(quantiles)} quantiles"
    if not torch.isfinite(quantiles).all():
        return "NaN or infinite lengths"
    if quantiles[0] < 0:
        return f"a negative length ({quantiles[0]:.3g})"
    falls = (quantiles.diff() < 0).nonzero()
    if len(falls):
        i = int(falls[0]) + 1
        return f"not increasing at entry {i} ({quantiles[i - 1]:.4g} then {quantiles[i]:.4g})"
    if quantiles[-1] == quantiles[0]:
        return f"constant ({quantiles[0]:.3g})"
    return None
