"""Predictive p-value of new rows: uniform if they are what the draws expect."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from mirical.compiled.draws import map_draws
from mirical.inference.runtime import plain_keys
from mirical.weighting import predictive_p_value
from mirical.weighting.assimilation import asked_draws, expect_draw
from prior_draws import CARD, drawn_design, prior_draws

OLD, SETS, EACH = 100, 30, 40
COPIES = 1000


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predictive_p_value, "REPLICATES", 19)
    monkeypatch.setattr(predictive_p_value, "_PREDICTING", 13)


@pytest.mark.usefixtures("few")
def test_rows_that_are_expected_are_the_least_probable_once_in_twenty_times():
    """Sets that draws made themselves, each among 19 others, all of other draws: mean share within
    4 standard errors, the least one at most seven times of thirty (one seed in 3000 fails). Rows
    that all lie a third higher are always the least probable."""
    design, _ = drawn_design(0)
    _, sites = prior_draws(SETS * EACH)
    sites = {n: v[:, :OLD] if n in ("expected", "sigma") else v for n, v in sites.items()}
    first = {n: v[::EACH] for n, v in sites.items()}
    asked = asked_draws(first, design, OLD, CARD, seed=11)
    replicate = partial(predictive_p_value._replicate, card=CARD)
    made = map_draws(replicate, asked.draws, asked.rows, asked.new)
    number = len(design.rows) - OLD

    def share(new_rows: np.ndarray, k: int) -> float:
        z = np.append(np.asarray(design.log_factor)[:OLD], new_rows[:number])
        others = {n: v[EACH * k + 1 : EACH * (k + 1)] for n, v in sites.items()}
        changed = replace(design, log_factor=z)
        return predictive_p_value.predictive_p(others, changed, OLD, CARD, k)

    found = np.array([share(made[k], k) for k in range(SETS)])
    assert abs(found.mean() - 0.525) < 4 * 0.288 / np.sqrt(SETS)
    assert np.sum(found == 1 / 20) <= 7
    assert share(made[0] + 0.33, 0) == 1 / 20


def test_simulated_rows_scatter_as_the_draw_expects():
    """Without outliers: whitened rows have mean 0 and variance 1, within 4.5 standard errors."""
    design, _ = drawn_design(0)
    _, sites = prior_draws(1)
    sites = {n: v[:, :OLD] if n in ("expected", "sigma") else v for n, v in sites.items()}
    sites["outlier_fraction"] = np.array([1e-12])
    asked = asked_draws(sites, design, OLD, CARD, seed=2)
    keys, draw = asked.draws
    _, _, _, expected, _ = expect_draw((keys[0], {n: v[0] for n, v in draw.items()}),
                                       asked.rows, asked.new, CARD)  # fmt: skip
    many = {n: np.repeat(v, COPIES, axis=0) for n, v in draw.items()}
    replicate = partial(predictive_p_value._replicate, card=CARD)
    made = map_draws(replicate, (plain_keys(4, "test", COPIES), many), asked.rows, asked.new)
    number = len(design.rows) - OLD
    mean = np.asarray(design.log_factor)[OLD:] - expected.off[:number]
    root = np.linalg.cholesky(expected.covariance[:number, :number])
    unit = np.linalg.solve(root, (made[:, :number] - mean).T)
    assert np.all(np.abs(unit.mean(1)) < 4.5 / np.sqrt(COPIES))
    assert np.all(np.abs((unit**2).mean(1) - 1) < 4.5 * np.sqrt(2 / COPIES))
