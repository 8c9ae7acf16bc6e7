"""Blocks of steps of both kernels."""

from __future__ import annotations

from functools import partial

import jax
import pytest

from mirical.cards.card import load_card
from mirical.inference.jobs import load_job, resolve_job
from mirical.inference.kernels import KERNELS
from mirical.inference.sampling import BLOCK, block_of_draws


@pytest.mark.parametrize("density", KERNELS)
def test_a_block_has_one_entry_a_draw_and_each_is_named(density: str):
    design = resolve_job(load_job("table5")).design
    kernel = KERNELS[density](design, load_card("hierarchical", "test"), 0.8)
    state = jax.eval_shape(partial(kernel.start, warmup=50), jax.random.key(0), kernel.data)
    _, (draws, stats) = jax.eval_shape(partial(block_of_draws, kernel), state, kernel.data)
    made = BLOCK * kernel.draws_per_step
    assert {leaf.shape[0] for leaf in jax.tree.leaves((draws, stats))} == {made}
    one = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape[1:], leaf.dtype), draws)
    sites = jax.eval_shape(kernel.sites, one, kernel.data)
    assert sites["A"].shape == (len(design.bands),)
    assert sites["expected"].shape == (len(design.rows),)
