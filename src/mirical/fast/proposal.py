r"""Skewed normal approximation of the posterior: a normal whose standard numbers are bent.

    x = mean + root @ S(e),  e ~ N(0, 1),
    S(e) = [sinh(t arcsinh(e) + s) - sinh(s)] / (t cosh(s))

with one skewness s and one weight of the tails t for each number (Jones & Pewsey 2009, Biometrika
96, 761). Everything downstream moves in e, in which the posterior is about standard normal.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

from mirical.model.design import Data

Floats = NDArray[np.float64]
Integers = NDArray[np.int32]


class Proposal(NamedTuple):
    """The approximation.

    Attributes
    ----------
    mean : (number,) array
        Where e is zero.
    root : (number, number) array
        Root of the covariance before it is bent; lower triangular.
    skewness, tails : (number,) array
        s and ln t.
    """

    mean: Float[Data, " number"]
    root: Float[Data, "number number"]
    skewness: Float[Data, " number"]
    tails: Float[Data, " number"]

    def of_first(self, number: int) -> Proposal:
        """Return the normal of the first numbers, all others given; each of these one wide."""
        root = np.asarray(self.root)
        precision = np.linalg.inv(root @ root.T)[:number, :number]
        block = np.eye(len(root))
        block[:number, :number] = np.linalg.cholesky(np.linalg.inv(precision))
        return Proposal.normal(np.asarray(self.mean), block)

    @classmethod
    def normal(cls, mean: Floats, root: Floats) -> Proposal:
        """Return one that is not bent."""
        return cls(mean, root, np.zeros(len(mean)), np.zeros(len(mean)))

    def place(self, e: Float[Data, " number"]) -> tuple[Float[Array, " number"], Float[Array, ""]]:
        """Return x of standard numbers, and ln|dx/de| but for that of `root`."""
        bent, slope = self._bent(jnp.asarray(e), jnp)
        return jnp.asarray(self.mean) + jnp.asarray(self.root) @ bent, jnp.sum(jnp.log(slope))

    def at(self, e: Floats) -> Floats:
        """Return x of many points' standard numbers, (point, number)."""
        bent, _ = self._bent(e, np)
        return np.asarray(self.mean + bent @ np.asarray(self.root).T)

    def standard(self, x: Floats) -> Floats:
        """Return the standard numbers of many points' x, (point, number)."""
        weight = np.exp(self.tails)
        bent = solve_triangular(self.root, (x - self.mean).T, lower=True).T
        u = np.arcsinh(bent * weight * np.cosh(self.skewness) + np.sinh(self.skewness))
        return np.sinh((u - self.skewness) / weight)

    def _bent(self, e: Any, xp: Any) -> tuple[Any, Any]:
        """Return S(e) and its slope by an array module, NumPy's or JAX's."""
        weight = xp.exp(self.tails)
        u = weight * xp.arcsinh(e) + self.skewness
        bent = (xp.sinh(u) - xp.sinh(self.skewness)) / (weight * xp.cosh(self.skewness))
        return bent, xp.cosh(u) / (xp.cosh(self.skewness) * xp.sqrt(1 + e**2))
