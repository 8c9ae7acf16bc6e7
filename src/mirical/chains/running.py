"""Chains run side by side to a length, kept as they grow, stopped quickly."""

from __future__ import annotations

import io
import math
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from mirical.cards.card import Card
from mirical.chains.checkpoint import Block, Checkpoint, State
from mirical.errors import InputError
from mirical.inference.kernels import KERNELS, Kernel
from mirical.inference.posterior import Reference, derived
from mirical.inference.runtime import cores, random_key, release_memory
from mirical.inference.sampling import BLOCK, compile_steps
from mirical.inference.schema import Arrays
from mirical.jobs.sampler import Sampler
from mirical.model.design import Design

EVERY = 3.0  # s between two writings of the checkpoint: what a killed run has to make again


class Progress(Protocol):
    """Whoever watches the chains."""

    def begin(self, steps: Sequence[int]) -> None:
        """Take note of where each chain is in its steps as it begins, or is warmed up again."""
        ...

    def advance(self, chain: int, steps: int, divergences: int) -> None:
        """Take note that a chain has done `steps` more steps, so many divergent after warm-up."""
        ...

    def looked(self, steps: int, sentence: str) -> None:
        """Take note of a look at the chains: the steps they will need in all, and what it found."""
        ...


class Unwatched:
    """Nobody watches."""

    def begin(self, steps: Sequence[int]) -> None:
        """Take no note."""

    def advance(self, chain: int, steps: int, divergences: int) -> None:
        """Take no note."""

    def looked(self, steps: int, sentence: str) -> None:
        """Take no note."""


@dataclass(frozen=True)
class Course:
    """What goes on beside the chains.

    Attributes
    ----------
    watch : Progress
        Told of the chains' steps.
    kept : Checkpoint or None
        Where the chains go on from and are kept.
    deadline : float
        When they stop, in the seconds of `time.monotonic`.
    """

    watch: Progress = Unwatched()
    kept: Checkpoint | None = None
    deadline: float = math.inf


@dataclass
class _Chain:
    """One chain: its state after so many steps since warm-up began, and what it has drawn."""

    number: int
    state: Any
    steps: int = 0
    pieces: list[Arrays] = field(default_factory=list)
    unsaved: list[Block] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def joined(self) -> Arrays:
        """Return all draws and statistics by name, from then on one piece."""
        if len(self.pieces) > 1:
            parts, whole = self.pieces, {}
            for name in list(parts[0]):  # one after another: not everything twice in memory
                whole[name] = np.concatenate([part.pop(name) for part in parts])
            self.pieces = [whole]
        return self.pieces[0]


