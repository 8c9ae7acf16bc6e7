"""Predictive p-values: uniform where the draw is the truth, small where the rows were changed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import kstest

from mirical.cards.card import Card
from mirical.checking.predictive_pvalues import CheckOutcome, Finding, check_outcomes, findings
from mirical.checking.scatter import clustered
from mirical.checking.score_directions import families, slopes
from mirical.inference.gaussian import Gaussians
from mirical.model.design import Design
from prior_draws import CARD, drawn_design

N_DRAWS = 60


def sound_design(draw: int) -> tuple[Design, dict[str, np.ndarray]]:
    """Return rows about what a prior draw expects of them, none of which went wrong."""
    design, sites = drawn_design(draw, N_DRAWS)
    noise = np.random.default_rng(draw).standard_normal(len(design.rows))
    return replace(design, log_factor=sites["expected"][0] + sites["sigma"][0] * noise), sites


ALL_SOUND = replace(CARD, terms=tuple(term for term in CARD.terms if term != "outliers"))
"""A row off by much would else pass for one that went wrong, as in a fit it may."""


def found(
    design: Design, sites: dict[str, np.ndarray], seed: int = 2, card: Card = CARD
) -> dict[str, Finding]:
    parameters = {"flux": 10.0 ** np.random.default_rng(7).uniform(0, 2, len(design.rows))}
    rows = Gaussians(sites, design, card, seed)[0]
    random = np.random.default_rng(seed)
    every = findings(rows, families(design, parameters), design, random)
    return {finding.check: finding for finding in every}


def test_p_values_of_the_true_draw_are_uniform():
    """Kolmogorov-Smirnov on 60 data sets for each of ten checks: a false alarm in 1 % of seeds."""
    each = [found(*drawn_design(draw, N_DRAWS), seed=draw) for draw in range(N_DRAWS)]
    names = list(each[0])
    asked = {"rows", "visits", "stars", "subarrays", "time", "dependence", "scatter", "step"}
    assert asked <= set(names)
    for name in names:
        p = kstest([one[name].p_value for one in each], "uniform").pvalue
        assert p > 0.01 / len(names), name


CHANGES = {
    "visits": (lambda d: 0.05 * (np.asarray(d.visit) == 7), "7"),
    "rows": (lambda d: 0.4 * (np.arange(len(d.rows)) == 11), "row 12"),
    "subarrays": (
        lambda d: 0.15 * ((np.asarray(d.subarray) == 4) & (np.asarray(d.band) == 1)),
        "SUB64 in F770W",
    ),
}


@pytest.mark.parametrize("check", CHANGES)
def test_a_change_is_found_where_it_was_made(check: str):
    design, sites = sound_design(1)
    change, where = CHANGES[check]
    rows = design.log_factor + change(design)
    finding = found(replace(design, log_factor=rows), sites, card=ALL_SOUND)[check]
    assert finding.p_value < 0.005 and finding.label == where


def test_the_size_of_a_change_is_what_was_added():
    design, sites = sound_design(2)
    here = np.asarray(design.visit) == 7
    shifts = [0.05, 0.08]
    sizes = [
        found(replace(design, log_factor=design.log_factor + s * here), sites, card=ALL_SOUND)
        for s in shifts
    ]
    assert sizes[1]["visits"].size - sizes[0]["visits"].size == pytest.approx(0.03, rel=1e-6)


def test_errors_stated_twice_too_large_show_as_scatter():
    design, sites = sound_design(3)
    large = np.where(np.asarray(design.band) == 1, 0.05, 0.002)
    sigma = np.hypot(sites["repeatability"][0][np.asarray(design.band)], large)
    finding = found(replace(design, log_factor_unc=large), sites | {"sigma": sigma[None]})[
        "scatter"
    ]
    assert finding.p_value < 0.005 and finding.label == design.bands[1] and finding.z < 0


def test_a_slope_s_direction_is_in_decades_about_its_band_s_mean():
    design, _ = drawn_design(0)
    values = np.where(np.arange(len(design.rows)) % 2, 100.0, 1.0)
    column = slopes(design, values)["F560W"]
    here = np.asarray(design.band) == 0
    assert np.ptp(column[here]) == pytest.approx(2.0)
    assert column.sum() == pytest.approx(0) and np.all(column[~here] == 0)


def test_an_alarm_of_one_draw_alone_is_let_pass():
    def of(p: float) -> list[Finding]:
        return [Finding("rows", p, "row 1", 3.0, 0.1, 0.03)]

    assert not check_outcomes([of(0.001), of(0.3), of(0.2)])[0].fires
    assert not check_outcomes([of(0.001), of(0.03), of(0.021)])[0].fires
    assert check_outcomes([of(0.001), of(0.03), of(0.019)])[0].fires
    assert check_outcomes([of(0.02), of(0.001), of(0.001)])[0] == CheckOutcome(of(0.02)[0], 0.001)
    assert check_outcomes([of(0.02), of(0.001), of(0.001)])[0].fires


def test_a_visit_of_one_row_is_no_visit_of_its_own():
    design, _ = drawn_design(0)
    visit = np.where(np.arange(len(design.rows)) == 0, len(design.visits), design.visit)
    made = families(replace(design, visit=visit, visits=(*design.visits, "alone")), {})
    assert "alone" not in made["visits"].labels and "7" in made["visits"].labels
    assert "row 1" in made["rows"].labels


def test_a_direction_that_is_another_flux_of_a_free_star_is_none():
    design, _ = drawn_design(0)
    free = np.isin(np.arange(len(design.stars)), [1]).astype(float)
    made = families(replace(design, free=free, has_free=True), {})
    assert design.stars[1] not in made["stars"].labels and design.stars[0] in made["stars"].labels
    assert made["subarrays"].labels == families(design, {})["subarrays"].labels


def test_wrong_rows_that_fill_a_visit_are_no_chance():
    visit = np.repeat(np.arange(30), 4)
    random = np.random.default_rng(2)
    scattered = np.zeros(120)
    scattered[[3, 40, 77, 101]] = 1
    together = np.zeros(120)
    together[48:52] = 1
    p, where = clustered(together, visit, random, 500)
    assert p < 0.004 and where == 12
    assert clustered(scattered, visit, random, 500)[0] > 0.05


def test_chance_s_own_wrong_rows_have_uniform_p_values():
    """Kolmogorov-Smirnov over 300 choices: a false alarm in 1 % of seeds."""
    random = np.random.default_rng(6)
    visit = random.integers(0, 20, 90)
    each = [clustered(random.permutation(90) < 5, visit, random, 200)[0] for _ in range(300)]
    assert kstest(each, "uniform").pvalue > 0.01


def test_a_visit_whose_rows_all_went_wrong_is_named_without_a_size():
    design, sites = sound_design(4)
    here = np.asarray(design.visit) == 7
    rows = design.log_factor + 0.5 * here
    off = {"expected": sites["expected"], "outlier_fraction": np.array([0.02])}
    finding = found(replace(design, log_factor=rows), sites | off)["visits"]
    assert here.sum() > 3 and finding.label == "7" and finding.p_value < 0.005
    assert np.isnan(finding.size) and np.isnan(finding.z)
