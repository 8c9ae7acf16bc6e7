"""Decomposition of a covariance into parts that add up, by successive regression."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

REST = "subarray"
"""Name of what is left after all stages."""

_NEGLIGIBLE = 1e-7  # of the largest singular value: directions that are but rounding


def directions(stages: Mapping[str, Floats]) -> dict[str, Floats]:
    """Return orthonormal directions (draw, direction) in which each stage adds to those before.

    Parameters
    ----------
    stages : mapping of {str : (draw, explaining) array}
        What explains, in order.
    """
    before = np.zeros((len(next(iter(stages.values()))), 0))
    found = {}
    for name, stage in stages.items():
        centred = stage - stage.mean(axis=0)
        new = centred - before @ (before.T @ centred)
        vectors, sizes, _ = np.linalg.svd(new, full_matrices=False)
        found[name] = vectors[:, sizes > _NEGLIGIBLE * float(np.linalg.norm(centred))]
        before = np.hstack([before, found[name]])
    return found


def variance_parts(draws: Floats, along: Mapping[str, Floats]) -> dict[str, Floats]:
    """Return the diagonals of what `covariance_parts` returns, given the stages' `directions`."""
    left = draws - draws.mean(axis=0)
    degrees = len(draws) - 1
    whole = np.sum(left**2, axis=0) / degrees
    parts = {name: np.sum((axes.T @ left) ** 2, axis=0) / degrees for name, axes in along.items()}
    rest = whole - np.sum(list(parts.values()), axis=0)
    # What is left of nothing but rounding is nothing.
    parts[REST] = np.where(rest > 1e-12 * whole, rest, 0.0)
    return parts


def covariance_parts(draws: Floats, stages: Mapping[str, Floats]) -> dict[str, Floats]:
    """Return the covariance of some quantities as a sum of parts.

    Each stage's part is the covariance of what is linearly predicted from the stage's
    quantities out of what earlier stages left (as for Gaussians, by the law of total
    covariance); the rest follows under `REST`. All parts are covariances, and add up to that of
    the draws.

    Parameters
    ----------
    draws : (draw, quantity) array
        The quantities.
    stages : mapping of {str : (draw, explaining) array}
        What explains them, in order.
    """
    left = draws - draws.mean(axis=0)
    degrees = len(draws) - 1
    parts = {}
    for name, axes in directions(stages).items():
        share = axes @ (axes.T @ left)
        parts[name] = share.T @ share / degrees
        left = left - share
    parts[REST] = left.T @ left / degrees
    return parts
