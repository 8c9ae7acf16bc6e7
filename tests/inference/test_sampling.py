"""Blocks of steps of both kernels."""

from __future__ import annotations

from functools import partial

import jax
import numpy as np
import pytest

from miri_facts import MIRI
from mirical.cards.card import load_card
from mirical.inference.kernels import KERNELS
from mirical.inference.sampling import BLOCK, block_of_draws, flux_scale_draws
from mirical.jobs.inputs import resolve_job
from mirical.jobs.job import load_job


@pytest.mark.parametrize("density", KERNELS)
def test_a_block_has_one_entry_a_draw_and_each_is_named(density: str):
    design = resolve_job(load_job("table5")).design
    kernel = KERNELS[density](design, load_card("hierarchical", "test", MIRI), 0.8)
    state = jax.eval_shape(partial(kernel.start, warmup=50), jax.random.key(0), kernel.data)
    _, (draws, stats) = jax.eval_shape(partial(block_of_draws, kernel), state, kernel.data)
    made = BLOCK * kernel.draws_per_step
    assert {leaf.shape[0] for leaf in jax.tree.leaves((draws, stats))} == {made}
    one = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape[1:], leaf.dtype), draws)
    sites = jax.eval_shape(kernel.sites, one, kernel.data)
    assert sites["A"].shape == (len(design.bands),)
    assert sites["expected"].shape == (len(design.rows),)


def test_draws_of_the_flux_scale_have_the_cards_spread_in_random_order():
    card = load_card("hierarchical", "test", MIRI)
    drawn = flux_scale_draws(card, jax.random.key(1), (4, 1000))["flux_scale"]
    low, high = np.quantile(drawn, [0.158655, 0.841345])
    assert 0.5 * (high - low) == pytest.approx(0.006, rel=1e-3)
    assert drawn.mean() == pytest.approx(0, abs=1e-9)
    # A correlation of neighbours beyond 0.06 has a chance of 1 in 7000.
    flat = drawn.ravel()
    assert drawn.shape == (4, 1000) and abs(np.corrcoef(flat[1:], flat[:-1])[0, 1]) < 0.06
    assert flux_scale_draws(load_card("pooled", "test", MIRI), jax.random.key(1), (2, 3)) == {}
