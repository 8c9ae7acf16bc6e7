"""The JWST pipeline's relative throughput, by which it divides PHOTMJSR at an epoch.

A photom reference file has a table for each of three functions of x = t - t0 days, and
the pipeline multiplies those that are there (`jwst.photom.time_dependence`):

    exponential   amplitude exp(-x / tau) + const
    linear        1 - lossperyear x / 365
    power law     year1value [(x + tsoft) / (365 + tsoft)]^alpha

C(t) = photmjsr / (their product).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mirical.laws.timelaw import LATE, LINEAR, YEAR

Floats = NDArray[np.float64]


def _exponential(x: Any, amplitude: Any, tau: Any, const: Any) -> Any:
    return amplitude * np.exp(-x / tau) + const


def _linear(x: Any, lossperyear: Any) -> Any:
    return 1 - lossperyear * x / YEAR


def _powerlaw(x: Any, year1value: Any, tsoft: Any, alpha: Any) -> Any:
    return year1value * ((x + tsoft) / (YEAR + tsoft)) ** alpha


FUNCTIONS: dict[str, tuple[tuple[str, ...], Callable[..., Any]]] = {
    "exponential": (("amplitude", "tau", "const"), _exponential),
    "linear": (("lossperyear",), _linear),
    "powerlaw": (("year1value", "tsoft", "alpha"), _powerlaw),
}
"""Coefficients of each function beside t0, and the function of x and them."""

Tables = Mapping[str, Mapping[str, Floats]]
"""Coefficients by function and name, t0 [MJD] among them, each (..., row)."""


def relative_throughput(tables: Tables, mjd: Any) -> Any:
    """Return the product of the functions that have a table, one without any.

    Parameters
    ----------
    tables : mapping of {str : mapping of {str : (..., row) array}}
        Coefficients by function (`FUNCTIONS`), with t0 [MJD].
    mjd : float or array
        Epochs, MJD in days; broadcast against the coefficients.
    """
    product: Any = 1.0
    for name, of in tables.items():
        coefficients, function = FUNCTIONS[name]
        product = product * function(mjd - of["t0"], *(of[c] for c in coefficients))
    return product


def exact_tables(law: str, of: Mapping[str, Floats], t0_mjd: float) -> tuple[Floats, Tables] | None:
    """Return a time law of the model as the pipeline's tables, where they hold it exactly.

    Parameters
    ----------
    law : str
        One of `mirical.laws.timelaw.LAWS`.
    of : mapping of {str : (..., band) array}
        A and the law's parameters.
    t0_mjd : float
        Zero point of the law, MJD in days.

    Returns
    -------
    (..., band) array
        photmjsr in the reference readout.
    mapping
        Its tables. None instead of both for a law the pipeline has not.
    """
    a = of["A"]
    t0 = np.full(np.shape(a), t0_mjd)
    if law == LINEAR:
        return a, {"linear": {"t0": t0, "lossperyear": of["loss_per_year"]}}
    loss, tau = of["loss"], of["tau"]
    exponential = {"t0": t0, "amplitude": np.expm1(loss), "tau": tau, "const": np.ones_like(a)}
    if law == "exponential":
        return a, {"exponential": exponential}
    if law == "exponential-linear":
        linear = {"t0": t0, "lossperyear": of["loss_per_year"]}
        return a, {"exponential": exponential, "linear": linear}
    if law == "power":
        alpha = -loss / np.log1p(LATE / tau)
        year = (1 + YEAR / tau) ** alpha
        power = {"t0": t0, "year1value": year, "tsoft": tau, "alpha": alpha}
        return a * np.exp(-loss), {"powerlaw": power}
    return None
