"""A covariance as a sum of covariances: what goes along with one thing, then with the next."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

REST = "subarray"
"""Name of what is left after all stages."""

_NEGLIGIBLE = 1e-7  # of the largest singular value: directions that are but rounding


def explained(draws: Floats, stages: Mapping[str, Floats]) -> dict[str, Floats]:
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
    before = np.zeros((len(draws), 0))
    parts = {}
    for name, stage in stages.items():
        new = stage - stage.mean(axis=0)
        new = new - before @ (before.T @ new)
        vectors, sizes, _ = np.linalg.svd(new, full_matrices=False)
        scale = float(np.linalg.norm(stage - stage.mean(axis=0)))
        basis = vectors[:, sizes > _NEGLIGIBLE * scale]
        share = basis @ (basis.T @ left)
        parts[name] = share.T @ share / degrees
        left = left - share
        before = np.hstack([before, basis])
    parts[REST] = left.T @ left / degrees
    return parts
