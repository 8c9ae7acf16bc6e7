"""What leaving out a visit or a program would do, against doing it."""

from __future__ import annotations

from itertools import product
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import xarray as xr
from astropy.table import QTable
from scipy.stats import multivariate_normal

from mirical.checking.group_table import group_table
from mirical.checking.left_out_groups import Group, group_log_density, row_groups
from mirical.checking.verdict import group_sentences
from mirical.inference.gaussian import Gaussians
from mirical.model.design import Design
from mirical.model.row_gaussian import Gaussian
from prior_draws import CARD, drawn_design


@pytest.fixture(scope="module")
def drawn() -> tuple[Design, Gaussian]:
    """Return rows drawn from the prior and their Gaussian at the true draw."""
    design, sites = drawn_design(0)
    return design, Gaussians(sites, design, CARD, seed=3)[0]


def visits(design: Design) -> list[np.ndarray]:
    visit = np.asarray(design.visit)
    return [np.flatnonzero(visit == v) for v in np.unique(visit)]


def test_factors_without_a_visit_are_those_of_a_fit_to_the_other_rows(drawn):
    design, rows = drawn
    for group in visits(design)[:4]:
        rest = np.setdiff1d(np.arange(len(rows.residual)), group)
        solved = np.linalg.solve(rows.covariance[np.ix_(rest, rest)], rows.residual[rest])
        expected = rows.log_a_mean + rows.log_a[:, rest] @ solved
        np.testing.assert_allclose(rows.log_a_without(group), expected, atol=1e-8)


@pytest.mark.parametrize("outliers", [1, 2])
def test_two_rows_are_as_likely_given_the_others_as_summed_over_outliers(drawn, outliers: int):
    """Of two rows, all four patterns are the draw's own, none, or a flip away, each once."""
    _, rows = drawn
    odd, sound = np.flatnonzero(rows.outlier), np.flatnonzero(1 - rows.outlier)
    group = np.r_[odd[:outliers], sound[: 2 - outliers]]
    rest = np.setdiff1d(np.arange(len(rows.residual)), group)
    across = rows.covariance[np.ix_(group, rest)]
    gain = np.linalg.solve(rows.covariance[np.ix_(rest, rest)], across.T).T
    covariance = rows.covariance[np.ix_(group, group)] - gain @ across.T
    covariance = covariance - np.diag(rows.outlier[group] * rows.outlier_width**2)
    off, f = rows.residual[group] - gain @ rows.residual[rest], rows.outlier_fraction
    density = 0.0
    for pattern in product((0, 1), repeat=2):
        wide = covariance + np.diag(np.array(pattern) * rows.outlier_width**2)
        share = np.prod([f if odd else 1 - f for odd in pattern])
        density += share * multivariate_normal(np.zeros(2), wide).pdf(off)
    assert group_log_density(rows, group) == pytest.approx(np.log(density), abs=1e-6)


def made(design: Design, program: list[str], flagged: int | None = None) -> Any:
    """Return inputs with a program for each row, and one row more that is flagged."""
    table = QTable({"PID": program})
    table["flag"] = ["odd" if i == flagged else "" for i in range(len(program))]
    factors = SimpleNamespace(observations=SimpleNamespace(table=table))
    return SimpleNamespace(design=design, factors=factors)


def test_groups_are_visits_and_programs_of_the_fitted_rows(drawn):
    design, _ = drawn
    n = len(design.rows)
    program = ["9999", *["1536"] * 2, *["1537"] * 3, *[""] * (n - 5)]
    groups = row_groups(made(design, program, flagged=0))
    of = {group.name: group.rows.tolist() for group in groups if group.kind == "program"}
    assert of == {"1536": [0, 1], "1537": [2, 3, 4]}
    found = [group.rows.tolist() for group in groups if group.kind == "visit"]
    assert sorted(found) == sorted(rows.tolist() for rows in visits(design))
    alone = row_groups(made(design, ["1536"] * n))
    assert {group.kind for group in alone} == {"visit"}


def test_draws_a_group_speaks_against_count_more_without_it(drawn):
    """A group twice as likely at odd draws: without it these have a third of the weight."""
    design, _ = drawn
    n, n_bands = 60, len(design.bands)
    odd = np.arange(n) % 2
    each: Any = [
        SimpleNamespace(
            group_said=np.array([np.log(2.0) * o + 1e-3 * i]),
            log_a_without_group=np.full((1, n_bands), float(o)),
            log_a=np.zeros(n_bands),
            log_a_var=np.full(n_bands, 0.04),
        )
        for i, o in enumerate(odd)
    ]
    ones = np.ones((1, n, n_bands))
    dims = ("chain", "draw", "band")
    of_run = xr.Dataset({"C_ref": (dims, 0.9 * ones), "A": (dims, ones)})
    posterior = xr.DataTree.from_dict({"posterior": of_run})
    band = np.asarray(design.band)
    group = Group("program", "1536", np.flatnonzero(band == 2))
    found = group_table(each, list(range(n)), posterior, design, [group])
    assert design.bands[2] not in list(found["filter"]) and len(found) == n_bands - 1
    np.testing.assert_allclose(found["shift"].value, 100 / 3, atol=3)
    np.testing.assert_allclose(found["shift_sigma"], 5 / 3, atol=0.15)


def test_the_verdict_names_the_group_that_moves_a_factor_most():
    names = ("left_out", "name", "rows", "filter", "shift", "shift_sigma", "pareto_k", "basis")
    lines = [
        ("visit", "A 59720.0", 2, "F560W", 0.1, 0.2, 0.1, "formula"),
        ("visit", "B 59730.0", 3, "F770W", -0.5, -0.9, 0.1, "formula"),
        ("program", "1536", 20, "F770W", 3.0, 4.0, 1.2, "unknown"),
    ]
    table = QTable(rows=lines, names=names, units={"shift": "percent"})
    assert group_sentences(table) == [
        "The visit that moves a factor most is B 59730.0: without its 3 rows C_ref of F770W is "
        "−0.5 % (−0.9 σ) off.",
        "What leaving out program 1536 would do, these draws cannot tell.",
    ]
