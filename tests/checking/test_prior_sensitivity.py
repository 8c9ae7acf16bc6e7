"""Sensitivity to priors, against posteriors whose change is known in closed form."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.table import QTable, vstack
from scipy.stats import norm

from drawn import drawn_tree
from miri_facts import MIRI
from mirical.calibration.draws import Draws, Variable
from mirical.cards.card import load_card
from mirical.cards.priors import Prior
from mirical.checking.prior_sensitivity import (
    THRESHOLD,
    log_density,
    log_priors,
    moves,
    sensitivity_table,
    word_table,
)
from mirical.checking.verdict import prior_sentences

N = 20_000


def posterior_of(mean: float, sd: float, at: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Return exact draws, (chain, draw, 1), of a datum of 0 ± 1 with a normal prior, and ln prior.

    They are the quantiles of the posterior, in an order without meaning.
    """
    precision = 1 + at / sd**2
    quantiles = norm.ppf((np.arange(N) + 0.5) / N, at * mean / sd**2 / precision, precision**-0.5)
    draws = np.random.default_rng(2).permutation(quantiles).reshape(2, -1, 1)
    return draws, norm.logpdf(draws[..., 0], mean, sd)


@pytest.mark.parametrize("sd", [1.0, 2.0])
def test_a_scaled_normal_prior_gives_the_conjugate_posterior(sd: float):
    mean = 0.7
    found = moves(*posterior_of(mean, sd))
    width = (1 + 1 / sd**2) ** -0.5
    centre = mean / sd**2 * width**2
    for i, power in enumerate((0.5, 2.0)):
        precision = 1 + power / sd**2
        expected = (power * mean / sd**2 / precision - centre) / width
        # Weights of 20 000 draws reach tails that quantiles end before.
        assert found.shift[i, 0] == pytest.approx(expected, abs=2e-3)
        assert found.error[i, 0] == pytest.approx(precision**-0.5 / width, abs=2e-3)
    assert found.k < 0.5


def test_a_number_moves_with_the_prior_that_decides_it_alone():
    deciding, said = posterior_of(0.0, 0.5)
    weak, unsaid = posterior_of(0.0, 30.0)
    both = np.concatenate([deciding, np.random.default_rng(3).permuted(weak, axis=1)], axis=-1)
    assert moves(both, said).sensitivity[0] > THRESHOLD > 5 * moves(both, said).sensitivity[1]
    assert np.all(moves(both, unsaid).sensitivity < 0.01)


def test_a_prior_that_is_the_same_at_all_draws_moves_nothing():
    draws, log_prior = posterior_of(0.0, 1.0)
    found = moves(draws, np.full_like(log_prior, -3.0))
    assert (found.sensitivity[0], *found.shift[:, 0], *found.error[:, 0]) == (0, 0, 0, 1, 1)


def test_a_log_normal_prior_is_scaled_as_a_density_of_the_logarithm():
    prior = Prior("tau_median", "log-normal", {"median": 200.0, "spread": 0.5}, "d", "test")
    at = np.array([90.0, 200.0, 410.0])
    expected = norm.logpdf(np.log(at), np.log(200.0), 0.5)
    np.testing.assert_allclose(log_density(prior, at), expected, rtol=1e-12)
    half = Prior("loss_scale", "half-normal", {"scale": 0.15}, "1", "test")
    at = np.array([0.01, 0.2])
    np.testing.assert_allclose(log_density(half, at), np.log(2) + norm.logpdf(at, 0, 0.15))


def test_each_prior_counts_its_own_draws_and_what_is_fixed_none():
    card = load_card("hierarchical", "test", MIRI)
    a = np.exp(np.random.default_rng(4).standard_normal((2, 3, 2)))
    scale = np.full((2, 3), 0.01)
    dims = ("chain", "draw")
    draws = Draws(
        {},
        {
            "posterior": {
                "A": Variable((*dims, "band"), a),
                "band": Variable(("band",), np.array(["F560W", "F770W"])),
                "star_scale": Variable(dims, scale),
                "flux_scale": Variable(dims, scale),
            }
        },
    )
    found = log_priors(draws, card)
    assert set(found) == {"A", "star_scale"}
    np.testing.assert_allclose(found["A"], norm.logpdf(np.log(a), 0, 3).sum(axis=-1))
    np.testing.assert_allclose(found["star_scale"], norm.logpdf(np.log(scale / 0.02), 0, 0.35))


def test_constant_numbers_have_no_line():
    found = sensitivity_table(with_references(), load_card("hierarchical", "test", MIRI))
    assert set(found["prior"]) == {"A", "visit_scale"}
    assert "FULL" not in set(found["of"][found["number"] == "D"])
    assert np.all(np.isfinite(found["sensitivity"]))
    # The draws of A know nothing of the visit scale, which is constant here.
    assert not np.any(found["moves"][found["prior"] == "visit_scale"])


def with_references():
    tree = drawn_tree()
    after = tree["posterior"].to_dataset()
    tree["posterior"] = type(tree)(after.assign(C_ref=after["A"]))
    return tree


def sensitivities(number: str = "tau", **of: float) -> QTable:
    """Return the sensitivity of a number in some bands to two priors, five times to the first."""
    table = QTable()
    table["prior"] = np.repeat(["tau_median", "tau_spread"], len(of))
    table["number"], table["of"] = number, [*of, *of]
    table["sensitivity"] = [*of.values(), *(size / 5 for size in of.values())]
    table["moves"] = table["sensitivity"] > THRESHOLD
    table["error_half"], table["error_double"] = 1.5, 0.75
    return table


@pytest.mark.parametrize(
    ("word", "moving", "still"),
    [("data", False, True), ("partly prior", True, False), ("prior", True, False)],
)
def test_a_word_agrees_with_what_moves(word: str, moving: bool, still: bool):
    said = {("tau", "F560W"): word, ("tau", "F770W"): word}
    found = word_table(said, sensitivities(F560W=0.2, F770W=0.01))
    assert list(found["agrees"]) == [moving, still]
    assert list(found["sensitivity"]) == [0.2, 0.01]
    assert set(found["prior"]) == {"tau_median"}


def test_borrowed_from_other_bands_may_do_either():
    said = {("tau", "F560W"): "borrowed", ("tau", "F770W"): "borrowed"}
    assert np.all(word_table(said, sensitivities(F560W=0.2, F770W=0.01))["agrees"])


def test_what_moves_is_told_and_whether_the_report_calls_it_data():
    found = vstack([sensitivities(F560W=0.2, F770W=0.1), sensitivities("C_ref", F770W=0.01)])
    said = {("tau", "F560W"): "data", ("tau", "F770W"): "prior", ("C_ref", "F770W"): "data"}
    factor = (
        "A factor depends most on the prior of tau_median: with half and twice the prior's power "
        "the error of C_ref of F770W is 1.50 and 0.75 times what it is."
    )
    assert prior_sentences(found, word_table(said, found)) == [
        "Reported numbers move with 1 of the card's 2 priors: tau_median (tau of F560W, F770W).",
        factor,
        "The report gives tau of F560W as resting on data all the same.",
    ]
    still = sensitivities("C_ref", F770W=0.01)
    assert prior_sentences(still, word_table(said, still)) == [
        "No reported number moves with any of the card's 2 priors.",
        factor,
    ]
