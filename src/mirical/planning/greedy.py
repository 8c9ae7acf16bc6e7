"""Greedy choice of observations by the exact update of a Gaussian.

Let (f, e) be the forms of a goal and the effects on ln C of the candidates' rows, with covariance S
given what is known. Observing the rows u, with errors of variance N_u, leaves

    S - S_u' (S_uu + N_u)^-1 S_u

whatever the observed values. The goal's variance is the largest of its forms'.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]


@dataclass(frozen=True)
class Prospect:
    """What is known of a goal and of candidates before any is observed.

    Attributes
    ----------
    covariance : (form + row, form + row) array
        Of the goal's forms and the effects of the candidates' rows on ln C; no error of a row.
    noise : (row,) array
        Variance of the error of each row.
    forms : int
        How many forms the goal has.
    """

    covariance: Floats
    noise: Floats
    forms: int

    @property
    def variances(self) -> Floats:
        """Of each form."""
        return np.diag(self.covariance)[: self.forms]

    @property
    def variance(self) -> float:
        """Of the goal."""
        return float(np.max(self.variances))

    def gain(self, rows: Rows) -> float:
        """Return the fall of the goal's variance if some rows are observed together."""
        of, whole = self.forms + rows, self.covariance
        joint = whole[np.ix_(of, of)] + np.diag(self.noise[rows])
        across = whole[: self.forms, of]
        told = np.sum(across * cho_solve(cho_factor(joint), across.T).T, axis=1)
        return self.variance - float(np.max(self.variances - told))

    def after(self, rows: Rows) -> Prospect:
        """Return what is known once some rows have been observed."""
        of, whole = self.forms + rows, self.covariance
        joint = whole[np.ix_(of, of)] + np.diag(self.noise[rows])
        left = whole - whole[:, of] @ cho_solve(cho_factor(joint), whole[of])
        return Prospect(0.5 * (left + left.T), self.noise, self.forms)


@dataclass(frozen=True)
class Addition:
    """One step of a greedy choice.

    Attributes
    ----------
    unit : int
        Which unit is added.
    variance : float
        Of the goal after it.
    """

    unit: int
    variance: float


def choose(
    prospect: Prospect, units: Sequence[Rows], hours: Sequence[float], budget: float
) -> list[Addition]:
    """Add the unit that lowers the goal's variance most per hour, as long as one fits the budget.

    Parameters
    ----------
    prospect : Prospect
        Before any is observed.
    units : sequence of (row,) int arrays
        Rows observed together.
    hours : sequence of float
        What each costs.
    budget : float
        What all may cost.
    """
    chosen: list[Addition] = []
    left = budget
    open_units = dict(enumerate(units))
    while True:
        fitting = [number for number in open_units if hours[number] <= left]
        if not fitting:
            return chosen
        rates = [prospect.gain(open_units[number]) / hours[number] for number in fitting]
        best = fitting[int(np.argmax(rates))]
        if max(rates) <= 0:
            return chosen
        prospect = prospect.after(open_units.pop(best))
        left -= hours[best]
        chosen.append(Addition(best, prospect.variance))


def path(prospect: Prospect, units: Sequence[Rows]) -> list[float]:
    """Return the goal's variance after each of some units in turn."""
    found = []
    for rows in units:
        prospect = prospect.after(rows)
        found.append(prospect.variance)
    return found
