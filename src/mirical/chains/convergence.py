"""Convergence diagnostics of drawn quantities, and Monte-Carlo errors of printed numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import xarray as xr
from arviz_stats.base.array import array_stats
from numpy.typing import NDArray

from mirical.inference.quoted_errors import LEVELS, error_noise, half_width
from mirical.inference.runtime import cores

RHAT_LIMIT = 1.01
BFMI_LIMIT = 0.3
BETWEEN_RUNS = 2 * np.sqrt(2)
"""Two standard deviations of the difference of two equal runs."""
MEAN_NOISE_LIMIT = 0.1 / BETWEEN_RUNS
"""Largest Monte-Carlo error of a printed mean, relative to its error: two runs that differ in
their seeds alone agree within 0.1 sigma."""

_TAIL = 0.89  # share of the draws below the upper tail; the library's default
Floats = NDArray[np.float64]


def error_noise_limit(target_ess: int) -> float:
    """Return the largest Monte-Carlo error of a printed error, relative to it.

    Two runs that differ in their seeds alone agree within 10 % where 1000 effective draws are
    asked for, within 5 % where 4000 are.
    """
    return 0.1 / BETWEEN_RUNS * math.sqrt(1000 / target_ess)


def mean_noise_limit(target_ess: int) -> float:
    """Return the same of a printed mean where fewer effective draws than 1000 are asked for."""
    return MEAN_NOISE_LIMIT * math.sqrt(max(1000 / target_ess, 1))


Places = Mapping[str, NDArray[np.int_]]
"""Some quantities, by variable: places in its values, flattened."""


@dataclass(frozen=True)
class Convergence:
    """Diagnostics of some quantities, those that are constant left out.

    Attributes
    ----------
    places : tuple of (str, int)
        Which quantity each is: its variable, and its place there.
    labels : tuple of str
        The same as one reads it, such as A in a band.
    rhat, bulk, tail : (quantity,) array
        R-hat and effective draws.
    error, mean : (quantity,) array
        Monte-Carlo errors of the quoted error and of the mean, in units of the quoted error;
        0 of what is not printed.
    """

    places: tuple[tuple[str, int], ...]
    labels: tuple[str, ...]
    rhat: Floats
    bulk: Floats
    tail: Floats
    error: Floats
    mean: Floats

    def largest(self, values: Floats) -> tuple[float, str]:
        """Return the largest of some values and whose it is; see `smallest`."""
        value, label = self.smallest(-values)
        return 0.0 - value, label

    def smallest(self, values: Floats) -> tuple[float, str]:
        """Return the smallest of some values and whose it is, the first that is not finite first.

        A quantity that varies but has no finite diagnostic is the worst there is.
        """
        if not len(values):
            return 0.0, ""
        odd = ~np.isfinite(values)
        place = int(np.argmax(odd)) if odd.any() else int(np.argmin(values))
        return float(values[place]), self.labels[place]


def diagnose(
    drawn: xr.Dataset, printed: Mapping[str, NDArray[np.bool_]], only: Places | None = None
) -> Convergence:
    """Return the diagnostics of drawn quantities.

    Parameters
    ----------
    drawn : Dataset
        Variables with dims chain and draw, and others with coordinates.
    printed : dict of {str : bool array}
        Which quantities of a variable tables print with an error, in the shape of its values
        of one draw.
    only : dict, optional
        Which quantities to look at; all by default.
    """
    places, labels, found = [], [], []
    for key, variable in drawn.data_vars.items():
        name = str(key)
        values = variable.transpose("chain", "draw", ...).values
        values = values.reshape(*values.shape[:2], -1)
        wanted = np.arange(values.shape[2]) if only is None else only.get(name)
        if wanted is None:
            continue
        if len(wanted) < values.shape[2]:
            values = values[..., wanted]
        varies = np.any(values != values[:1, :1], axis=(0, 1))
        if not varies.all():
            wanted, values = wanted[varies], values[..., varies]
        if not len(wanted):
            continue
        shown = np.ravel(printed[name])[wanted] if name in printed else np.zeros(len(wanted), bool)
        found.append(_side_by_side(values, shown))
        places += [(name, int(place)) for place in wanted]
        labels += [f"{name}{_label(variable[0, 0], int(place))}" for place in wanted]
    columns = map(np.concatenate, zip(*found, strict=True)) if found else np.zeros((5, 0))
    return Convergence(tuple(places), tuple(labels), *columns)


def printed_places(drawn: xr.Dataset, printed: Iterable[str]) -> dict[str, NDArray[np.bool_]]:
    """Return all quantities of some variables, as those whose printed errors are judged.

    Parameters
    ----------
    drawn : Dataset
        The variables.
    printed : iterable of str
        Those of them that are judged so; see `diagnose`.
    """
    return {name: np.ones(drawn[name].shape[2:], bool) for name in printed if name in drawn}


def _side_by_side(values: Floats, printed: NDArray[np.bool_]) -> list[Floats]:
    """Return the five diagnostics of (chain, draw, quantity) values, on all cores."""
    parts = min(cores(), values.shape[2])
    with ThreadPoolExecutor(max_workers=parts) as pool:
        share = np.array_split(values, parts, axis=2), np.array_split(printed, parts)
        found = list(pool.map(_diagnostics, *share))
    return [np.concatenate(each) for each in zip(*found, strict=True)]


def _diagnostics(values: Floats, printed: NDArray[np.bool_]) -> list[Floats]:
    """Return the five diagnostics of (chain, draw, quantity) values."""
    with np.errstate(invalid="ignore", divide="ignore"):  # a quantity that hardly moves
        return [
            np.asarray(array_stats.rhat(values, chain_axis=0, draw_axis=1)),
            _ess(values, "bulk"),
            _ess(values, "tail"),
            *_monte_carlo_errors(values, printed),
        ]


def _ess(values: Floats, method: str) -> Floats:
    tail = _TAIL if method == "tail" else None
    return np.asarray(array_stats.ess(values, chain_axis=0, draw_axis=1, method=method, prob=tail))


def _monte_carlo_errors(values: Floats, printed: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Return the Monte-Carlo errors of quoted error and mean of what is printed."""
    errors, means = np.zeros((2, values.shape[2]))
    if not printed.any():
        return errors, means
    values = values[..., printed]
    with np.errstate(invalid="ignore"):  # an infinite tau has no width
        low, high = np.quantile(values, LEVELS, axis=(0, 1))
    inside = ((values >= low) & (values <= high)).astype(float)
    of_inside, of_mean = _ess(inside, "mean"), _ess(values, "mean")
    flat = values.reshape(-1, values.shape[2])
    width, spread = half_width(flat), flat.std(axis=0, ddof=1)
    errors[printed] = [
        error_noise(one, n) if half > 0 else np.nan
        for one, n, half in zip(flat.T, of_inside, width, strict=True)
    ]
    means[printed] = np.where(width > 0, spread / (np.sqrt(of_mean) * width), np.nan)
    return errors, means


def _label(value: xr.DataArray, place: int) -> str:
    if value.ndim == 0:
        return ""
    where = np.unravel_index(place, value.shape)
    labels = [str(value[dim].values[i]) for dim, i in zip(value.dims, where, strict=True)]
    return f"[{', '.join(labels)}]"
