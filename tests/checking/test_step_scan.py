"""Scan over the date of a step: it finds what was planted, and names month and size."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from astropy import units as u
from astropy.table import QTable
from scipy.stats import multivariate_normal

from mirical.checking.predictive_pvalues import Finding
from mirical.checking.step_scan import (
    STEP_SPREAD,
    StepDates,
    named_step,
    step_dates,
    step_scores,
    step_table,
)
from mirical.checking.tables import check_table
from mirical.checking.verdict import step_remedy
from mirical.inference.gaussian import Gaussians
from mirical.model.row_gaussian import Gaussian
from prior_draws import CARD, drawn_design


def at_truth() -> tuple[Gaussian, StepDates]:
    """Return sound rows at their true draw, and the dates between them."""
    design, sites = drawn_design(1, 60)
    noise = np.random.default_rng(1).standard_normal(len(design.rows))
    rows = sites["expected"][0] + sites["sigma"][0] * noise
    sound = replace(design, log_factor=rows)
    return Gaussians(sites, sound, CARD, 2)[0], step_dates(design)


def stepped(rows: Gaussian, size: float, column: np.ndarray) -> Gaussian:
    """Return the rows with a step of all bands."""
    return replace(rows, residual=rows.residual + size * column)


def test_weight_and_size_of_a_step_are_those_of_a_model_with_it():
    rows, dates = at_truth()
    column = dates.columns[:, 5]
    # Without a law that bends, W is V, and the gain is a ratio of normal densities.
    rigid = replace(rows, freed_covariance=rows.covariance, shared_law=0 * rows.shared_law)
    scores = step_scores(rigid, dates)
    wide = rows.covariance + STEP_SPREAD**2 * np.outer(column, column)
    gain = multivariate_normal(np.zeros(len(column)), wide).logpdf(rows.residual)
    days = np.log(dates.latest[5] - dates.earliest[5])
    assert scores.log_weight[5] == pytest.approx(gain - rows.log_density + days, abs=1e-4)
    precision = np.linalg.inv(rows.covariance)
    assert scores.size_var[5] == pytest.approx(1 / (column @ precision @ column), rel=1e-5)
    moved = step_scores(stepped(rigid, 0.03, column), dates).size[5] - scores.size[5]
    assert moved == pytest.approx(0.03, rel=1e-6)


def test_what_the_common_law_can_take_up_is_no_step():
    """Losses of all bands, or their time constant, that the law has wrong do not move a score."""
    rows, dates = at_truth()
    free = replace(rows, shared_law=1e3 * rows.shared_law)
    bent = rows.shared_law.sum(axis=1)
    moved = step_scores(replace(free, residual=rows.residual + bent), dates).size
    rigid = replace(rows, shared_law=0 * rows.shared_law)
    wrong = step_scores(replace(rigid, residual=rows.residual + bent), dates).size
    off = np.abs(moved - step_scores(free, dates).size).max()
    assert off < 1e-4 < 0.1 * np.abs(wrong - step_scores(rigid, dates).size).max()


def test_a_planted_step_is_named_by_its_dates():
    rows, dates = at_truth()
    place = len(dates.earliest) // 2
    scores = step_scores(stepped(rows, 0.3, dates.columns[:, place]), dates)
    said = np.stack([scores.log_weight, scores.size, scores.size_var])[None]
    table = step_table(said, dates)
    assert np.argmax(table["probability"]) == place
    assert table["probability"].sum() == pytest.approx(1)
    named = named_step(table)
    assert dates.earliest[place] <= named.earliest < named.latest <= dates.latest[place]
    assert named.size == pytest.approx(30, abs=4 * named.size_unc)


def test_rows_of_one_day_have_no_date_to_ask_about():
    rows, _ = at_truth()
    design, _ = drawn_design(1, 60)
    none = step_dates(replace(design, elapsed=np.zeros(len(design.rows))))
    scores = step_scores(rows, none)
    said = np.stack([scores.log_weight, scores.size, scores.size_var])[None]
    assert len(step_table(said, none)) == 0


def steps(probability: list[float]) -> QTable:
    """Return dates in May, and from 20 May to 9 June, of 2023."""
    table = QTable()
    table["earliest"] = [60070.0, 60084.0] * u.d
    table["latest"] = [60084.0, 60104.0] * u.d
    table["probability"] = probability
    table["size"] = [1.0, 2.0] * u.percent
    table["size_unc"] = [0.3, 0.2] * u.percent
    return table


def test_month_and_interval_are_those_of_days_alike_inside_a_gap():
    named = named_step(steps([0.1, 0.9]))
    assert named.month == "May 2023"
    assert named.earliest == pytest.approx(60077.0)
    assert named.latest == pytest.approx(60104 - 0.05 / 0.9 * 20)
    assert (named.mjd, named.size, named.size_unc) == (60094.0, 2.0, 0.2)


def test_a_step_that_fires_is_told_with_what_to_do():
    checks = QTable({"check": ["rows", "step"], "fires": [False, True]})
    (said,) = step_remedy(checks, steps([0.1, 0.9]))
    assert "add the term step with dates = [60094] to the card" in said
    checks["fires"] = [True, False]
    assert step_remedy(checks, steps([0.1, 0.9])) == []


def test_date_and_size_told_are_of_all_draws():
    """Not of the one whose p-value counts."""
    found = [Finding("step", 0.001, "MJD 1 to 2", 5.0, 0.07, 0.01)]
    each: list = [SimpleNamespace(findings=found)]
    (row,) = check_table(each, steps([0.1, 0.9]))
    assert row["extreme"] == "May 2023 (MJD 60077 to 60103)" and row["fires"]
    assert (row["size"].value, row["size_unc"].value) == (2.0, 0.2)