class RunningChains:
    """The chains of a sampler, at their start or where a checkpoint holds them.

    Parameters
    ----------
    design, card : Design, Card
        Rows and model.
    sampler : Sampler
        Chains, warm-up, seed and density.
    reference_mjd : float
        Epoch of ``C_ref``, MJD in days.
    course : Course
        Who watches, where the chains are kept and when they stop.

    Attributes
    ----------
    warmups : int
        How often the chains were warmed up again.

    Raises
    ------
    InputError
        If the sampler cannot start because the posterior is not finite anywhere near the data.
    """

    def __init__(
        self,
        design: Design,
        card: Card,
        sampler: Sampler,
        reference_mjd: float,
        course: Course,
    ) -> None:
        self._kernel: Kernel = KERNELS[sampler.density](design, card, sampler.target_accept)
        self._warmup, self._course = sampler.warmup, course
        self._kept, self._last_kept = course.kept, time.monotonic()
        keys = jax.random.split(random_key(sampler.seed, "chains"), sampler.chains)
        start, self._block, self._named = _compiled(
            self._kernel,
            keys[0],
            sampler.warmup,
            partial(
                derived,
                law=card.law,
                reference=Reference(reference_mjd, design.t0),
                seen=design.covariates,
            ),
        )
        self._starts = [start(key, self._kernel.data) for key in keys]
        if not all(np.isfinite(self._kernel.log_density(state)) for state in self._starts):
            raise InputError(
                f"the sampler cannot start: the model's density is not finite anywhere near the "
                f"data; check the priors of card {card.name!r} and the table's errors."
            )
        self._chains = [_Chain(number, state) for number, state in enumerate(self._starts)]
        self.warmups = 0
        if course.kept is not None:
            self._take_up(course.kept)
        self._begin()

    @property
    def length(self) -> int:
        """Draws that every chain has made since its last warm-up."""
        return min(self._draws(chain.steps) for chain in self._chains)

    def run_to(self, length: int) -> bool:
        """Let every chain make so many draws in all; return False if time ended before.

        Raises
        ------
        KeyboardInterrupt
            If interrupted; what was drawn is kept.
        """
        steps = self.steps_for(length)
        stop, core = threading.Event(), threading.BoundedSemaphore(cores())
        pool = ThreadPoolExecutor(max_workers=len(self._chains))
        running = {pool.submit(self._go, chain, steps, stop, core) for chain in self._chains}
        try:
            going = running
            while going and not stop.is_set():
                left = self._course.deadline - time.monotonic()
                if left <= 0:
                    break
                done, going = wait(going, min(EVERY, left), return_when=FIRST_EXCEPTION)
                for chain in done:
                    chain.result()
                if time.monotonic() - self._last_kept > EVERY:
                    self.keep()
        finally:
            stop.set()
            pool.shutdown()
            self.keep()
        return self.length >= length

    def keep(self, *, anew: bool = False) -> None:
        """Write what is new into the checkpoint, or everything anew."""
        if self._kept is None:
            return
        states, blocks, counts = {}, [], []
        for chain in self._chains:
            with chain.lock:
                state, steps, new = chain.state, chain.steps, list(chain.unsaved)
            counts.append(len(new))
            blocks += new
            content = _packed(_plain(state))
            states[chain.number] = State(self.warmups, steps, self._draws(steps), content)
        self._kept.save(states, blocks, anew=anew)
        for chain, count in zip(self._chains, counts, strict=True):
            with chain.lock:
                del chain.unsaved[:count]
        self._last_kept = time.monotonic()

    def warm_up_again(self) -> None:
        """Drop all draws and warm up from where the chains are."""
        self.warmups += 1
        for chain, start in zip(self._chains, self._starts, strict=True):
            chain.state, chain.steps = _unadapted(chain.state, start), 0
            chain.pieces.clear()
            chain.unsaved.clear()
        self.keep(anew=True)
        self._begin()

    def drawn(self, length: int, names: Sequence[str] | None = None) -> Arrays:
        """Return the first draws of all chains by name, (chain, draw, ...), all by default."""
        each = [chain.joined() for chain in self._chains]
        return {
            name: np.stack([one[name][:length] for one in each])
            for name in (each[0] if names is None else names)
        }

    def taken(self, length: int) -> Arrays:
        """Return the same as `drawn` of all names, and forget the draws."""
        each = [chain.joined() for chain in self._chains]
        return {name: np.stack([one.pop(name)[:length] for one in each]) for name in list(each[0])}

    def steps_for(self, length: int) -> int:
        """Return the steps in which a chain makes so many draws, warm-up included."""
        return self._warmup + math.ceil(length / self._kernel.draws_per_step)

    def _draws(self, steps: int) -> int:
        return max(steps - self._warmup, 0) * self._kernel.draws_per_step

    def _begin(self) -> None:
        self._course.watch.begin([chain.steps for chain in self._chains])

    def _go(
        self, chain: _Chain, steps: int, stop: threading.Event, core: threading.BoundedSemaphore
    ) -> None:
        while chain.steps < steps and not stop.is_set():
            # Chains take turns on the cores, so that all are equally long at the end of time.
            with core:
                state, (draws, stats) = self._block(chain.state, self._kernel.data)
                piece = self._piece(draws, stats, chain.steps)
            with chain.lock:
                if piece is not None:
                    chain.pieces.append(piece)
                    if self._kept is not None:
                        content = _packed(jax.tree.leaves((draws, stats)))
                        number = chain.steps // BLOCK
                        chain.unsaved.append(Block(chain.number, number, content))
                shown = min(BLOCK, steps - chain.steps)
                chain.state, chain.steps = state, chain.steps + BLOCK
            diverging = 0 if piece is None else int(piece["diverging"].sum())
            self._course.watch.advance(chain.number, shown, diverging)

    def _piece(self, draws: Any, stats: Any, steps: int) -> Arrays | None:
        """Return by name what a block has drawn after warm-up, None if that is nothing."""
        first = max(self._warmup - steps, 0) * self._kernel.draws_per_step
        if first >= BLOCK * self._kernel.draws_per_step:
            return None
        sites = self._named.result()(draws, self._kernel.data)
        return {k: np.asarray(v)[first:] for k, v in (sites | stats).items()}

    def _take_up(self, kept: Checkpoint) -> None:
        """Let the chains go on from where they were kept."""
        structure = jax.tree.structure(self._block.out_info[1])
        for chain in self._chains:
            if chain.number not in kept.states:
                continue
            self.warmups, chain.steps, _, content = kept.states[chain.number]
            leaves, place = jax.tree.flatten(chain.state)
            arrays = _unpacked(content)
            chain.state = jax.tree.unflatten(place, list(map(_like, arrays, leaves)))
            number = chain.steps // BLOCK
            blocks = list(kept.blocks(chain.number))
            for at, block in enumerate(blocks, start=number - len(blocks)):
                draws, stats = jax.tree.unflatten(structure, _unpacked(block))
                piece = self._piece(draws, stats, at * BLOCK)
                if piece is not None:
                    chain.pieces.append(piece)


