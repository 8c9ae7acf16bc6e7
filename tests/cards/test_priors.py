"""Priors of a card: what they say, what they are, and what is refused."""

from __future__ import annotations

import re

import jax
import numpy as np
import pytest

from mirical.cards.priors import FAMILIES, Prior, read_prior
from mirical.errors import InputError

# Per family: parameters, the words, the median.
STATED: dict[str, tuple[dict[str, float], str, float]] = {
    "fixed": ({"value": 0.5}, "fixed at 0.5", 0.5),
    "normal": ({"mean": 1.5, "sd": 0.25}, "normal, 1.5 ± 0.25", 1.5),
    # 0.6744898 is the upper quartile of the normal distribution
    "half-normal": ({"scale": 0.15}, "half-normal, scale 0.15", 0.15 * 0.6744898),
    "log-normal": (
        {"median": 0.02, "spread": 0.35},
        "log-normal, median 0.02, spread 0.35 in ln",
        0.02,
    ),
    "beta": ({"a": 1.0, "b": 20.0}, "beta(1, 20)", 1 - 0.5 ** (1 / 20)),
}


def stated(family: str, **changes: object) -> dict[str, object]:
    entry: dict[str, object] = {"distribution": family, "unit": "1", "reason": "because"}
    entry |= STATED[family][0] | changes
    return {key: value for key, value in entry.items() if value is not None}


def test_every_family_is_tested():
    assert set(STATED) == set(FAMILIES)


@pytest.mark.parametrize("family", STATED)
def test_a_prior_says_in_words_what_it_is(family: str):
    prior = read_prior("q", stated(family, source="a paper"), "card")
    assert prior == Prior("q", family, STATED[family][0], "1", "because", "a paper")
    assert prior.describe() == STATED[family][1]
    assert prior.is_fixed is (family == "fixed")


@pytest.mark.parametrize("family", STATED)
def test_half_of_the_draws_lie_below_the_median(family: str):
    prior = read_prior("q", stated(family), "card")
    draws = prior.distribution().sample(jax.random.key(1), (4000,))
    assert draws.dtype == np.float64
    if prior.is_fixed:
        assert np.all(draws == prior.value)
    else:  # within 4 standard deviations of a fair coin
        assert abs(np.mean(draws < STATED[family][2]) - 0.5) < 4 * 0.5 / np.sqrt(4000)


def test_the_spread_of_a_log_normal_is_that_of_the_logarithm():
    draws = (
        read_prior("q", stated("log-normal"), "card")
        .distribution()
        .sample(jax.random.key(2), (4000,))
    )
    # a standard deviation estimated from n draws is good to 1 / sqrt(2 n)
    assert np.std(np.log(draws)) == pytest.approx(0.35, rel=4 / np.sqrt(8000))


REFUSED: dict[str, tuple[object, str]] = {
    "no table": (3, "card: prior 'q' is 3; expected a table with distribution, unit, reason."),
    "unknown distribution": (
        stated("half-normal", distribution="halfnormal"),
        "card: prior 'q' has distribution 'halfnormal'; did you mean 'half-normal'?",
    ),
    "no distribution": (
        {"scale": 1.0},
        "card: prior 'q' has distribution ''; "
        "expected one of fixed, normal, half-normal, log-normal, beta.",
    ),
    "misspelt parameter": (
        stated("half-normal", scale=None, scal=0.1),
        "card: prior 'q': unknown key 'scal'; did you mean 'scale'?",
    ),
    "missing parameter": (
        stated("log-normal", spread=None),
        "card: prior 'q': spread is missing; expected a number.",
    ),
    "text for a number": (
        stated("normal", mean="0.1"),
        "card: prior 'q': mean is '0.1'; expected a number.",
    ),
    "truth for a number": (
        stated("normal", mean=True),
        "card: prior 'q': mean is True; expected a number.",
    ),
    "no number": (
        stated("normal", mean=float("nan")),
        "card: prior 'q': mean is nan; expected a number.",
    ),
    "infinite": (
        stated("normal", sd=float("inf")),
        "card: prior 'q': sd is inf; expected a number.",
    ),
    "beyond floating point": (
        stated("normal", mean=10**400),
        f"card: prior 'q': mean is {str(10**400)[:57]}...; expected a number.",
    ),
    "negative scale": (
        stated("half-normal", scale=-0.03),
        "card: prior 'q' has scale -0.03; expected a positive number.",
    ),
    "zero spread": (
        stated("log-normal", spread=0.0),
        "card: prior 'q' has spread 0; expected a positive number.",
    ),
    "no unit": (
        stated("beta", unit=None),
        "card: prior 'q' states no unit; every prior needs a unit and a reason.",
    ),
    "blank reason": (
        stated("beta", reason=" "),
        "card: prior 'q' states no reason; every prior needs a unit and a reason.",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_prior_that_cannot_be_used_is_refused(case: str):
    entry, sentence = REFUSED[case]
    with pytest.raises(InputError, match=f"^{re.escape(sentence)}$"):
        read_prior("q", entry, "card")
