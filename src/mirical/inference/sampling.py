"""NUTS over the model: chains side by side, in stretches that can be watched and stopped."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import jax
import numpy as np
from numpy.typing import NDArray
from numpyro.infer import NUTS, Predictive, init_to_value

from mirical.errors import InputError
from mirical.inference.jobs import Sampler
from mirical.inference.runtime import cores
from mirical.model.cards import Card
from mirical.model.design import Design
from mirical.model.joint import joint

STRETCH = 25  # steps between two looks at the progress and at Ctrl-C
PRIOR_DRAWS = 4000

Arrays = dict[str, NDArray[Any]]


class Progress(Protocol):
    """Whoever watches the chains."""

    def advance(self, chain: int, steps: int, divergences: int) -> None:
        """Take note that a chain has done `steps` more steps, so many divergent after warm-up."""
        ...


@dataclass(frozen=True)
class Chains:
    """What the sampler returns.

    Attributes
    ----------
    sites : dict of {str : (chain, draw, ...) array}
        Every sample and deterministic site of the model.
    stats : dict of {str : (chain, draw) array}
        ``diverging``, ``energy``, ``lp``, ``n_steps``, ``acceptance_rate``, ``step_size``.
    complete : bool
        False if sampling was interrupted and fewer draws than asked for are kept.
    """

    sites: Arrays
    stats: Arrays
    complete: bool


def sample(design: Design, card: Card, sampler: Sampler, progress: Progress) -> Chains:
    """Draw from the posterior.

    Chains start over-dispersed: every standardised site uniform in ±2, the
    bands' levels at the mean of their rows. Ctrl-C stops all chains at the
    same length and keeps their draws.

    Raises
    ------
    InputError
        If the sampler cannot start because the posterior is not finite anywhere near the data.
    KeyboardInterrupt
        If interrupted before every chain has left its warm-up.
    """
    kernel = NUTS(
        partial(joint, card=card),
        dense_mass=True,
        target_accept_prob=sampler.target_accept,
        init_strategy=init_to_value(values={"level": _band_means(design)}),
    )
    keys = jax.random.split(random_key(sampler.seed, "chains"), sampler.chains)
    try:
        starts = [kernel.init(key, sampler.warmup, model_args=(design,)) for key in keys]
    except RuntimeError as error:
        raise InputError(
            f"the sampler cannot start: {error} Check the priors of card {card.name!r}."
        ) from error
    stretch = jax.jit(partial(_stretch, kernel)).lower(starts[0], design).compile()
    chains, stopped = _run_chains(stretch, starts, design, sampler, progress)
    length = min(len(chain.get("diverging", ())) for chain in chains)
    if length == 0:
        raise KeyboardInterrupt
    stacked = {k: np.stack([chain[k][:length] for chain in chains]) for k in chains[0]}
    unconstrained = {k[2:]: v for k, v in stacked.items() if k.startswith("z:")}
    sites = jax.jit(jax.vmap(jax.vmap(kernel.postprocess_fn((design,), {}))))(unconstrained)
    stats = {k: v for k, v in stacked.items() if not k.startswith("z:")}
    return Chains({k: np.asarray(v) for k, v in sites.items()}, stats, complete=not stopped)


def sample_prior(design: Design, card: Card, seed: int) -> Arrays:
    """Draw every site of the model from the prior: (draw, ...) arrays, `PRIOR_DRAWS` of them."""
    model = partial(joint, card=card, observed=False)
    draws = Predictive(model, num_samples=PRIOR_DRAWS, parallel=True)
    return {k: np.asarray(v) for k, v in draws(random_key(seed, "prior"), design).items()}


def random_key(seed: int, purpose: str) -> jax.Array:
    """Return the random key of one purpose, split from the job's seed by name."""
    return jax.random.fold_in(jax.random.key(seed), int.from_bytes(purpose.encode()[:4], "big"))


def _band_means(design: Design) -> NDArray[np.float64]:
    n_bands = len(design.bands)
    total = np.bincount(design.band, weights=design.log_factor, minlength=n_bands)
    return total / np.bincount(design.band, minlength=n_bands)


def _stretch(kernel: NUTS, state: Any, design: Design) -> tuple[Any, dict[str, jax.Array]]:
    def step(state: Any, _: None) -> tuple[Any, dict[str, jax.Array]]:
        state = kernel.sample(state, (design,), {})
        kept = {
            "diverging": state.diverging,
            "energy": state.energy,
            "lp": -state.potential_energy,
            "n_steps": state.num_steps,
            "acceptance_rate": state.accept_prob,
            "step_size": state.adapt_state.step_size,
        }
        return state, kept | {f"z:{name}": value for name, value in state.z.items()}

    return jax.lax.scan(step, state, None, length=STRETCH)


def _run_chains(
    stretch: Callable[..., Any],
    starts: list[Any],
    design: Design,
    sampler: Sampler,
    progress: Progress,
) -> tuple[list[Arrays], bool]:
    """Run every chain in a thread of its own; return its draws and whether it was stopped."""
    stop = threading.Event()
    core = threading.BoundedSemaphore(cores())
    total = sampler.warmup + sampler.draws

    def run(chain: int) -> Arrays:
        state, pieces, done = starts[chain], [], 0
        while done < total and not stop.is_set():
            # Chains take turns on the cores, so that all are equally long if interrupted.
            with core:
                state, piece = stretch(state, design)
            kept = slice(max(sampler.warmup - done, 0), total - done)
            pieces.append({k: np.asarray(v)[kept] for k, v in piece.items()})
            steps = min(STRETCH, total - done)
            done += steps
            progress.advance(chain, steps, int(pieces[-1]["diverging"].sum()))
        names = pieces[0] if pieces else ()
        return {name: np.concatenate([piece[name] for piece in pieces]) for name in names}

    with ThreadPoolExecutor(max_workers=len(starts)) as pool:
        running = [pool.submit(run, chain) for chain in range(len(starts))]
        try:
            for chain in running:
                chain.exception()
        except KeyboardInterrupt:
            stop.set()
        return [chain.result() for chain in running], stop.is_set()
