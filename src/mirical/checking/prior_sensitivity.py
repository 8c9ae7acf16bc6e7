"""Which reported numbers rest on which prior of the card: power-scaling sensitivity.

A prior p is replaced by p^alpha, and the draws are reweighted by p^(alpha - 1) with Pareto-smoothed
importance weights (Kallioinen et al. 2024). The scale of a half-normal becomes 1 / alpha^1/2 of
what it is. A log-normal prior is scaled as one of the logarithm: so does its spread, and its
median stays.

What the card fixes has no density that could be scaled: only another card can tell.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import arviz_base
import jax.numpy as jnp
import numpy as np
import xarray as xr
from arviz_stats.psense import psense
from astropy.table import QTable
from numpy.typing import NDArray

from mirical.calibration.basis import PARTLY, PRIOR, coefficient_basis, subarray_basis
from mirical.calibration.draws import Draws
from mirical.cards.card import Card
from mirical.cards.priors import Prior
from mirical.checking.quantities import k_limit, smoothed
from mirical.inference.quoted_errors import LEVELS
from mirical.number_text import DATA, floats

Floats = NDArray[np.float64]

THRESHOLD = 0.05
"""Sensitivity above which a number moves with a prior: about 0.3 standard deviations, or as much
in the standard deviation, when the power doubles (Kallioinen et al. 2024)."""

POWERS = (0.5, 2.0)
"""Powers of a prior that the moves of mean and error are stated for."""

REPORTED = {"C_ref": "band", "A": "band", "B": "band", "tau": "band", "repeatability": "band"}
"""Variables that are asked about beside D of each subarray, with their dim."""


@dataclass(frozen=True)
class Moves:
    """What scaling one prior does to some numbers.

    Attributes
    ----------
    sensitivity : (number,) array
        Cumulative Jensen-Shannon distance between the posteriors, a doubling of the power.
    shift : (power, number) array
        Change of the mean in quoted errors, by `POWERS`.
    error : (power, number) array
        Quoted error over what it is.
    k : float
        Larger Pareto shape of the two sets of weights.
    """

    sensitivity: Floats
    shift: Floats
    error: Floats
    k: float


def log_density(prior: Prior, value: Floats) -> Floats:
    """Return the log density of a prior that is scaled: of a log-normal, that of ln value."""
    found = np.asarray(prior.distribution().log_prob(jnp.asarray(value)), dtype=float)
    return found + np.log(value) if prior.family == "log-normal" else found


def log_priors(draws: Draws, card: Card) -> dict[str, Floats]:
    """Return the log density, (chain, draw), of each prior of the card that can be scaled."""
    found = {}
    for name, prior in card.priors.items():
        if prior.is_fixed or not draws.has(name):
            continue
        value = np.asarray(draws.values(name), dtype=float)
        if name == "A":  # one prior of all bands
            value = value / card.centre("A_centre", tuple(draws.labels("band")), 1.0)
        of = log_density(prior, value)
        found[name] = of.reshape(*of.shape[:2], -1).sum(axis=-1)
    return found


def moves(numbers: Floats, log_prior: Floats) -> Moves:
    """Return what scaling a prior does.

    Parameters
    ----------
    numbers : (chain, draw, number) array
        Draws of numbers none of which is constant.
    log_prior : (chain, draw) array
        Log density of the prior at the draws.
    """
    n_numbers = numbers.shape[-1]
    if np.ptp(log_prior) < 1e-9:  # equal weights change nothing, and have no tail to smooth
        none = np.zeros((len(POWERS), n_numbers))
        return Moves(none[0], none, none + 1, -np.inf)
    groups = {"posterior": {"numbers": numbers}, "log_prior": {"prior": log_prior}}
    sensitivity = psense(arviz_base.from_dict(groups))["numbers"]
    flat = numbers.reshape(-1, n_numbers)
    change = np.array(POWERS)[:, None] - 1
    scaled = smoothed(change * log_prior.ravel())
    before = _half_width(flat, np.full(len(flat), 1 / len(flat)))
    shift = (scaled.weights @ flat - flat.mean(axis=0)) / before
    error = np.stack([_half_width(flat, weights) for weights in scaled.weights]) / before
    return Moves(np.asarray(sensitivity, dtype=float), shift, error, float(scaled.k.max()))


def _half_width(draws: Floats, weights: Floats) -> Floats:
    """Return the quoted error of weighted draws, (draw, number)."""
    low, high = np.quantile(draws, LEVELS, axis=0, weights=weights, method="inverted_cdf")
    return 0.5 * (high - low)


def sensitivity_table(posterior: xr.DataTree, card: Card) -> QTable:
    """Return one line for each prior that can be scaled and each reported number."""
    draws = Draws.of(posterior)
    names, numbers = _reported(draws)
    priors = log_priors(draws, card)
    each = {prior: moves(numbers, of) for prior, of in priors.items()}
    table = QTable()
    table["prior"] = np.repeat(list(each), len(names))
    table["number"] = [name for name, _ in names] * len(each)
    table["of"] = [of for _, of in names] * len(each)
    table["sensitivity"] = np.concatenate([one.sensitivity for one in each.values()])
    for i, power in enumerate(("half", "double")):
        table[f"shift_{power}"] = np.concatenate([one.shift[i] for one in each.values()])
        table[f"error_{power}"] = np.concatenate([one.error[i] for one in each.values()])
    table["pareto_k"] = np.repeat([one.k for one in each.values()], len(names))
    table["moves"] = table["sensitivity"] > THRESHOLD
    table["sensitivity"].info.description = "Distance between posteriors a doubling of the power"
    table["shift_half"].info.description = "Change of the mean, in errors, with the prior^(1/2)"
    table["shift_double"].info.description = "Change of the mean, in errors, with the prior^2"
    table["error_half"].info.description = "Error with the prior^(1/2) over what it is"
    table["error_double"].info.description = "Error with the prior^2 over what it is"
    table["moves"].info.description = f"Sensitivity above {THRESHOLD}"
    table.meta |= {
        "title": "Power-scaling sensitivity of reported numbers, given an exact flux scale",
        "fixed": [name for name, prior in card.priors.items() if prior.is_fixed],
        "pareto_k_limit": k_limit(numbers.shape[0] * numbers.shape[1]),
    }
    return table


def _reported(draws: Draws) -> tuple[list[tuple[str, str]], Floats]:
    """Return names and draws, (chain, draw, number), of the numbers that are not constant."""
    names, columns = [], []
    for name, dim in {**REPORTED, "D": "subarray"}.items():
        values = np.asarray(draws.values(name), dtype=float)
        for i, label in enumerate(draws.labels(dim)):
            if np.any(values[..., i] != values[0, 0, i]):
                names.append((name, label))
                columns.append(values[..., i])
    return names, np.stack(columns, axis=-1)


def report_words(posterior: xr.DataTree) -> dict[tuple[str, str], str]:
    """Return what the report says each number rests on, by number and band or subarray."""
    draws = Draws.of(posterior)
    words = {
        (name, band): word
        for name, of in coefficient_basis(draws).items()
        for band, word in zip(draws.labels("band"), of, strict=True)
    }
    of_subarrays = zip(draws.labels("subarray"), subarray_basis(draws), strict=True)
    return words | {("D", subarray): word for subarray, word in of_subarrays}


def word_table(words: Mapping[tuple[str, str], str], sensitivity: QTable) -> QTable:
    """Return what the report says each number rests on, beside the prior that moves it most.

    A number called ``data`` disagrees if a prior moves it, one called ``prior`` or ``partly
    prior`` if none does. One ``borrowed`` from other bands rests on their rows, and may do either.

    Parameters
    ----------
    words : mapping
        As `report_words` has it.
    sensitivity : QTable
        As `sensitivity_table` has it.
    """
    strongest = _strongest(sensitivity)
    table = QTable()
    table["number"] = [name for name, _ in strongest]
    table["of"] = [of for _, of in strongest]
    table["basis"] = [words[number] for number in strongest]
    table["prior"] = [str(sensitivity["prior"][i]) for i in strongest.values()]
    table["sensitivity"] = [float(sensitivity["sensitivity"][i]) for i in strongest.values()]
    moved = floats(table["sensitivity"]) > THRESHOLD
    of_prior = np.isin(table["basis"], [PRIOR, PARTLY])
    of_data = np.array(table["basis"]) == DATA
    table["agrees"] = ~((of_data & moved) | (of_prior & ~moved))
    table["basis"].info.description = "What the report says the number rests on"
    table["prior"].info.description = "The prior that moves the number most"
    table["agrees"].info.description = "False if data moves with a prior, or prior with none"
    table.meta["title"] = "What the report says numbers rest on, against their sensitivity"
    return table


def _strongest(sensitivity: QTable) -> Mapping[tuple[str, str], int]:
    """Return the line of the largest sensitivity of each number."""
    found: dict[tuple[str, str], int] = {}
    size = floats(sensitivity["sensitivity"])
    for i, (name, of) in enumerate(zip(sensitivity["number"], sensitivity["of"], strict=True)):
        number = str(name), str(of)
        if number not in found or size[i] > size[found[number]]:
            found[number] = i
    return found
