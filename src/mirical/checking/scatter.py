"""Tests of the scatter of a band's rows, and of outliers clustered by visit.

A band's repeatability makes up for errors stated too small, and shrinks if they
are stated too large: at a draw of the posterior, which knows the shrunken
one, the rows then scatter almost as they should. So two questions are asked
of each band, and the smaller p-value counts twice.

Too much scatter, at the draw's repeatability: the sum of d_i a_i^2 over the
band's rows, d the variance of their photometric errors, a = V^-1 r.

Too little, whatever the repeatability: how much more likely the band's rows
are, given all others, if its errors are smaller by a factor s, the
repeatability sigma_b averaged over what the other bands say of it,

    max over s of  ln [ mean_k p(y_b | s, sigma_k) / mean_k p(y_b | 1, sigma_k) ],

and replicates have a repeatability of their own from that distribution. A
band whose errors are hidden below its repeatability, or the other way
round, has nothing to say here.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cholesky, solve_triangular
from scipy.special import logsumexp
from scipy.stats import hypergeom, norm

from mirical.model.row_gaussian import Gaussian
from mirical.model.terms import below_limit

Floats = NDArray[np.float64]

SMALLER = 0.5, 0.71
"""Factors by which the errors may be smaller than stated."""

_NODES = norm.ppf((np.arange(9) + 0.5) / 9)


def too_much(rows: Gaussian, both: Floats, of_band: Floats) -> Floats:
    """Return by band how far the scatter of rows and replicates exceeds what is expected.

    In standard deviations of the replicates, shape (band, column); `both` is the
    whitened rows in the first column and replicates in the others, `of_band`
    (band, row) the variances of the photometric errors, zero elsewhere.
    """
    weighted = solve_triangular(rows.root.T, both)
    values = np.log(np.maximum(of_band @ weighted**2, 1e-300))
    replicated = values[:, 1:]
    return (values - replicated.mean(1, keepdims=True)) / replicated.std(1, keepdims=True)


def too_little(
    rows: Gaussian, band: NDArray[np.integer], unc: Floats, random: np.random.Generator, n: int
) -> Floats:
    """Return by band the log likelihood ratio of smaller errors, of the rows and `n` replicates.

    Parameters
    ----------
    rows : Gaussian
        All rows at a draw.
    band : (row,) int array
        Band of each.
    unc : (row,) array
        Their stated photometric errors.
    random : Generator
        Of the replicates.
    n : int
        How many of them.

    Returns
    -------
    (band, 1 + n) array
        The rows' own first.
    """
    scatters = rows.repeatability_median * np.exp(rows.repeatability_spread * _NODES)
    scatters = np.asarray(below_limit(scatters, rows.repeatability_limit))
    ratios = []
    for b in range(len(rows.log_a)):
        here = np.flatnonzero(band == b)
        off, covariance = rows.given_others(here)
        shared = covariance - np.diag(rows.sigma[here] ** 2)

        def roots(s: float, shared: Floats = shared, here: NDArray = here) -> list[Floats]:
            own = [s**2 * unc[here] ** 2 + scatter**2 for scatter in scatters]
            return [cholesky(shared + np.diag(each), lower=True) for each in own]

        stated = roots(1.0)
        node = random.integers(len(scatters), size=n)
        noise = random.standard_normal((len(here), n))
        drawn = np.empty((len(here), 1 + n))
        drawn[:, 0] = off
        for k, root in enumerate(stated):
            drawn[:, 1 + np.flatnonzero(node == k)] = root @ noise[:, node == k]
        plain = _mean_log_density(stated, drawn)
        others = [_mean_log_density(roots(s), drawn) for s in SMALLER]
        ratios.append(np.max(others, axis=0) - plain)
    return np.array(ratios)


def _mean_log_density(roots: list[Floats], drawn: Floats) -> Floats:
    """Return the log of the mean density of columns under covariances, up to a constant."""
    each = [
        -0.5 * np.sum(solve_triangular(root, drawn, lower=True) ** 2, axis=0)
        - np.log(np.diag(root)).sum()
        for root in roots
    ]
    return logsumexp(each, axis=0)


def clustered(
    outlier: Floats, visit: NDArray[np.integer], random: np.random.Generator, replicates: int
) -> tuple[float, int]:
    """Test whether outliers are clustered by visit; ties are broken by chance, so p is uniform.

    A visit that is off as a whole may look like as many independent outliers. In a fault-free
    program outliers fall on visits by chance: given their number at a draw, every choice of rows
    is equally likely.

    Parameters
    ----------
    outlier : (row,) array
        One for an outlier, else zero.
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
    n_rows, n_outliers = len(visit), int(outlier.sum())
    n_visits = int(visit.max()) + 1
    drawn = np.zeros((1 + replicates, n_rows))
    drawn[0] = outlier
    chosen = np.argsort(random.random((replicates, n_rows)), axis=1)[:, :n_outliers]
    np.put_along_axis(drawn[1:], chosen, 1.0, axis=1)
    sizes = np.bincount(visit, minlength=n_visits)
    counts = (drawn @ (visit[:, None] == np.arange(n_visits))).astype(int)
    # The same few pairs of count and size stand there again and again, and each takes SciPy long.
    pairs, place = np.unique(counts * (n_rows + 1) + sizes, return_inverse=True)
    count, size = np.divmod(pairs, n_rows + 1)
    tail = hypergeom.logsf(count - 1, n_rows, size, n_outliers)[place.reshape(counts.shape)]
    least = tail.min(axis=1)
    below, same = least[1:] < least[0] - 1e-9, np.abs(least[1:] - least[0]) <= 1e-9
    above = (below.sum() + random.uniform() * (1 + same.sum())) / (1 + replicates)
    return float(above), int(np.argmin(tail[0]))
