"""Refits of many data sets of one design: a short chain each, compiled once.

Each chain adapts by itself, or takes step size and metric from a pilot: the
sampler's units leave data sets of one design little to differ in, and a chain
that has nothing to adapt needs `BURN_IN` steps before it draws. One that fails
with the pilot's is run again with its own. At most as many data sets are in
memory as chains run at once.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any, TypeVar

import jax
import numpy as np
from arviz_stats.base.array import array_stats
from numpy.typing import NDArray

from mirical.cards.card import Card
from mirical.inference.kernels import CollapsedKernel, CollapsedState
from mirical.inference.runtime import cores
from mirical.inference.sampling import BLOCK, block_of_draws, compile_steps
from mirical.jobs.sampler import Sampler
from mirical.model.design import Design
from mirical.moves.round import RoundData

SHORT = Sampler(chains=1, warmup=150, draws=300)
"""Settings of a chain that is to be believed by its effective draws, `MORE` of which it may add."""
MORE = 100
WANTED_ESS = 60
RHAT_LIMIT = 1.1  # of one short chain cut in halves, over tens of quantities
DIVERGENT_LIMIT = 0.02
BURN_IN = 50
_LONGEST = 6  # a chain short of effective draws goes on up to so many times its length

_PLACES = "star", "band", "subarray", "visit", "rows"

Floats = NDArray[Any]
Values = Callable[[dict[str, Any], Design], jax.Array]
Result = TypeVar("Result")


@dataclass(frozen=True)
class Fit:
    """What one chain found of one data set.

    Attributes
    ----------
    values : (draw, quantity) array
        Draws; none if the chain could not start.
    diverged : int
        How many of them are of steps that diverged.
    rhat, ess : (quantity,) array
        R-hat of the chain's halves, and effective draws.
    """

    values: Floats
    diverged: int
    rhat: Floats
    ess: Floats

    @property
    def problem(self) -> str:
        """Return why the fit must not be believed; empty for a sound one."""
        if not len(self.values):
            return "the chain could not start"
        rhat, ess = float(np.max(self.rhat)), float(np.min(self.ess))
        divergent = self.diverged / len(self.values)
        if not np.isfinite(rhat + ess):
            return "the chain does not move"
        if divergent > DIVERGENT_LIMIT:
            return f"{100 * divergent:.0f} % of the draws diverged"
        if rhat > RHAT_LIMIT:
            return f"R-hat is {rhat:.2f}"
        return "" if ess >= WANTED_ESS / 2 else f"only {ess:.0f} effective draws"


class Refits:
    """Fits of data sets that differ from a design in their rows' factors and errors alone.

    Parameters
    ----------
    design : Design
        Of all data sets.
    card : Card
        The model.
    sampler : Sampler
        Warm-up, draws and target acceptance of a chain.
    values : callable
        The quantities wanted, one array, of a draw's sites and the data set.
    more : int, optional
        A chain short of effective draws goes on by so many; by as many again by default.
    judged : int, optional
        The first so many quantities tell whether a chain may be believed; all by default.

    Raises
    ------
    ValueError
        By `adapt` and the fits, if a data set has other stars, bands,
        subarrays or visits in its rows than the design.
    """

    def __init__(
        self,
        design: Design,
        card: Card,
        sampler: Sampler,
        values: Values,
        more: int | None = None,
        judged: int | None = None,
    ) -> None:
        self._kernel = CollapsedKernel(design, card, sampler.target_accept)
        self._values = values
        self._warmup, self._draws = sampler.warmup, sampler.most_draws
        self._more = more or sampler.most_draws
        self._judged = judged
        self._start, self._advance = compile_steps(
            self._kernel, jax.random.key(0), sampler.warmup, self._block
        )
        self._adapted: Any = None

    def adapt(self, key: jax.Array, design: Design) -> None:
        """Let the chains to come take step size and metric from one of this data set."""
        data = self._data(design)
        state = self._start(key, data)
        for _ in range(0, self._warmup, BLOCK):
            state, _ = self._advance(state, data)
        self._adapted = state.hmc.adapt_state

    def fit(self, key: jax.Array, design: Design, stop: threading.Event) -> Fit | None:
        """Fit one data set; None if stopped before the end."""
        data = self._data(design)
        if self._adapted is not None:
            state = self._start(key, data)
            hmc = state.hmc._replace(i=state.hmc.i + self._warmup, adapt_state=self._adapted)
            fit = self._run(state._replace(hmc=hmc), data, BURN_IN, stop)
            if fit is None or not fit.problem:
                return fit
        return self._run(self._start(key, data), data, self._warmup, stop)

    def fit_all(
        self,
        key: jax.Array,
        designs: Iterable[Design],
        stop: threading.Event,
        then: Callable[[int, Fit], Result],
    ) -> Iterator[tuple[int, Result]]:
        """Fit data sets as many at once as there are cores, each by its number.

        Yields number and what `then` makes of number and fit, as they end.
        """

        def one(number: int, design: Design) -> Result | None:
            fit = self.fit(jax.random.fold_in(key, number), design, stop)
            return None if fit is None else then(number, fit)

        with ThreadPoolExecutor(max_workers=cores()) as pool:
            running: dict[Future[Result | None], int] = {}
            try:
                for number, design in enumerate(designs):
                    running[pool.submit(one, number, design)] = number
                    if len(running) >= cores():
                        yield from _finished(running)
                while running:
                    yield from _finished(running)
            finally:
                stop.set()

    def _block(self, state: CollapsedState, data: RoundData) -> tuple[Any, Any]:
        """Return the state after a block of draws, and the quantities of its draws alone."""
        state, (draws, stats) = block_of_draws(self._kernel, state, data)

        def of_draw(draw: Any) -> jax.Array:
            return self._values(self._kernel.sites(draw, data), data[0])

        return state, (jax.lax.map(of_draw, draws), stats["diverging"])

    def _data(self, design: Design) -> RoundData:
        if not same_rows(design, self._kernel.data[0]):
            raise ValueError("the data set's rows are not those of the design")
        return self._kernel.data._replace(design=design)

    def _run(
        self, state: CollapsedState, data: RoundData, discarded: int, stop: threading.Event
    ) -> Fit | None:
        if not np.isfinite(self._kernel.log_density(state)):
            return Fit(np.empty((0, 0)), 0, np.empty(0), np.empty(0))
        pieces, done, wanted = [], 0, self._draws
        each = self._kernel.draws_per_step
        while True:
            while done < discarded + math.ceil(wanted / each):
                if stop.is_set():
                    return None
                state, piece = self._advance(state, data)
                kept = slice(max(discarded - done, 0) * each, None)
                pieces.append([np.asarray(part)[kept] for part in piece])
                done += BLOCK
            values, diverging = map(np.concatenate, zip(*pieces, strict=True))
            rhat, ess = diagnose_short(values[:, : self._judged])
            if np.min(ess) >= WANTED_ESS or wanted >= _LONGEST * self._draws:
                return Fit(values, each * int(diverging.sum()), rhat, ess)
            wanted += self._more


def same_rows(one: Design, two: Design) -> bool:
    """Return whether the rows of two designs are of the same stars, bands, subarrays, visits."""
    return all(np.array_equal(getattr(one, n), getattr(two, n)) for n in _PLACES)


def _finished(running: dict[Future[Result | None], int]) -> Iterator[tuple[int, Result]]:
    """Wait for the next fits to end, and yield what was made of them; stopped ones are left out."""
    for future in wait(running, return_when=FIRST_COMPLETED).done:
        number, result = running.pop(future), future.result()
        if result is not None:
            yield number, result


def diagnose_short(values: Floats) -> tuple[Floats, Floats]:
    """Return R-hat of the halves of a chain and the effective draws of each quantity."""
    half = len(values) // 2
    halves = np.stack([values[:half].T, values[half : 2 * half].T], axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):  # a chain that never moved
        return np.asarray(array_stats.rhat(halves)), np.asarray(array_stats.ess(halves))
