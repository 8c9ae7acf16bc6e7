"""Joint covariance of goal and candidates: exact given a draw, and the two parts over draws."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from designs import crowded_design
from mirical.inference.gaussian import Gaussians
from mirical.laws.timelaw import ADDITIVE, log_relative_factor
from mirical.model.design import Design
from mirical.planning.augmented import augment
from mirical.planning.candidates import Candidates
from mirical.planning.goals import Atom, Goal
from mirical.planning.moments import Moments, given_draw, moments
from prior_draws import CARD, drawn_design


def candidates(design: Design, *of: tuple[str, str, str, float, str]) -> Candidates:
    """Return candidates of star, band, subarray, epoch and unit."""
    stars, bands, subarrays, mjd, units = zip(*of, strict=True)
    known = dict(zip(design.stars, (design.types[int(k)] for k in design.star_type), strict=True))
    n = len(of)
    return Candidates(
        stars=stars, bands=bands, subarrays=subarrays, terms=subarrays, mjd=np.array(mjd),
        units=units, exposures=np.ones(n), unc=np.full(n, 0.003), flux_unc=np.zeros(n),
        types={star: known.get(star, design.types[0]) for star in stars},
        hours=dict.fromkeys(units, 1.0), notes=(),
    )  # fmt: skip


def given(design: Design, sites: dict, planned: Candidates, goal: Goal):
    joined = augment(design, CARD, planned, goal.atoms)
    of = joined.sites(sites, CARD, np.random.default_rng(0))
    return given_draw(Gaussians(of, joined.design, CARD, seed=1), 0, joined, goal)


def one_form(*atoms: Atom, weights: tuple[float, ...] = (1.0,)) -> Goal:
    return Goal("made", ("made",), atoms, np.array([weights]))


def test_a_factor_has_the_mean_and_covariance_of_the_rows_gaussian():
    design, sites = drawn_design(0)
    gaussian = Gaussians(sites, design, CARD, seed=1)[0]
    bands, mjd = design.bands, design.t0 + 700.0
    atoms = tuple(Atom(band, mjd=mjd) for band in bands)
    goal = Goal("made", bands, atoms, np.eye(len(bands)))
    planned = candidates(design, (design.stars[0], bands[0], design.subarrays[1], mjd, "u"))
    mean, covariance = given(design, sites, planned, goal)
    log_a, expected = gaussian.log_a_posterior()
    law = {"loss": sites["loss"][0], "tau": sites["tau"][0]}
    at = log_relative_factor(ADDITIVE, np.full(len(bands), 700.0), law, np.arange(len(bands)))
    np.testing.assert_allclose(mean[:-1], log_a + at, atol=1e-6)
    np.testing.assert_allclose(covariance[:-1, :-1], expected, atol=1e-8)


def test_a_candidate_is_what_a_row_of_the_run_in_its_place_would_be():
    """The last rows of the design are taken out and given as candidates, each in a new visit."""
    whole, sites = drawn_design(0)
    n = len(whole.rows) - 3
    fresh = np.asarray(whole.visit).copy()
    fresh[n:] = len(whole.visits) + np.array([0, 0, 1])
    # The first two share star and visit.
    star, band = np.asarray(whole.star).copy(), np.asarray(whole.band)
    star[n + 1] = star[n]
    whole = replace(
        whole, star=star, visit=fresh, visits=(*whole.visits, "new 1", "new 2"),
        log_factor=np.where(np.arange(n + 3) < n, whole.log_factor, 0.0),
    )  # fmt: skip
    reference = Gaussians(sites, whole, CARD, seed=1)[0]
    # Outliers of the run's rows are drawn by the seed, in both the same.
    off, expected = reference.given_rows(np.arange(n + 3) < n)
    cut = {name: np.asarray(getattr(whole, name))[:n]
           for name in ("log_factor", "log_factor_unc", "elapsed", "band", "subarray", "star",
                        "visit")}  # fmt: skip
    covariates = replace(
        whole.covariates,
        **{k: np.asarray(getattr(whole.covariates, k))[:n]
           for k in ("log_rate", "log_well", "reduction")},
    )  # fmt: skip
    design = replace(whole, **cut, visits=whole.visits[:-2], rows=whole.rows[:n],
                     covariates=covariates)  # fmt: skip
    of = [
        (whole.stars[star[i]], whole.bands[band[i]], whole.subarrays[whole.subarray[i]],
         whole.t0 + float(whole.elapsed[i]), "third" if i == n + 2 else "first")
        for i in range(n, n + 3)
    ]  # fmt: skip
    shorter = sites | {name: sites[name][:, :n] for name in ("expected", "sigma")}
    goal = one_form(Atom(design.bands[0], mjd=design.t0))
    mean, covariance = given(design, shorter, candidates(design, *of), goal)
    np.testing.assert_allclose(mean[1:], -off, atol=1e-6)
    np.testing.assert_allclose(covariance[1:, 1:], expected, atol=1e-8)


@pytest.mark.parametrize("band", [None, "own"])
def test_d_is_the_difference_of_two_readouts_of_one_visit(band: str | None):
    """ln C in the reference less that in a readout, same star, band and visit, is ln D + departure.

    That of the common D alone is less certain by nothing but the departure, of another band.
    """
    design, sites = drawn_design(0)
    of, sub, mjd = design.bands[0], design.subarrays[1], design.t0 + 300.0
    star = design.stars[1]
    planned = candidates(design, (star, of, sub, mjd, "u"), (star, of, "FULL", mjd, "u"))
    if band is None:
        sites = sites | {"subarray_band_scale": np.zeros(1)}
    goal = one_form(Atom(None if band is None else of, sub))
    _, covariance = given(design, sites, planned, goal)
    difference = np.array([1.0, 1.0, -1.0])
    np.testing.assert_allclose(covariance @ difference, 0, atol=1e-8)


def test_a_new_star_is_as_uncertain_as_its_priors():
    """Two stars of one type that nobody saw: they differ by offsets of stars and visits alone."""
    design, sites = drawn_design(0)
    at, band, kind = design.t0 + 100.0, design.bands[0], design.types[1]
    of = [(name, band, "FULL", at, "u") for name in ("NEW", "OTHER")]
    planned = replace(candidates(design, *of), types={"NEW": kind, "OTHER": kind})
    gray = sites | {"colour_scale": np.full(1, 1e-12)}
    _, covariance = given(design, gray, planned, one_form(Atom(band, mjd=at)))
    own = covariance[1:, 1:] - covariance[1, 2]
    expected = sites["star_scale"][0] ** 2 + sites["visit_scale"][0] ** 2
    np.testing.assert_allclose(own, expected * np.eye(2), atol=1e-8)


def test_means_and_covariances_over_draws_add_up():
    """Four draws by hand: mean covariance 3, covariance of the means by its formula."""
    means = np.array([[0.0, 0.0], [2.0, 2.0], [0.0, 2.0], [2.0, 4.0]])
    covariances = np.stack([2 * np.eye(2), 4 * np.eye(2)])
    found = Moments(means, covariances, np.array([[1.0], [3.0]]), np.array([0, 0, 1, 1]), 1)
    prospect = found.prospect()
    np.testing.assert_allclose(prospect.covariance, 3 * np.eye(2) + np.cov(means, rowvar=False))
    np.testing.assert_allclose(prospect.noise, [2.0])
    # Each batch left out leaves the other: variances 2 + 4 and 2 + 2, so (6 - 4) / 2 by jackknife.
    assert found.error(lambda of: np.array(of.variance)) == pytest.approx(1.0)


def test_of_a_mean_over_batches_the_jackknife_gives_the_error_of_the_mean():
    noise = np.array([[1.0], [3.0], [8.0], [4.0], [2.0]])
    batch = np.repeat(np.arange(5), 2)
    found = Moments(np.zeros((10, 2)), np.zeros((5, 2, 2)), noise, batch, 1)
    expected = noise.std(ddof=1) / 5**0.5
    assert found.error(lambda of: of.noise) == pytest.approx(np.array([expected]))


def test_the_error_of_a_candidate_is_that_of_its_exposures_which_are_no_outliers():
    """Repeatability and photometric error, over exposures times the share of sound ones."""
    design, sites = drawn_design(0)
    at, goal = design.t0 + 100.0, one_form(Atom(design.bands[0], mjd=design.t0))
    of = [(design.stars[0], design.bands[b], "FULL", at, "u") for b in (0, 2)]
    planned = replace(
        candidates(design, *of), exposures=np.array([4.0, 9.0]), unc=np.array([0.003, 0.02])
    )
    two = {name: np.repeat(value, 2, axis=0) for name, value in sites.items()}
    two["outlier_fraction"] = np.array([0.2, 0.5])
    repeatability = np.full((2, len(design.bands)), 0.004)
    repeatability[:, 2] = 0.01, 0.03
    joined = augment(design, CARD, planned, goal.atoms)
    drawn = joined.sites(two, CARD, np.random.default_rng(0))
    gaussians = Gaussians(drawn, joined.design, CARD, seed=1)
    found = moments(gaussians, joined, planned, goal, repeatability, lambda draws: None)
    first = (0.004**2 + 0.003**2) / 4
    second = (0.01**2 + 0.02**2) / (9 * 0.8), (0.03**2 + 0.02**2) / (9 * 0.5)
    expected = [0.5 * first * (1 / 0.8 + 1 / 0.5), 0.5 * sum(second)]
    np.testing.assert_allclose(found.prospect().noise, expected)


def test_the_design_keeps_its_rows():
    design = crowded_design(60)
    planned = candidates(design, ("NEW", design.bands[2], design.subarrays[2], 60500.0, "u"))
    joined = augment(design, CARD, planned, (Atom(design.bands[1], mjd=61000.0),))
    for name in ("band", "star", "visit", "elapsed", "log_factor"):
        np.testing.assert_array_equal(getattr(joined.design, name)[:60], getattr(design, name))
    # At the card's pivot a slope with the count rate says nothing.
    np.testing.assert_allclose(joined.design.covariates.log_rate[60:], np.log10(300.0))
    assert joined.new_stars == 1 and joined.design.stars[-1] == "NEW"
    assert joined.design.elapsed[-2:].tolist() == [60500.0 - design.t0, 61000.0 - design.t0]
    assert len(set(joined.design.visit[-2:]) | set(design.visit)) == len(set(design.visit)) + 2
