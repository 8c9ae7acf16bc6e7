"""Blocks of MCMC steps, compiled once; draws from the prior."""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpyro import handlers
from scipy.special import ndtri

from mirical.cards.card import Card
from mirical.compiled.draws import map_draws
from mirical.inference.kernels import Kernel
from mirical.inference.runtime import plain_keys, random_key, release_memory
from mirical.inference.schema import FLUX_SCALE, Arrays
from mirical.model.design import Design, unnamed
from mirical.model.joint import joint
from mirical.model.sampler_units import no_units

BLOCK = 25  # steps between two looks at the progress and at Ctrl-C
PRIOR_DRAWS = 4000


def compile_steps(
    kernel: Kernel, key: jax.Array, warmup: int, block: Callable[..., Any] | None = None
) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Compile a kernel's start (key, data) and its `block` (state, data), side by side."""
    start = jax.jit(partial(kernel.start, warmup=warmup)).lower(key, kernel.data)
    steps = jax.jit(block or partial(block_of_draws, kernel)).lower(start.out_info, kernel.data)
    with ThreadPoolExecutor(max_workers=2) as pool:
        first, second = pool.map(lambda lowered: lowered.compile(), (start, steps))
    release_memory()
    return first, second


def sample_prior(design: Design, card: Card, seed: int) -> Arrays:
    """Draw every site of the model from the prior: (draw, ...) arrays, `PRIOR_DRAWS` of them."""
    keys = plain_keys(seed, "prior", PRIOR_DRAWS)
    prior = map_draws(partial(_prior_draw, card=card), keys, without_leverage(unnamed(design)))
    release_memory()
    return prior | flux_scale_draws(card, random_key(seed, "scale of the prior"), (PRIOR_DRAWS,))


def _prior_draw(key: jax.Array, design: Design, *, card: Card) -> dict[str, Any]:
    """Return one draw of every site."""
    model = handlers.seed(joint, jax.random.wrap_key_data(key))
    sites = handlers.trace(model).get_trace(design, card, observed=False)
    return {
        name: site["value"]
        for name, site in sites.items()
        if site["type"] == "deterministic" or (site["type"] == "sample" and not site["is_observed"])
    }


def flux_scale_draws(card: Card, key: jax.Array, shape: tuple[int, ...]) -> Arrays:
    """Return draws of ``flux_scale`` of a shape, of nothing if the card has no such term.

    An error that all stars and bands have in common is the same as a change of all factors, which
    are flat over decades: the rows leave its prior as it is, and independent of everything else.
    """
    if not card.has("flux_scale"):
        return {}
    # Quantiles in random order: the draws' spread is the card's number, not that of a sample.
    number = math.prod(shape)
    quantiles = ndtri((np.arange(number) + 0.5) / number)
    drawn = np.asarray(jax.random.permutation(key, quantiles)).reshape(shape)
    return {FLUX_SCALE: card.fixed("flux_scale_unc") * drawn}


def without_leverage(design: Design) -> Design:
    """Return the design with the units of its prior.

    Units set by the data come with a density (`informed_units.informed`) that
    drawing forwards would leave out.
    """
    return replace(design, units=no_units(len(design.bands)))


def block_of_draws(kernel: Kernel, state: Any, data: tuple[Any, ...]) -> tuple[Any, Any]:
    """Return the state after `BLOCK` steps, and draw by draw what is kept and its statistics."""

    def step(state: Any, _: None) -> tuple[Any, Any]:
        state, nuts, draw = kernel.step(state, data)
        stats = {
            "diverging": nuts.diverging,
            "energy": nuts.energy,
            "lp": -nuts.potential_energy,
            "n_steps": nuts.num_steps,
            "acceptance_rate": nuts.accept_prob,
            "step_size": nuts.adapt_state.step_size,
        }
        return state, (draw, stats)

    state, (draws, stats) = jax.lax.scan(step, state, None, length=BLOCK)
    each = kernel.draws_per_step
    draws = jax.tree.map(lambda v: v.reshape(BLOCK * each, *v.shape[2:]), draws)
    # A step that diverged counts once, its other statistics are those of all its draws.
    once = jnp.arange(BLOCK * each) % each == 0
    stats = {name: jnp.repeat(value, each) for name, value in stats.items()}
    stats["diverging"] = jnp.logical_and(stats["diverging"], once)
    return state, (draws, stats)
