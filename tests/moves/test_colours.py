from __future__ import annotations

from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpyro import handlers
from scipy.stats import gamma, multivariate_normal

from designs import crowded_design, some_rows
from miri_facts import MIRI
from mirical.cards.card import load_card
from mirical.model.design import filled_up
from mirical.model.joint import sample_offsets
from mirical.model.nesting import make_blocks
from mirical.model.terms import colour_correlation, given
from mirical.moves.colours import Colours, State, star_rows

CARD = load_card("hierarchical", "test", MIRI)
FRACTION, WIDTH = 0.2, 0.05


def colours_of(design) -> Colours:
    blocks = make_blocks(design, colour_correlation(design, CARD))
    return Colours.of(design, CARD, blocks, n_jumps=2)


def conditions(design):
    """Return conditions at one prior draw, offsets of another, and colour precisions."""
    known = handlers.seed(given, 3)(design, CARD)
    colour_precision = jnp.linspace(0.3, 2.0, len(design.stars))
    scales = known.scales._replace(colour=0.02 / jnp.sqrt(colour_precision))
    known = known._replace(
        scales=scales, outlier_fraction=jnp.asarray(FRACTION), outlier_width=jnp.asarray(WIDTH)
    )
    offsets = handlers.seed(sample_offsets, 5)(design, CARD, scales, known.sampled_effect)
    return known, offsets, colour_precision


def test_rows_of_a_star_are_in_order_of_wavelength_and_a_busy_star_has_none():
    design = crowded_design(300)
    rows = star_rows(design)
    for star, mine in enumerate(rows):
        count = int(np.sum(design.star == star))
        if count > 48:
            assert np.all(mine == -1)
        else:
            assert sorted(mine[:count]) == np.flatnonzero(design.star == star).tolist()
            assert np.all(np.diff(design.band[mine[:count]]) >= 0)
    assert np.any(rows == -1)


def test_rows_that_fill_up_are_no_rows_of_a_star():
    design = crowded_design(60)
    rows, filled = star_rows(design), star_rows(filled_up(design, 120, len(design.visits) + 1))
    np.testing.assert_array_equal(filled, rows)


def test_a_free_star_has_no_rows_that_tell_of_its_colours():
    design = crowded_design(60, free=(1,))
    assert np.all(star_rows(design)[1] == -1) and np.any(star_rows(design)[0] >= 0)
    _, offsets, _ = conditions(design)
    count, square = colours_of(design).squares(design, offsets)
    assert float(count[1]) == 0 and float(square[1]) == 0 and float(count[0]) > 0


def exact(design, known, offsets, colour_precision, star: int) -> tuple[dict, float]:
    """Return the probability of each state of a star's rows, and the mean ln tightness."""
    scales = known.scales
    nothing = {name: 0 * getattr(offsets, name) for name in ("star", "star_band", "flux")}
    left = design.log_factor - known.sampled_effect - offsets._replace(**nothing).at_rows(design)
    rows = np.flatnonzero(design.star == star)
    band = design.band[rows]
    correlation = np.asarray(colour_correlation(design, CARD))[np.ix_(band, band)]
    common = float(scales.colour[star] ** 2 * colour_precision[star])
    own = np.diag(design.flux_unc[star] ** 2)[np.ix_(band, band)]
    grid = np.linspace(np.log(1e-5), np.log(20), 600)
    weight = gamma.pdf(np.exp(grid), 1.5, scale=1 / 1.5) * np.exp(grid)
    states, total = {}, np.zeros_like(grid)
    for state in product([0, 1], repeat=len(rows)):
        noise = np.asarray(known.sigma)[rows] ** 2 + np.array(state) * WIDTH**2
        prior = np.prod(np.where(state, FRACTION, 1 - FRACTION))
        by_colour_precision = [
            multivariate_normal.pdf(
                np.asarray(left)[rows],
                cov=float(scales.star) ** 2
                + common / np.exp(g) * correlation
                + own
                + np.diag(noise),
            )
            for g in grid
        ]
        density = weight * prior * np.array(by_colour_precision)
        states[state] = density.sum()
        total += density
    norm = sum(states.values())
    return {k: v / norm for k, v in states.items()}, float(np.sum(grid * total) / np.sum(total))


@pytest.mark.parametrize("some", [None, 3])
def test_jumps_visit_colour_precision_and_indicators_as_often_as_they_are_probable(some):
    """Fourteen rows; z-scores of 35 state frequencies and 5 means beyond 4.5: once in 3500 runs.

    Rarer states come in a handful of chains only, and have no normal z-scores.
    """
    design = crowded_design(14)
    known, offsets, colour_precision = conditions(design)
    colours = colours_of(design)
    common = known.scales.colour[0] ** 2 * colour_precision[0]
    of_all = known._replace(scales=known.scales._replace(colour=jnp.sqrt(common)))

    stars = None if some is None else jnp.arange(len(design.stars))[::-1][-some:]

    def step(state, key):
        state = colours.jump(key, design, of_all, offsets, state, stars)
        return state, state

    chains, length = 100, 500
    keys = jax.random.split(jax.random.key(1), (chains, length))
    start = State(colour_precision, jnp.zeros(len(design.rows)))
    visited = jax.lax.map(lambda keys: jax.lax.scan(step, start, keys)[1], keys, batch_size=10)
    tight, wrong = (np.asarray(part)[:, 100:] for part in visited)
    for star in range(len(design.stars) if some is None else some):
        states, mean = exact(design, known, offsets, colour_precision, star)
        visited = wrong[:, :, design.star == star]
        for state, probability in states.items():
            if probability < 0.005:
                continue
            share = np.all(visited == np.array(state), axis=2).mean(axis=1)
            error = share.std(ddof=1) / np.sqrt(chains)
            assert abs(share.mean() - probability) < 4.5 * error, (star, state)
        level = np.log(tight[:, :, star]).mean(axis=1)
        assert abs(level.mean() - mean) < 4.5 * level.std(ddof=1) / np.sqrt(chains), star


def test_colour_precision_given_the_offsets_is_conjugate():
    """One star in one band only: Gamma(2, 3/2 + (offset / scale)^2 / 2)."""
    design = crowded_design(120)
    known, offsets, colour_precision = conditions(design)
    alone = np.flatnonzero((design.star != 0) | (design.band == 2))
    design = some_rows(design, alone)
    colours = colours_of(design)
    common = known.scales.colour[0] ** 2 * colour_precision[0]
    count, square = colours.squares(design, offsets)
    drawn = jax.lax.map(
        lambda key: colours.redraw_precision(key, common, count, square),
        jax.random.split(jax.random.key(2), 20000),
        batch_size=10,
    )
    scale = float(known.scales.colour[0] * jnp.sqrt(colour_precision[0]))
    # The roots' correlation of a band with itself is one but for the jitter.
    rate = 1.5 + 0.5 * (float(offsets.star_band[0, 2]) / scale) ** 2
    found = np.asarray(drawn)[:, 0]
    assert found.mean() == pytest.approx(2 / rate, rel=4.5 / np.sqrt(2 * 20000))
    assert found.var() == pytest.approx(2 / rate**2, rel=0.1)
