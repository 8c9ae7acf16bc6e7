"""Whether rows that went wrong come by visits.

A visit that is off as a whole may pass for so many rows that went wrong, each
for itself. For a sound model they fall on visits as chance has it: given how
many went wrong at a draw, every choice of rows is as likely as any other.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import hypergeom

Floats = NDArray[np.float64]


def clustered(
    wrong: Floats, visit: NDArray[np.integer], random: np.random.Generator, replicates: int
) -> tuple[float, int]:
    """Test whether wrong rows share visits; ties are broken by chance, so that p is uniform.

    Parameters
    ----------
    wrong : (row,) array
        One for a row that went wrong, else zero.
    visit : (row,) int array
        Visit of each.
    random : Generator
        Of the replicates.
    replicates : int
        How many choices of rows are drawn.

    Returns
    -------
    float, int
        p-value of the least likely number in any visit, and that visit.
    """
    n_rows, n_wrong = len(visit), int(wrong.sum())
    n_visits = int(visit.max()) + 1
    drawn = np.zeros((1 + replicates, n_rows))
    drawn[0] = wrong
    chosen = np.argsort(random.random((replicates, n_rows)), axis=1)[:, :n_wrong]
    np.put_along_axis(drawn[1:], chosen, 1.0, axis=1)
    sizes = np.bincount(visit, minlength=n_visits)
    counts = (drawn @ (visit[:, None] == np.arange(n_visits))).astype(int)
    tail = hypergeom.logsf(counts - 1, n_rows, sizes, n_wrong)
    least = tail.min(axis=1)
    below, same = least[1:] < least[0] - 1e-9, np.abs(least[1:] - least[0]) <= 1e-9
    above = (below.sum() + random.uniform() * (1 + same.sum())) / (1 + replicates)
    return float(above), int(np.argmin(tail[0]))
