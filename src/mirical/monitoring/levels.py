"""Levels of stars in bands that the run hardly knows: when they are known, and from which rows.

The first row of a star of which the run has no row in that band and readout may be an outlier, and
nothing says so: it sets the level, and sound rows after it look like outliers, one and all. So rows
of such a cell are not tested until a level is known. With o_i what rows are off from their means,
s_i their own scatter, w the width and f the share of outliers, that row a is sound and at the level
weighs

    W_a = (1 - f) N(o_a; 0, V) prod_i<>a [(1 - f) N(o_i - o_a; 0, s_a^2 + s_i^2)
                                          + f N(o_i - o_a; 0, s_a^2 + s_i^2 + w^2)],

V being the variance of the first row; that none is sound weighs the same with all of them outliers
about the first one. The level is known once the best row weighs `SURE` times as much as any row
that disagrees with it, and as none. Outliers among the rows so far are then moved to the level,
where they say nothing. Whether a row is tested rests on rows before it alone, so that a ratio of
its densities has mean one all the same.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

SURE = 1e5
"""Odds at which a level is known."""

_HARDLY = 2.0  # errors of a first row, in its own scatter, above which the level is not known
_APART = 3.0  # errors of their difference from which on two rows disagree


class Levels:
    """Which cells have a known level, as rows come, stream by stream.

    Parameters
    ----------
    off : (row, stream) array
        ln C less its mean, in order of time.
    cell : (row,) int array
        What rows share a level by.
    own : (row,) array
        Scatter of a sound row about the level of its cell.
    root : (row, row) array
        Lower Cholesky factor of the covariance of sound rows.
    width : (row,) array
        Standard deviation that an outlier has beside that.
    fraction : float
        Share of outliers.
    """

    def __init__(
        self,
        off: Floats,
        cell: NDArray[np.integer],
        own: Floats,
        root: Floats,
        width: Floats,
        fraction: float,
    ) -> None:
        self._off, self._cell, self._own, self._root = off, cell, own, root
        self._width, self._fraction = width, fraction
        _, first = np.unique(cell, return_index=True)
        error = np.diag(root)[first]
        hardly = cell[first[(error > _HARDLY * own[first]) & (fraction > 0)]]
        self._unknown = {int(c): np.ones(off.shape[1], dtype=bool) for c in hardly}
        self._rows: defaultdict[int, list[int]] = defaultdict(list)

    def known(self, row: int) -> Flags:
        """Return in which streams the level of a row's cell is known before the row, (stream,)."""
        unknown = self._unknown.get(int(self._cell[row]))
        return np.ones(self._off.shape[1], dtype=bool) if unknown is None else ~unknown

    def take(self, row: int, learnt: Floats) -> None:
        """Take in a row; where it makes a level known, correct what its cell's rows have told.

        Parameters
        ----------
        row : int
            Its place; rows are taken in order.
        learnt : (row, stream) array
            What rows after them learn of the rows so far; changed in place.
        """
        cell = int(self._cell[row])
        if cell not in self._unknown:
            return
        rows = self._rows[cell]
        rows.append(row)
        open_streams = np.flatnonzero(self._unknown[cell])
        off = self._off[rows][:, open_streams]
        best, sure = self._best(rows, off)
        streams, off, best = open_streams[sure], off[:, sure], best[sure]
        self._unknown[cell][streams] = False
        if not self._unknown[cell].any():
            del self._unknown[cell]
        moved = self._moved(rows, off, best)
        for place, i in enumerate(rows):
            before = self._root[i, :i] @ learnt[:i, streams]
            learnt[i, streams] = (moved[place] - before) / self._root[i, i]

    def _best(self, rows: list[int], off: Floats) -> tuple[NDArray[np.intp], Flags]:
        """Return the row of the likeliest level and whether it is sure, (stream,)."""
        own, width, fraction = self._own[rows], self._width[rows], self._fraction
        first = float(self._root[rows[0], rows[0]])
        pair = np.hypot(own[:, None], own)
        apart = off[:, None] - off
        sound = np.log1p(-fraction) + norm.logpdf(apart, scale=pair[..., None])
        wrong = np.log(fraction) + norm.logpdf(apart, scale=np.hypot(pair, width)[..., None])
        of_others = np.logaddexp(sound, wrong)
        itself = np.arange(len(rows))
        of_others[itself, itself] = np.log1p(-fraction)
        weight = norm.logpdf(off, scale=first) + of_others.sum(axis=1)
        none = norm.logpdf(off[0], scale=first) + np.log(fraction)
        none = none + wrong[0, 1:].sum(axis=0)
        best = np.argmax(weight, axis=0)
        highest = weight.max(axis=0)
        streams = np.arange(off.shape[1])
        disagrees = np.abs(apart[best, :, streams].T) > _APART * pair[best].T
        other = np.where(disagrees, weight, -np.inf).max(axis=0)
        return best, highest - np.maximum(other, none) > np.log(SURE)

    def _moved(self, rows: list[int], off: Floats, best: NDArray[np.intp]) -> Floats:
        """Return what rows are off with outliers at the level, (row, stream)."""
        own, width, fraction = (
            self._own[rows][:, None],
            self._width[rows][:, None],
            self._fraction,
        )
        streams = np.arange(off.shape[1])
        apart, pair = off - off[best, streams], np.hypot(own, self._own[rows][best])
        sound = (1 - fraction) * norm.pdf(apart, scale=pair)
        wrong = fraction * norm.pdf(apart, scale=np.hypot(pair, width))
        share = sound / (sound + wrong)
        share[best, streams] = 1.0
        level = np.sum(share * off / own**2, axis=0) / np.sum(share / own**2, axis=0)
        return share * off + (1 - share) * level
