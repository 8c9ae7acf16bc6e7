"""Moves of the outlier indicators of free stars: states come up as often as they are probable."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
from numpyro import handlers
from scipy.stats import norm

from designs import crowded_design, some_rows
from miri_facts import MIRI
from mirical.cards.card import load_card
from mirical.model.joint import sample_offsets
from mirical.model.terms import given
from mirical.moves.outliers import FreeStars

CARD = load_card("hierarchical", "test", MIRI)
FRACTION, WIDTH = 0.2, 0.05
CHAINS, MOVES = 20_000, 30


def test_two_rows_of_a_free_star_that_disagree_take_turns_as_the_outlier():
    """Three rows, all eight states; z-scores of visits beyond 4.5 in one of 15 000 runs."""
    design = crowded_design(120, free=(1,))
    mine = np.flatnonzero((np.asarray(design.star) == 1) & (np.asarray(design.band) == 0))[:3]
    keep = (np.asarray(design.star) != 1) | np.isin(np.arange(len(design.rows)), mine)
    design = some_rows(design, keep)
    known = handlers.seed(given, 3)(design, CARD)
    known = known._replace(outlier_fraction=jnp.asarray(FRACTION), outlier_width=jnp.asarray(WIDTH))
    offsets = handlers.seed(sample_offsets, 5)(design, CARD, known.scales, known.sampled_effect)
    rows = np.flatnonzero(np.asarray(design.star) == 1)
    without = offsets._replace(flux=jnp.zeros_like(offsets.flux))
    level = np.asarray(known.sampled_effect + without.at_rows(design))
    off = np.array([0.0, 0.05, 0.02])
    z = np.array(design.log_factor)
    z[rows] = level[rows] + off + 3.0  # a flux far from the nominal one
    design = replace(design, log_factor=z)

    sigma, states = np.asarray(known.sigma)[rows], list(product([0, 1], repeat=3))
    probable = []
    for state in states:
        variance = sigma**2 + np.array(state) * WIDTH**2
        mean = np.sum(off / variance) / np.sum(1 / variance)
        density = norm.logpdf(off, mean, np.sqrt(variance)).sum()
        flat = density - 0.5 * np.log(np.sum(1 / variance))
        probable.append(flat + np.sum(np.log(np.where(state, FRACTION, 1 - FRACTION))))
    probable = np.exp(probable - np.logaddexp.reduce(probable))

    moves = FreeStars.of(design)

    def chain(key):
        def step(outlier, key):
            return moves.move(key, design, known, offsets, outlier), None

        keys = jax.random.split(key, MOVES)
        return jax.lax.scan(step, jnp.zeros(len(z)), keys)[0]

    last = jax.jit(lambda keys: jax.lax.map(chain, keys, batch_size=500))(
        jax.random.split(jax.random.key(2), CHAINS)
    )
    last = np.asarray(last)
    assert np.all(np.delete(last, rows, axis=1) == 0)
    found = np.bincount(last[:, rows].astype(int) @ [4, 2, 1], minlength=8) / CHAINS
    error = np.sqrt(probable * (1 - probable) / CHAINS)
    assert np.all(np.abs(found - probable) < 4.5 * error + 3 / CHAINS)
    assert min(probable[1:5]) < 0.9  # no state that takes it all
