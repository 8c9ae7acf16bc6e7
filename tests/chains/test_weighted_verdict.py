"""Verdict on weighted draws: by the weights and by what they leave, never by R-hat."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from mirical.chains.weighted_verdict import WEIGHTED_ESS, Weighed, enough_draws, judge_weighted

SOUND = Weighed("update", 0.3, 0.7, 3000.0, "run the job again")


def posterior(draws: np.ndarray) -> xr.DataTree:
    variable = xr.DataArray(draws[..., None], dims=("chain", "draw", "band"), name="A")
    dataset = variable.assign_coords(band=["F560W"]).to_dataset()
    return xr.DataTree.from_dict({"posterior": dataset})


def independent(seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(4, 1000))


def test_even_weights_and_many_draws_are_believed():
    verdict = judge_weighted(posterior(independent()), ["A"], ["A"], SOUND)
    assert verdict.believable and verdict.weighted and verdict.as_dict()["pareto_k"] == 0.3
    assert verdict.sentences == ("The weights are even enough, and the draws may be used.",)


@pytest.mark.parametrize(
    ("weighed", "said"),
    [
        ({"k": 0.71}, "Pareto k is 0.71, expected below 0.70; run the job again."),
        ({"k": np.nan}, "Pareto k is nan, expected below 0.70"),
        ({"effective": 399.0}, "leave 399 effective draws, expected at least 400; run the job"),
        ({"doubts": ("The parent was not believed.",)}, "The parent was not believed."),
    ],
)
def test_it_says_what_speaks_against_the_weights(weighed: dict, said: str):
    found = judge_weighted(posterior(independent()), ["A"], ["A"], replace(SOUND, **weighed))
    assert not found.believable
    assert len(found.sentences) == 1 and said in found.sentences[0]


def test_copies_of_few_draws_are_not_taken_for_many():
    """4000 draws of 200 distinct ones, copies side by side."""
    few = np.repeat(np.random.default_rng(2).normal(size=200), 20).reshape(4, 1000)
    found = judge_weighted(posterior(few), ["A"], ["A"], SOUND)
    assert not found.believable and found.min_ess_bulk < WEIGHTED_ESS
    assert "bulk ESS of A[F560W]" in found.sentences[0]


def test_parts_that_differ_by_chance_of_few_draws_are_not_judged_by_r_hat():
    shifted = independent() + np.array([0.12, 0.0, 0.0, -0.12])[:, None]
    found = judge_weighted(posterior(shifted), ["A"], [], SOUND)
    assert found.worst_rhat > 1.003 and not any("R-hat" in one for one in found.sentences)


def test_enough_draws_are_those_that_the_verdict_asks_for():
    many = independent()[..., None]
    few = np.repeat(many[:, :20], 50, axis=1)
    assert enough_draws({"A": many, "tau": many}, ["A"], 400)
    assert not enough_draws({"A": many, "tau": few}, ["A"], 400)
    assert enough_draws({"A": many[:, :60]}, [], 200)  # 240 draws; their errors are not judged
    assert not enough_draws({"A": np.exp(3 * many[:, :60])}, ["A"], 200)
