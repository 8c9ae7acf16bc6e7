"""Draws moved by exact trajectories: what they were draws of stays as it is."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from numpyro.infer.util import potential_energy
from scipy.special import expit, logit

from mirical.compiled.draws import map_draws
from mirical.inference.runtime import plain_keys
from mirical.model.collapsed import collapsed
from mirical.model.nesting import Rows, make_blocks, roomy_rows
from mirical.model.terms import colour_correlation, given_names
from mirical.weighting.moves import log_density, moved_draw, told_sites, trajectory
from prior_draws import CARD, drawn_design, prior_draws

DRAWS = 800


def test_a_known_density_stays_as_it_is():
    """Normal, 0.3 to 2 wide and skewed by a quartic; mean and square within 4.5 errors."""
    width = jnp.array([0.3, 1.0, 2.0])

    def density(x: jax.Array) -> jax.Array:
        return -0.5 * jnp.sum((x / width) ** 2)

    start = np.random.default_rng(1).normal(size=(20000, 3)) * np.asarray(width)
    keys = jax.random.split(jax.random.key(2), len(start))
    ended = jax.jit(jax.vmap(lambda key, x: trajectory(key, density, x)))(keys, jnp.asarray(start))
    for moment in (1, 2):
        change = (np.asarray(ended) ** moment - start**moment) / np.asarray(width) ** moment
        error = change.std(0) / np.sqrt(len(start))
        assert np.all(np.abs(change.mean(0)) < 4.5 * error), moment
        assert np.all(error < 0.02)
    moved = np.mean(np.asarray(ended) != start, axis=0)
    assert np.all(moved > 0.9)


def outliers(sites: dict[str, np.ndarray], seed: int) -> np.ndarray:
    """Draw which rows are outliers given everything else."""
    off = sites["log_factor"] - sites["expected"]
    fraction, width = (sites[f"outlier_{name}"][:, None] for name in ("fraction", "width"))
    variance = sites["sigma"] ** 2
    wide = variance + width**2
    log_odds = logit(fraction) + 0.5 * np.log(variance / wide)
    log_odds = log_odds + 0.5 * off**2 * (1 / variance - 1 / wide)
    chance = np.random.default_rng(seed).uniform(size=off.shape)
    return (chance < expit(log_odds)).astype(float)


def test_draws_of_the_prior_stay_draws_of_the_prior():
    """A draw that made its rows is one of their posterior, and stays one: no quantity's mean or
    square changes by more than 4.5 errors (false alarms: one seed in 1000)."""
    design, sites = prior_draws(DRAWS)
    rows = Rows(design, make_blocks(design, colour_correlation(design, CARD)))
    known = {name: sites[name] for name in given_names(design, CARD) if name in sites}
    known = {name: value for name, value in known.items() if not name.endswith("_unit")}
    told = told_sites(known, rows, CARD, seed=4)
    # About as wide as the rows leave them.
    width = {name: 0.1 * np.std(value, axis=0) for name, value in told.items()}

    def moved(draw, rows: Rows, width):
        *draw, z = draw
        rows = rows._replace(design=replace(rows.design, log_factor=z))
        return moved_draw(tuple(draw), rows, width, card=CARD)

    draws = plain_keys(7, "test", DRAWS), told, known["colour_precision"], outliers(sites, 3)
    found = map_draws(moved, (*draws, sites["log_factor"]), rows, width)
    for name in ("loss", "tau", "repeatability", "star_scale", "outlier_fraction", "loss_scale",
                 "visit_scale", "subarray_band_scale", "colour_scale", "repeatability_spread",
                 "tau_spread", "outlier_width"):  # fmt: skip
        before, after = np.log(np.abs(sites[name])), np.log(np.abs(found[name]))
        for moment in (1, 2):
            change = after**moment - before**moment
            error = change.std(0) / np.sqrt(DRAWS)
            assert np.all(np.abs(change.mean(0)) < 4.5 * error), (name, moment)
        assert np.mean(np.abs(after - before) > 1e-6) > 0.5, name


def test_rows_that_only_fill_up_change_no_density():
    design, sites = drawn_design(0)
    named = given_names(design, CARD)
    known = {n: v for n, v in sites.items() if n in named and not n.endswith("_unit")}
    outlier = outliers(sites, 1)
    correlation = colour_correlation(design, CARD)
    rows, roomy = Rows(design, make_blocks(design, correlation)), roomy_rows(design, correlation)
    precision = known["colour_precision"][0]
    told = told_sites(known, rows, CARD, seed=4)
    shifted = [{n: v[0] + by for n, v in told.items()} for by in (0.0, 0.1)]
    more = np.pad(outlier[0], (0, len(roomy.design.rows) - len(design.rows)))

    def change(of) -> float:
        return float(of(shifted[1]) - of(shifted[0]))

    expected = change(
        lambda z: (
            -potential_energy(partial(collapsed, card=CARD), (*rows, outlier[0], precision), {}, z)
        )
    )
    for some, of in ((rows, outlier[0]), (roomy, more)):
        found = change(lambda z, some=some, of=of: log_density(z, precision, of, some, CARD))
        assert abs(found - expected) < 1e-6 * abs(expected)
