"""Calibration at a run's rows: truths of its posterior, and a second program."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import jax
import numpy as np
import pytest
from numpyro import handlers
from scipy.stats import norm

from mirical.inference.sampling import without_leverage
from mirical.jobs.inputs import resolve_job
from mirical.jobs.job import load_job
from mirical.jobs.sampler import Sampler
from mirical.model.joint import joint
from mirical.validation.posterior_truths import second_program, twice
from mirical.validation.ranked_quantities import tracked
from mirical.validation.replicates import Refitter, Study, values_of

ROWS = "log_factor", "log_factor_unc", "elapsed", "band", "subarray", "star"


@pytest.fixture(scope="module")
def design():
    return resolve_job(load_job("sbc")).design


def test_a_second_program_has_the_same_rows_in_visits_of_its_own(design):
    both, n = twice(design), len(design.rows)
    for name in ROWS:
        halves = np.split(np.asarray(getattr(both, name)), 2)
        assert np.array_equal(*halves) and np.array_equal(halves[0], getattr(design, name))
    first, second = np.split(np.asarray(both.visit), 2)
    assert np.array_equal(second - first, np.full(n, len(design.visits)))
    assert len(set(both.visits)) == 2 * len(design.visits) and len(set(both.rows)) == 2 * n
    for name in ("log_rate", "log_well", "reduction"):
        assert len(getattr(both.covariates, name)) == 2 * n


def test_second_rows_keep_the_draw_but_for_new_visits_and_new_errors(design):
    n = len(design.rows)
    random = np.random.default_rng(1)
    sites = {
        "expected": random.normal(size=n),
        "sigma": np.full(n, 1e-9),
        "visit_offset": random.normal(size=len(design.visits)),
        "visit_scale": np.array(0.02),
    }
    found, rows = second_program(jax.random.key(1), design, sites, 1.0)
    assert np.array_equal(rows[:n], design.log_factor)
    assert np.array_equal(found["expected"][:n], sites["expected"])
    without = sites["expected"] - sites["visit_offset"][design.visit]
    new = np.asarray(rows[n:]) - without
    by_visit = [new[design.visit == v] for v in range(len(design.visits))]
    assert max(np.ptp(one) for one in by_visit) < 1e-7
    size = np.std([one[0] for one in by_visit])
    # The spread of so many normal numbers is within 4 sigma of 2 %.
    assert size == pytest.approx(0.02, rel=4 / np.sqrt(2 * len(by_visit)))
    _, wide = second_program(jax.random.key(1), design, sites | {"sigma": np.full(n, 0.1)}, 1.5)
    errors = np.asarray(wide[n:]) - without - new
    assert errors.std() == pytest.approx(0.15, rel=4 / np.sqrt(2 * n))


def test_a_card_without_visits_has_no_new_ones(design):
    n = len(design.rows)
    sites = {
        "expected": np.linspace(0.0, 1.0, n),
        "sigma": np.full(n, 1e-9),
        "visit_offset": np.zeros(len(design.visits)),
    }
    found, rows = second_program(jax.random.key(1), design, sites, 1.0)
    assert np.array_equal(found["expected"], np.tile(sites["expected"], 2))
    assert np.asarray(rows[n:]) == pytest.approx(sites["expected"], abs=1e-7)


def test_the_truth_is_a_draw_and_its_likelihood_that_of_both_programs():
    inputs = resolve_job(load_job("sbc"))
    card = inputs.card
    model = handlers.trace(handlers.seed(joint, jax.random.key(4)))
    drawn = model.get_trace(without_leverage(inputs.design), card, observed=False)
    one = {name: np.asarray(s["value"]) for name, s in drawn.items() if s["type"] != "plate"}
    truths = {name: value[None] for name, value in one.items()}
    design = replace(inputs.design, log_factor=one["log_factor"])
    study = Study(design, card, Sampler(chains=1), truths=truths)
    simulate = partial(Refitter._simulate, SimpleNamespace(_values=values_of(study.fitted, card)))
    values, rows = simulate(study, jax.random.key(3), study.fitted, truths)
    true = dict(zip(tracked(study.fitted, card), np.asarray(values), strict=True))
    for place, name in enumerate(design.bands):
        assert true[f"A[{name}]"] == pytest.approx(truths["A"][0, place], rel=1e-12)
    program_key = jax.random.split(jax.random.key(3))[1]
    sites, again = second_program(program_key, design, one, 1.0)
    assert np.array_equal(rows, again)
    residual, sigma = np.asarray(again - sites["expected"]), np.asarray(sites["sigma"])
    p, wide = one["outlier_fraction"], np.hypot(sigma, one["outlier_width"])
    density = (1 - p) * norm.pdf(residual, 0, sigma) + p * norm.pdf(residual, 0, wide)
    assert true["log_likelihood"] == pytest.approx(np.log(density).sum(), rel=1e-9)
