"""Stars whose rows disagree in a band by more than the priors of the card allow.

Looked for before sampling: no chain can reconcile them, and a slip of unit or aperture in a table
is told in a second instead of as a posterior that does not converge.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mirical.inference.schema import Arrays
from mirical.model.design import Design
from mirical.model.sampler_units import fitted_rows

Floats = NDArray[np.float64]

ALLOWED = 0.999
"""Share of the prior's draws with a smaller disagreement than what is told."""

LEAST = float(np.log(1.5))
"""Disagreement in ln C below which nothing is told: debris disks reach some tens of percent."""


@dataclass(frozen=True)
class Disagreement:
    """A star and the bands in which its rows imply factors too far from those of others.

    Attributes
    ----------
    star : str
        Of three stars or more the one farthest from the others' median; of two, the one whose
        factor is larger.
    others : str
        Whom it is compared with, as a sentence names them.
    bands : tuple of str
        Where.
    ratio, allowed : float
        Its factor over theirs where they are farthest apart, and what the card allows there
        (or one over it).
    """

    star: str
    others: str
    bands: tuple[str, ...]
    ratio: float
    allowed: float

    def sentence(self) -> str:
        """Return what a user should know and do."""
        return (
            f"the rows of {self.star!r} imply a factor {self.ratio:.3g} times that of "
            f"{self.others} in {', '.join(self.bands)}; the card's priors allow "
            f"{self.allowed:.2g} times, either way. Usual causes: count rates in another unit or "
            "aperture, a predicted flux in another unit or of another star, a wrong filter. "
            "Correct the rows of the star at fault, or leave them out."
        )


def disagreements(design: Design, prior: Arrays) -> list[Disagreement]:
    """Return the stars whose rows disagree by more than the prior allows, worst first.

    In each band the median ln C of each star's rows is compared; the largest difference is beyond
    what is allowed if fewer than one prior draw in a thousand has one as large.

    Parameters
    ----------
    design : Design
        The rows.
    prior : dict of {str : (draw, ...) array}
        Draws of the model's sites from the prior, of which ``expected`` is used.
    """
    predicted = np.asarray(design.free)[np.asarray(design.star)] == 0
    fitted = predicted & (np.asarray(fitted_rows(design.log_factor_unc)) > 0)
    observed = np.asarray(design.log_factor)[None]
    found: dict[tuple[str, str], list[tuple[str, float, float]]] = {}
    for index, band in enumerate(design.bands):
        rows = np.flatnonzero((np.asarray(design.band) == index) & fitted)
        star = np.asarray(design.star)[rows]
        if len(set(star)) < 2:
            continue
        stars, levels = _levels(observed[:, rows], star)
        _, expected = _levels(np.asarray(prior["expected"])[:, rows], star)
        allowed = max(float(np.quantile(np.ptp(expected, axis=1), ALLOWED)), LEAST)
        if np.ptp(levels[0]) > allowed:
            odd, others, apart = _odd_one(levels[0], [design.stars[s] for s in stars])
            found.setdefault((odd, others), []).append((band, apart, allowed))
    told = []
    for (star, others), where in found.items():
        _, apart, allowed = max(where, key=lambda one: abs(one[1]))
        bands = tuple(band for band, _, _ in where)
        ratio, limit = float(np.exp(apart)), float(np.exp(allowed))
        told.append(Disagreement(star, others, bands, ratio, limit))
    return sorted(told, key=lambda one: -abs(np.log(one.ratio)))


def _odd_one(levels: Floats, names: list[str]) -> tuple[str, str, float]:
    """Return the star that stands apart, from whom, and by how much in ln C."""
    if len(levels) == 2:
        high, low = np.argsort(levels)[::-1]
        return names[high], repr(names[low]), float(levels[high] - levels[low])
    apart = [float(level - np.median(np.delete(levels, i))) for i, level in enumerate(levels)]
    odd = int(np.argmax(np.abs(apart)))
    return names[odd], "the other stars", apart[odd]


def _levels(values: Floats, star: NDArray[np.integer]) -> tuple[list[int], Floats]:
    """Return the stars, and the median over each one's rows, (draw, star)."""
    stars = sorted(set(star.tolist()))
    return stars, np.stack([np.median(values[:, star == s], axis=1) for s in stars], axis=1)