def _compiled(
    kernel: Kernel, key: jax.Array, warmup: int, derive: Callable[[Arrays], Arrays]
) -> tuple[Any, Any, Future[Any]]:
    """Return a kernel's compiled start and block, and what names a block's draws, to come."""
    start, block = compile_steps(kernel, key, warmup)

    def named(draws: Any, data: tuple[Any, ...]) -> Any:
        def of_draw(draw: Any) -> Any:
            sites = kernel.sites(draw, data)
            return sites | derive(sites)

        # One draw after another: XLA may lock up on batches of thousands of factorisations.
        return jax.lax.map(of_draw, draws)

    lowered = jax.jit(named).lower(block.out_info[1][0], kernel.data)

    def compile_named() -> Any:
        compiled = lowered.compile()
        release_memory()
        return compiled

    pool = ThreadPoolExecutor(max_workers=1)  # while the chains warm up
    future = pool.submit(compile_named)
    pool.shutdown(wait=False)
    return start, block, future


def _unadapted(state: Any, start: Any) -> Any:
    """Return a state that adapts step size and metric anew from its place."""
    hmc, first = getattr(state, "hmc", state), getattr(start, "hmc", start)
    adapt = first.adapt_state._replace(rng_key=hmc.adapt_state.rng_key)
    anew = hmc._replace(i=first.i, adapt_state=adapt, mean_accept_prob=first.mean_accept_prob)
    return anew if hmc is state else state._replace(hmc=anew)


def _is_key(leaf: Any) -> bool:
    return jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _plain(state: Any) -> list[np.ndarray]:
    """Return the leaves of a state as plain arrays, random keys as their numbers."""
    leaves = jax.tree.leaves(state)
    return [np.asarray(jax.random.key_data(one) if _is_key(one) else one) for one in leaves]


def _like(array: np.ndarray, leaf: Any) -> Any:
    """Return an array of `_plain` as the leaf that it was, by another of its kind."""
    if _is_key(leaf):
        return jax.random.wrap_key_data(jnp.asarray(array), impl=jax.random.key_impl(leaf))
    return jnp.asarray(array, dtype=leaf.dtype)


def _packed(arrays: Sequence[Any]) -> bytes:
    content = io.BytesIO()
    for array in arrays:
        np.save(content, np.asarray(array), allow_pickle=False)
    return content.getvalue()


def _unpacked(content: bytes) -> list[np.ndarray]:
    stream, arrays = io.BytesIO(content), []
    while stream.tell() < len(content):
        arrays.append(np.load(stream, allow_pickle=False))
    return arrays
