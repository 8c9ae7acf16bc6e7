"""Conversion of a posterior's factors to the pipeline's time law, and its error.

The pipeline holds one set of coefficients a row (`mirical.laws.pipeline_throughput`). A draw of a
card fitted in its law is such a set as it stands. A posterior mean is not, whatever
the law: the mean of exponentials is none. Nor is a draw of the paper's law, which adds
up factors instead of throughputs. Both are fitted here, epoch by epoch in units of the
factor's own error, by the fewest functions of the pipeline's that come close enough.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from mirical.instruments.miri import miri
from mirical.laws.pipeline_throughput import Tables, relative_throughput
from mirical.laws.timelaw import YEAR

Floats = NDArray[np.float64]

SPAN = (59720.0, 64000.0)
"""Epochs the coefficients are fitted for, MJD in days: to 2034, so that none runs away soon."""

CHECKED = (59720.0, 62000.0)
"""Epochs at which what is exported is compared with what was to be, MJD in days."""

CLOSE_ENOUGH = 0.05
"""Largest difference from the factor that ends the search for more functions, in its errors."""

_EXPONENTIAL, _LINEAR, _POWER = "exponential", "linear", "powerlaw"
_KINDS: tuple[tuple[str, ...], ...] = (
    (_EXPONENTIAL,),
    (_POWER,),
    (_EXPONENTIAL, _LINEAR),
    (_EXPONENTIAL, _LINEAR, _POWER),
)


class _Parameter(NamedTuple):
    """What a fit varies: where it starts, by how much it moves, how far it may go."""

    start: float
    size: float
    least: float = -np.inf
    most: float = np.inf


_PARAMETERS: dict[str, dict[str, _Parameter]] = {
    _EXPONENTIAL: {
        "amplitude": _Parameter(0.05, 0.05),
        "log_tau": _Parameter(np.log(200.0), 0.3, np.log(20.0), np.log(3000.0)),
    },
    _LINEAR: {"lossperyear": _Parameter(0.0, 0.003)},
    _POWER: {
        "log_soft": _Parameter(np.log(100.0), 1.0, np.log(5.0), np.log(5000.0)),
        "alpha": _Parameter(-0.01, 0.03),
    },
}
"""Of each function; the level is solved for, and the exponential's const is one."""


@dataclass(frozen=True)
class Converted:
    """Curves of a factor as the pipeline's coefficients.

    Attributes
    ----------
    photmjsr : (curve,) array
        Factor before the relative throughput divides it.
    tables : mapping
        Coefficients of the pipeline's functions, each (curve,).
    worst : (curve,) array
        Largest difference from the curve at the epochs, in its errors.
    worst_mjd : (curve,) array
        Where it is, MJD in days.
    """

    photmjsr: Floats
    tables: Tables
    worst: Floats
    worst_mjd: Floats


def epochs(span: tuple[float, float] = SPAN, number: int = 80) -> Floats:
    """Return epochs over a span, denser at its beginning where factors change fastest."""
    first, last = span
    return first + (last - first) * np.linspace(0, 1, number) ** 2


def convert(mjd: Floats, log_factor: Floats, error: Floats, first: Sequence[str] = ()) -> Converted:
    """Return the coefficients closest to some curves: the same functions for all of them.

    Parameters
    ----------
    mjd : (epoch,) array
        Epochs, MJD in days.
    log_factor : (curve, epoch) array
        ln C.
    error : (curve, epoch) array
        Its standard deviation.
    first : sequence of str, optional
        Functions that are tried before all others.
    """
    best: Converted | None = None
    for kind in (first, *_KINDS) if first else _KINDS:
        found = fit_kind(kind, mjd, log_factor, error)
        if best is None or found.worst.max() < best.worst.max():
            best = found
        if best.worst.max() < CLOSE_ENOUGH:
            break
    assert best is not None
    return best


def fit_kind(
    kind: Sequence[str], mjd: Floats, log_factor: Floats, error: Floats, polish: bool = True
) -> Converted:
    """Return the closest coefficients of given functions; see `convert`.

    With `polish`, the largest difference is made small, not the sum of squares alone.
    """
    fits = [
        _fit_curve(kind, mjd, curve, sigma, polish)
        for curve, sigma in zip(log_factor, error, strict=True)
    ]
    columns = {name: np.array([values[name] for _, values, _ in fits]) for name in fits[0][1]}
    off = np.abs([difference for _, _, difference in fits])
    levels = np.array([level for level, _, _ in fits])
    worst_mjd = mjd[off.argmax(axis=1)]
    return Converted(np.exp(levels), _tables(kind, columns), off.max(axis=1), worst_mjd)


def _fit_curve(
    kind: Sequence[str], mjd: Floats, curve: Floats, sigma: Floats, polish: bool
) -> tuple[float, dict[str, float], Floats]:
    """Return ln photmjsr, the parameters, and the differences from a curve in its errors."""
    parameters = {name: p for function in kind for name, p in _PARAMETERS[function].items()}
    start, size, least, most = np.array(list(parameters.values())).T
    weight = sigma**-2 / np.sum(sigma**-2)

    def level_and_difference(values: Floats) -> tuple[float, Floats]:
        log_throughput = _log_throughput(kind, dict(zip(parameters, values, strict=True)), mjd)
        level = float(np.sum(weight * (curve + log_throughput)))
        return level, (level - log_throughput - curve) / sigma

    def difference(values: Floats) -> Floats:
        return level_and_difference(values)[1]

    options: dict[str, Any] = {"bounds": (least, most), "x_scale": size, "xtol": 1e-10}
    found = least_squares(difference, start, **options).x
    if polish:
        # Least squares leave the ends worst; a high power of the differences evens them out.
        largest = max(float(np.abs(difference(found)).max()), 1e-12)
        found = least_squares(lambda x: (difference(x) / largest) ** 4, found, **options).x
    level, left = level_and_difference(found)
    return level, dict(zip(parameters, found, strict=True)), left


def _tables(kind: Sequence[str], of: Mapping[str, Floats]) -> Tables:
    one = np.ones_like(next(iter(of.values())))
    made: dict[str, dict[str, Floats]] = {}
    for name in kind:
        if name == _EXPONENTIAL:
            made[name] = {"amplitude": of["amplitude"], "tau": np.exp(of["log_tau"]), "const": one}
        elif name == _LINEAR:
            made[name] = {"lossperyear": of["lossperyear"]}
        else:
            soft, alpha = np.exp(of["log_soft"]), of["alpha"]
            year = ((YEAR + soft) / soft) ** alpha
            made[name] = {"year1value": year, "tsoft": soft, "alpha": alpha}
        made[name]["t0"] = miri().t0 * one
    return made


def _log_throughput(kind: Sequence[str], values: Mapping[str, float], mjd: Floats) -> Floats:
    tables = _tables(kind, {name: np.asarray(value) for name, value in values.items()})
    return np.log(np.maximum(relative_throughput(tables, mjd), 1e-6))
