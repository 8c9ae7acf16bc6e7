"""Stopping rule: how much the chains must grow, to which length, and what is looked at first."""

from __future__ import annotations

import numpy as np
import pytest

from mirical.chains.convergence import MEAN_NOISE_LIMIT, Convergence, error_noise_limit
from mirical.chains.stopping import Ending, growth, neediest, next_length, rule_sentences
from mirical.jobs.sampler import Sampler

SAMPLER = Sampler(target_ess=1000, target_ess_tail=400)
NOISE = error_noise_limit(1000)


def found(**changed: float) -> Convergence:
    """Diagnostics of two quantities that meet the targets, the second with changes."""
    good = {
        "rhat": 1.005,
        "bulk": 2000.0,
        "tail": 800.0,
        "error": NOISE / 2,
        "mean": MEAN_NOISE_LIMIT / 2,
    }
    arrays = {name: np.array([one, changed.get(name, one)]) for name, one in good.items()}
    return Convergence((("A", 0), ("A", 7)), ("A[F560W]", "A[F770W]"), **arrays)


@pytest.mark.parametrize(
    ("changed", "factor"),
    [
        ({}, 0.5),
        ({"rhat": 1.04}, 4.0),
        ({"bulk": 250.0}, 4.0),
        ({"tail": 100.0}, 4.0),
        ({"error": 2 * NOISE}, 4.0),
        ({"mean": 2 * MEAN_NOISE_LIMIT}, 4.0),
        ({"bulk": np.nan}, np.inf),
    ],
)
def test_chains_grow_by_what_the_worst_diagnostic_asks_for(changed: dict[str, float], factor):
    factors = growth(found(**changed), SAMPLER)
    assert factors == pytest.approx([0.5, factor])
    places = neediest(found(**changed), factors)
    assert {name: list(at) for name, at in places.items()} == {"A": [0, 7]}


@pytest.mark.parametrize(
    ("factor", "length"), [(1.2, 1320), (1.001, 1102), (np.inf, 2000), (1.9, 2000), (1.7, 1870)]
)
def test_the_next_look_is_at_most_twice_as_far(factor: float, length: int):
    assert next_length(1000, factor, 20000) == length
    assert next_length(1000, factor, 1100) == min(length, 1100)


def test_the_rule_is_told_in_words():
    said = " ".join(rule_sentences(SAMPLER, Ending("targets", 5, 1)))
    assert "1000 effective draws (bulk; tail 400)" in said and "at most 3.5 % and 3.5 %" in said
    assert "judged 5 times" in said and "warm-up was repeated once" in said
    fixed = rule_sentences(Sampler(draws=300), Ending("draws", 0, 0))
    assert fixed == ("Each chain was asked for 300 draws, whatever they tell.",)
