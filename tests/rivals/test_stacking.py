"""Models compared by rows left out, and averaged."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from mirical.many.tasks import Result
from mirical.rivals.fits import ARRAYS, Predictions, cut_dates, put_together
from mirical.rivals.stacking import (
    mixture_density,
    mixture_quantiles,
    mixture_share,
    standings,
    too_close,
)
from prior_draws import prior_draws


def predictions(log_likelihood: np.ndarray, problem: str = "") -> Predictions:
    log_a = np.random.default_rng(8).standard_normal((len(log_likelihood), 2))
    nothing = np.zeros((len(log_likelihood), 0))
    return Predictions(log_likelihood, log_a, np.zeros((1, 2, 3)), nothing, nothing, problem)


def densities(mean: float, rows: np.ndarray) -> np.ndarray:
    draws = mean + 0.01 * np.random.default_rng(3).standard_normal(100)
    return norm.logpdf(rows, draws[:, None])


def test_models_stand_by_how_well_they_predict():
    rows = np.random.default_rng(4).standard_normal(200)
    found = {
        "far": predictions(densities(1.0, rows)),
        "true": predictions(densities(0.0, rows)),
        "broken": predictions(densities(0.0, rows), "R-hat is 2.00"),
    }
    stands = standings(found)
    assert list(stands) == ["true", "far"]
    # Half a squared offset a row, and its scatter over rows.
    assert stands["far"].behind == pytest.approx(np.sum(0.5 * (1 - 2 * rows)), rel=0.05)
    assert stands["far"].behind_se == pytest.approx(np.sqrt(200), rel=0.15)
    assert stands["true"].ties and not stands["far"].ties
    assert stands["true"].weight > 0.8
    assert stands["true"].weight + stands["far"].weight == pytest.approx(1)


def test_small_differences_are_too_close_to_call_whatever_their_error_says():
    behind, error = [0.0, 3.9, 4.4, 5.0], [0.0, 2.9, 3.1, 6.0]
    assert too_close(behind, error).tolist() == [True, True, False, True]


def test_what_draws_are_too_few_to_know_is_in_the_error_of_a_difference():
    rows = np.random.default_rng(4).standard_normal(40)
    random = np.random.default_rng(9)

    def of(width: float) -> Predictions:
        # The first half of the draws knows a mean that is off by `width` from that of the second.
        means = width * np.repeat([0.0, 1.0], 50) + 0.01 * random.standard_normal(100)
        return predictions(norm.logpdf(rows, means[:, None]))

    quiet, noisy = (standings({"a": of(w), "b": of(w)}) for w in (0.0, 1.0))
    second = [list(stands.values())[1] for stands in (quiet, noisy)]
    between = abs(np.sum(0.5 * (1 - 2 * rows)))
    assert second[0].behind_se < 0.1
    assert second[1].behind_se == pytest.approx(between / np.sqrt(2), rel=0.1)


def test_two_halves_of_the_rows_share_the_stack():
    rows = np.random.default_rng(5).standard_normal(300) + 4 * np.repeat([0, 1], 150)
    found = {"low": predictions(densities(0, rows)), "high": predictions(densities(4, rows))}
    weights = [one.weight for one in standings(found).values()]
    assert weights == pytest.approx([0.5, 0.5], abs=0.06)


def test_a_mixture_is_the_average_of_what_it_mixes():
    rows = np.array([0.3, 2.0])
    parts = {"one": densities(0, rows), "two": densities(3, rows)}
    weights = {"one": 0.25, "two": 0.75, "none": 0.0}
    expected = 0.25 * np.exp(parts["one"]).mean(0) + 0.75 * np.exp(parts["two"]).mean(0)
    none = {"none": np.full((1, 2), -np.inf)}
    np.testing.assert_allclose(mixture_density(parts | none, weights), np.log(expected))
    shares = {"one": np.full((4, 2), 0.2), "two": np.full((2, 2), 0.6)}
    found = mixture_share(shares, {"one": 0.25, "two": 0.75})
    np.testing.assert_allclose(found, 0.5)


def test_quantiles_of_a_mixture_weigh_models_and_not_draws():
    draws = {"one": np.zeros((1000, 1)), "two": np.linspace(1, 2, 101)[:, None]}
    found = mixture_quantiles(draws, {"one": 0.5, "two": 0.5}, (0.4, 0.75))
    np.testing.assert_allclose(found[:, 0], [0.0, 1.5], atol=0.011)


def test_chains_that_disagree_or_fail_are_told_of_the_fit_of_all_rows():
    def chain(center: float, problem: str = "", draws: int = 100) -> Result:
        judged = np.random.default_rng(1).normal(center, size=(draws, 2))
        arrays = dict.fromkeys(ARRAYS, np.full((3 if draws else 0, 2), center))
        return {**arrays, "problem": problem, "judged": judged}

    cut = chain(5.0, "bad")
    found = put_together([((0, None), chain(0.0)), ((1, None), chain(0.0)), ((2, 120.5), cut)])
    assert list(found) == [None, 120.5] and found[None].problem == ""
    assert found[None].log_a.tolist() == np.zeros((6, 2)).tolist()
    assert found[120.5].problem == "bad" and len(found[120.5].log_a) == 3
    apart = put_together([((0, None), chain(0.0)), ((1, None), chain(9.0))])
    assert apart[None].problem.startswith("R-hat is ")
    failed = chain(0.0, "the chain could not start", draws=0)
    one = put_together([((0, None), failed), ((1, None), chain(1.0))])[None]
    assert one.problem == "the chain could not start" and len(one.log_a) == 3


def test_cuts_leave_rows_on_either_side():
    design, _ = prior_draws(3)
    elapsed = np.asarray(design.elapsed)
    cuts = cut_dates(design, 5)
    before = [(elapsed <= cut).mean() for cut in cuts]
    np.testing.assert_allclose(before, [0.3, 0.45, 0.6, 0.75, 0.9], atol=0.02)
    assert len(cut_dates(design, 0)) == 0
