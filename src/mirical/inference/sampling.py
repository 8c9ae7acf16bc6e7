"""MCMC sampling: chains side by side, in blocks of draws that can be watched and stopped."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any, Protocol

import jax
import numpy as np
from numpyro.infer import Predictive

from mirical.errors import InputError
from mirical.inference.jobs import Sampler
from mirical.inference.kernels import KERNELS, Kernel
from mirical.inference.runtime import cores, random_key, release_memory
from mirical.inference.schema import Arrays, Chains
from mirical.model.cards import Card
from mirical.model.design import Design
from mirical.model.joint import joint
from mirical.model.sampler_units import no_units

BLOCK = 25  # steps between two looks at the progress and at Ctrl-C
PRIOR_DRAWS = 4000


class Progress(Protocol):
    """Whoever watches the chains."""

    def advance(self, chain: int, steps: int, divergences: int) -> None:
        """Take note that a chain has done `steps` more steps, so many divergent after warm-up."""
        ...


def sample(design: Design, card: Card, sampler: Sampler, progress: Progress) -> Chains:
    """Draw from the posterior.

    Ctrl-C stops all chains at the same length and keeps their draws.

    Raises
    ------
    InputError
        If the sampler cannot start because the posterior is not finite anywhere near the data.
    KeyboardInterrupt
        If interrupted before every chain has left its warm-up.
    """
    kernel: Kernel = KERNELS[sampler.density](design, card, sampler.target_accept)
    keys = jax.random.split(random_key(sampler.seed, "chains"), sampler.chains)
    start, steps = compile_steps(kernel, keys[0], sampler.warmup)
    starts = [start(key, kernel.data) for key in keys]
    if not all(np.isfinite(kernel.log_density(state)) for state in starts):
        raise InputError(
            f"the sampler cannot start: the model's density is not finite anywhere near the "
            f"data; check the priors of card {card.name!r} and the table's errors."
        )
    chains, stopped = _run_chains(steps, starts, kernel.data, sampler, progress)
    length = min(len(stats["diverging"]) if stats else 0 for _, stats in chains)
    if length == 0:
        raise KeyboardInterrupt
    draws, stats = jax.tree.map(lambda *each: np.stack([one[:length] for one in each]), *chains)
    # One draw after another: XLA may lock up on batches of thousands of factorisations.
    each_chain = partial(jax.lax.map, lambda draw: kernel.sites(draw, kernel.data))
    sites = jax.jit(partial(jax.lax.map, each_chain))(draws)
    return Chains({k: np.asarray(v) for k, v in sites.items()}, stats, complete=not stopped)


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
    model = partial(joint, card=card, observed=False)
    draws = jax.jit(Predictive(model, num_samples=PRIOR_DRAWS))
    drawn = draws(random_key(seed, "prior"), without_leverage(design))
    prior = {k: np.asarray(v) for k, v in drawn.items()}
    release_memory()
    return prior


def without_leverage(design: Design) -> Design:
    """Return the design with the units of its prior.

    Units set by the data come with a density (`terms.informed_normals`) that
    drawing forwards would leave out.
    """
    return replace(design, units=no_units(len(design.bands)))


def block_of_draws(kernel: Kernel, state: Any, data: tuple[Any, ...]) -> tuple[Any, Any]:
    """Return the state after `STRETCH` steps, and the draws and statistics of each."""

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

    return jax.lax.scan(step, state, None, length=BLOCK)


def _run_chains(
    block: Callable[..., Any],
    starts: list[Any],
    data: tuple[Any, ...],
    sampler: Sampler,
    progress: Progress,
) -> tuple[list[tuple[Any, Arrays]], bool]:
    """Run every chain in a thread of its own; return draws and statistics, and whether stopped."""
    stop = threading.Event()
    core = threading.BoundedSemaphore(cores())
    total = sampler.warmup + sampler.draws

    def run(chain: int) -> tuple[Any, Arrays]:
        state, pieces, done = starts[chain], [], 0
        while done < total and not stop.is_set():
            # Chains take turns on the cores, so that all are equally long if interrupted.
            with core:
                state, piece = block(state, data)
            kept = slice(max(sampler.warmup - done, 0), total - done)
            pieces.append(jax.tree.map(lambda v, kept=kept: np.asarray(v)[kept], piece))
            steps = min(BLOCK, total - done)
            done += steps
            progress.advance(chain, steps, int(pieces[-1][1]["diverging"].sum()))
        if not pieces:
            return None, {}
        return jax.tree.map(lambda *each: np.concatenate(each), *pieces)

    with ThreadPoolExecutor(max_workers=len(starts)) as pool:
        running = [pool.submit(run, chain) for chain in range(len(starts))]
        try:
            for chain in running:
                chain.exception()
        except KeyboardInterrupt:
            stop.set()
        return [chain.result() for chain in running], stop.is_set()
