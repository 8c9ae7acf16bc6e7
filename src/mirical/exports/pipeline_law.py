"""A posterior's factors as coefficients of the pipeline's law, and what the conversion costs.

The pipeline holds one set of coefficients a row (`mirical.model.throughput`). A draw of a
card fitted in its law is such a set as it stands. A posterior mean is not, whatever
the law: the mean of exponentials is none. Nor is a draw of the paper's law, which adds
up factors instead of throughputs. Both are fitted here, epoch by epoch in units of the
factor's own error, by the fewest functions of the pipeline's that come close enough.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from mirical.conventions import T0_MJD
from mirical.model.throughput import Tables, relative_throughput

Floats = NDArray[np.float64]

SPAN = (T0_MJD, 64000.0)
"""Epochs the coefficients are fitted for, MJD in days: to 2034, so that none runs away soon."""

CHECKED = (T0_MJD, 62000.0)
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
_LEAST, _MOST = (
    {"log_tau": np.log(20.0), "log_soft": np.log(5.0)},
    {"log_tau": np.log(3000.0), "log_soft": np.log(5000.0)},
)
_STARTS: dict[str, dict[str, float]] = {
    _EXPONENTIAL: {"amplitude": 0.05, "log_tau": np.log(200.0)},
    _LINEAR: {"lossperyear": 0.0},
    _POWER: {"log_soft": np.log(100.0), "alpha": -0.01},
}


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


def convert(mjd: Floats, log_factor: Floats, error: Floats) -> Converted:
    """Return the coefficients closest to some curves: the same functions for all of them.

    Parameters
    ----------
    mjd : (epoch,) array
        Epochs, MJD in days.
    log_factor : (curve, epoch) array
        ln C.
    error : (curve, epoch) array
        Its standard deviation.
    """
    best: Converted | None = None
    for kind in _KINDS:
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
    names = [name for function in kind for name in _STARTS[function]]
    start = [_STARTS[function][name] for function in kind for name in _STARTS[function]]
    bounds = [_LEAST.get(n, -np.inf) for n in names], [_MOST.get(n, np.inf) for n in names]
    photmjsr, sets, differences = [], [], []
    for curve, sigma in zip(log_factor, error, strict=True):
        weight = sigma**-2 / np.sum(sigma**-2)

        def residual(values: Floats, curve: Floats = curve, sigma: Floats = sigma) -> Floats:
            log_throughput = _log_throughput(kind, dict(zip(names, values, strict=True)), mjd)
            level = np.sum(weight * (curve + log_throughput))  # noqa: B023
            return (level - log_throughput - curve) / sigma

        solved = least_squares(residual, start, bounds=bounds, x_scale=_sizes(names), xtol=1e-10)
        if polish:
            # Least squares leave the ends worst; a high power of the differences evens them out.
            largest = max(float(np.abs(residual(solved.x)).max()), 1e-12)
            solved = least_squares(
                lambda values, residual=residual, largest=largest: (
                    (residual(values) / largest) ** 4
                ),
                solved.x,
                bounds=bounds,
                x_scale=_sizes(names),
            )
        values = dict(zip(names, solved.x, strict=True))
        level = np.sum(weight * (curve + _log_throughput(kind, values, mjd)))
        photmjsr.append(np.exp(level))
        sets.append(values)
        differences.append(residual(solved.x))
    off = np.abs(differences)
    at = off.argmax(axis=1)
    columns = {name: np.array([values[name] for values in sets]) for name in names}
    return Converted(np.array(photmjsr), _tables(kind, columns), off.max(axis=1), mjd[at])


def _sizes(names: Sequence[str]) -> Floats:
    sizes = {
        "amplitude": 0.05,
        "log_tau": 0.3,
        "lossperyear": 0.003,
        "log_soft": 1.0,
        "alpha": 0.03,
    }
    return np.array([sizes[name] for name in names])


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
            year = ((365.0 + soft) / soft) ** alpha
            made[name] = {"year1value": year, "tsoft": soft, "alpha": alpha}
        made[name]["t0"] = T0_MJD * one
    return made


def _log_throughput(kind: Sequence[str], values: Mapping[str, float], mjd: Floats) -> Floats:
    tables = _tables(kind, {name: np.asarray(value) for name, value in values.items()})
    return np.log(np.maximum(relative_throughput(tables, mjd), 1e-6))
