"""The response loss with time: the paper's law, additive in the calibration factor (Eq. 4).

With the loss L = ln[A / (A + B)] and x = t - t0 in days,

    C(t) = A + B exp(-x / tau) = A [1 + expm1(-L) exp(-x / tau)],

so C(t0) = A exp(-L), C -> A, and C stays positive for every L at x >= 0.
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float


def log_relative_factor(
    elapsed: Float[Array | np.ndarray, "*#shape"],
    loss: Float[Array, "*#shape"],
    tau: Float[Array, "*#shape"],
) -> Float[Array, "*shape"]:
    """Return ln[C(t) / A].

    Parameters
    ----------
    elapsed : array
        Days since t0 = MJD 59720.
    loss : array
        Log response loss L = ln[A / (A + B)]; positive where response was lost.
    tau : array [d]
        Time constant.
    """
    return jnp.log1p(jnp.expm1(-loss) * jnp.exp(-elapsed / tau))


def amplitude(
    asymptote: Float[Array, "*#shape"], loss: Float[Array, "*#shape"]
) -> Float[Array, "*shape"]:
    """Return B of Eq. 4 from A and the log loss: B = A expm1(-L)."""
    return asymptote * jnp.expm1(-loss)
