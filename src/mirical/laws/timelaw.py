"""Time laws of the response loss: the paper's, additive in the factor (Eq. 4), and the pipeline's.

Each law gives ln[C(t)/A] at x = t - t0 days from a log loss L = ln[A / C(t0)], a time
tau and what else it needs (`LAWS`); the linear one from a loss a year alone. The paper's
(Eq. 4) adds up factors,

    C(t) = A + B exp(-x / tau) = A [1 + expm1(-L) exp(-x / tau)],

so C(t0) = A exp(-L), C -> A, and C stays positive for every L at x >= 0. The
others are of the pipeline's kind: C = A / T with a relative throughput T.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Array, Float

YEAR = 365.0
"""Days of a year in the pipeline's laws."""

LATE = 1000.0
"""Days after t0 at which A holds in a law that never settles."""


@dataclass(frozen=True)
class Law:
    """A time law.

    Attributes
    ----------
    equation : str
        The law in a line.
    log_relative : callable
        ln[C(t)/A] of an array module, x [d], and the parameters in the order of `of_band` and
        `common`; they broadcast against each other.
    common : tuple of str
        Parameters that all bands share; each has a prior of its name.
    of_band : tuple of str
        Parameters of each band: ``loss`` and ``tau`` [d] of a law that settles, and others.
    scales : tuple of str
        Priors of the sizes of those others.
    """

    equation: str
    log_relative: Callable[..., Any]
    common: tuple[str, ...] = ()
    of_band: tuple[str, ...] = ("loss", "tau")
    scales: tuple[str, ...] = ()

    @property
    def settles(self) -> bool:
        """Whether a loss settles with a time constant."""
        return "loss" in self.of_band

    @property
    def priors(self) -> tuple[str, ...]:
        """Quantities a card must state priors of beside those of loss and tau."""
        return (*self.common, *self.scales)

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of all parameters."""
        return (*self.of_band, *self.common)


def _additive(xp: Any, x: Any, loss: Any, tau: Any) -> Any:
    return xp.log1p(xp.expm1(-loss) * xp.exp(-x / tau))


def _exponential(xp: Any, x: Any, loss: Any, tau: Any) -> Any:
    return -xp.log1p(xp.expm1(loss) * xp.exp(-x / tau))


def _with_linear(xp: Any, x: Any, loss: Any, tau: Any, loss_per_year: Any) -> Any:
    return _exponential(xp, x, loss, tau) + _linear(xp, x, loss_per_year)


def _linear(xp: Any, x: Any, loss_per_year: Any) -> Any:
    return -xp.log1p(-loss_per_year * x / YEAR)


def _power(xp: Any, x: Any, loss: Any, tau: Any) -> Any:
    return loss * (xp.log1p(x / tau) / xp.log1p(LATE / tau) - 1)


def _two(xp: Any, x: Any, loss: Any, tau: Any, slow_share: Any, slow_ratio: Any) -> Any:
    decay = (1 - slow_share) * xp.exp(-x / tau) + slow_share * xp.exp(-x / (tau * slow_ratio))
    return -xp.log1p(xp.expm1(loss) * decay)


ADDITIVE = "additive"
LINEAR = "linear"

LAWS: dict[str, Law] = {
    ADDITIVE: Law("C = A + B exp(-x/τ)", _additive),
    "exponential": Law("C = A / [1 + b exp(-x/τ)]", _exponential),
    "exponential-linear": Law(
        "C = A / {[1 + b exp(-x/τ)] (1 - r x/365 d)}",
        _with_linear,
        of_band=("loss", "tau", "loss_per_year"),
        scales=("loss_per_year_scale",),
    ),
    LINEAR: Law(
        "C = A / (1 - r x/365 d)",
        _linear,
        of_band=("loss_per_year",),
        scales=("loss_per_year_scale",),
    ),
    "power": Law("C = C(t0) (1 + x/τ)^p, A at x = 1000 d", _power),
    "two-exponentials": Law(
        "C = A / {1 + b [(1 - s) exp(-x/τ) + s exp(-x/(r τ))]}",
        _two,
        common=("slow_share", "slow_ratio"),
    ),
}
"""Every time law by the name a card gives it."""


def log_relative_factor(
    law: str,
    elapsed: Float[Array | np.ndarray, " point"],
    of: Mapping[str, Any],
    band: Any,
) -> Float[Any, "*lead point"]:
    """Return ln[C(t) / A] at points.

    Parameters
    ----------
    law : str
        One of `LAWS`.
    elapsed : (point,) array
        Days since t0.
    of : mapping of {str : array}
        The law's parameters: those of bands (..., band), common ones (...); any leading axes.
    band : (point,) int array
        Band of each point.
    """
    known = LAWS[law]
    xp = _array_module(*(of[name] for name in known.parameters))
    in_bands = [of[name][..., band] for name in known.of_band]
    shared = [xp.asarray(of[name])[..., None] for name in known.common]
    return known.log_relative(xp, elapsed, *in_bands, *shared)


def amplitude(asymptote: Any, loss: Any) -> Any:
    """Return B = C(t0) - A of Eq. 4 from A and the log loss: B = A expm1(-L)."""
    xp = _array_module(loss)
    return asymptote * xp.expm1(-loss)


def _array_module(*values: Any) -> Any:
    """Return NumPy for its arrays, in double precision whatever JAX is set to; JAX for others."""
    if all(isinstance(value, np.ndarray) for value in values):
        return np
    import jax.numpy as jnp  # not at the top: stored draws are asked for factors without it

    return jnp
