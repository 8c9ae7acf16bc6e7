"""Sampling: an interrupted one goes on to the very draws of an unbroken one, and time ends it."""

from __future__ import annotations

import math
import threading
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from mirical.chains import sampling
from mirical.chains.checkpoint import Checkpoint
from mirical.chains.identity import identity
from mirical.chains.running import Course, Unwatched
from mirical.chains.sampling import Chains, OutOfTimeError, sample
from mirical.chains.stopping import Ending
from mirical.inference.sampling import BLOCK, block_of_draws
from mirical.jobs.inputs import Inputs, resolve_job
from mirical.jobs.job import load_job
from mirical.jobs.sampler import Sampler

SAMPLER = Sampler(chains=2, warmup=100, target_ess=10**6, max_draws=1000, seed=3)


class BrokenOffError(Exception):
    """As when the process ends."""


class Breaking(Unwatched):
    """Ends sampling after so many blocks."""

    def __init__(self, after: int) -> None:
        self._left, self._lock = after, threading.Lock()

    def advance(self, chain: int, steps: int, divergences: int) -> None:
        """Count a block."""
        with self._lock:
            self._left -= 1
            if self._left <= 0:
                raise BrokenOffError


@pytest.fixture(scope="module")
def inputs() -> Inputs:
    """A small design, and the model."""
    return resolve_job(load_job("sbc"))


@pytest.fixture(autouse=True)
def warm_up_is_repeated(monkeypatch: pytest.MonkeyPatch):
    """Let the chains seem to disagree at the first look, and be warmed up twice at most."""
    monkeypatch.setattr(sampling, "DISAGREE", 0.0)
    monkeypatch.setattr(sampling, "WARMUPS", 2)


@pytest.fixture(scope="module")
def unbroken(inputs: Inputs) -> Chains:
    """Chains that nothing has interrupted."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sampling, "DISAGREE", 0.0)
        patch.setattr(sampling, "WARMUPS", 2)
        return sample(inputs.design, inputs.card, SAMPLER)


def kept_at(path: Path, inputs: Inputs, sampler: Sampler = SAMPLER) -> Checkpoint:
    said: list[str] = []
    parts = identity(inputs.design, inputs.card, sampler)
    kept = Checkpoint.open(path, path, parts, said.append)
    assert kept is not None and said == []
    return kept


def interrupted(inputs: Inputs, path: Path, after: int, sampler: Sampler = SAMPLER) -> None:
    kept = kept_at(path, inputs, sampler)
    course = Course(Breaking(after), kept)
    with pytest.raises(BrokenOffError):
        sample(inputs.design, inputs.card, sampler, course=course)
    kept.close()


def same(one: Chains, two: Chains) -> bool:
    pairs = ((one.sites, two.sites), (one.stats, two.stats))
    return one.ending == two.ending and all(
        a.keys() == b.keys() and all(np.array_equal(a[k], b[k]) for k in a) for a, b in pairs
    )


@pytest.mark.slow
def test_interrupted_again_and_again_the_draws_are_those_of_an_unbroken_run(
    inputs: Inputs, unbroken: Chains, tmp_path: Path
):
    assert unbroken.ending == Ending("max_draws", 4, 1)
    assert unbroken.sites["A"].shape[:2] == unbroken.stats["energy"].shape == (2, 1000)
    path = tmp_path / "kept"
    for after in (5, 13, 18):  # in warm-up, among the draws, in the second warm-up
        interrupted(inputs, path, after)
    kept = kept_at(path, inputs)
    assert kept.states[0].warmups > 0
    assert same(sample(inputs.design, inputs.card, SAMPLER, course=Course(kept=kept)), unbroken)
    # All draws are kept: a larger bound goes on from them, a smaller one needs none.
    fewer = sample(
        inputs.design, inputs.card, replace(SAMPLER, max_draws=900), course=Course(kept=kept)
    )
    assert np.array_equal(fewer.sites["tau"], unbroken.sites["tau"][:, :900])
    kept.close()


@pytest.mark.slow
def test_time_ends_sampling_with_the_draws_there_are(inputs: Inputs, tmp_path: Path):
    sampler = replace(SAMPLER, draws=800)
    late = time.monotonic() - 1
    with pytest.raises(OutOfTimeError):
        sample(inputs.design, inputs.card, sampler, course=Course(deadline=late))
    interrupted(inputs, tmp_path / "kept", 16, sampler)
    kept = kept_at(tmp_path / "kept", inputs, sampler)
    course = Course(kept=kept, deadline=late)
    chains = sample(inputs.design, inputs.card, sampler, course=course)
    assert chains.ending == Ending("time", 0, 0)
    length = min(state.draws for state in kept.states.values())
    assert 100 <= length < 800 and chains.sites["A"].shape[1] == length
    whole = sample(inputs.design, inputs.card, sampler, course=replace(course, deadline=math.inf))
    assert np.array_equal(whole.sites["A"][:, :length], chains.sites["A"])
    kept.close()


class Counting:
    """A kernel that counts and keeps two draws a step."""

    data = ()
    draws_per_step = 2

    def step(self, state: Any, data: Any) -> tuple[Any, Any, Any]:
        """Return the next number, kept once as it is and once with a half more."""
        names = "diverging", "energy", "potential_energy", "num_steps", "accept_prob"
        adapt = SimpleNamespace(step_size=state)
        stats = SimpleNamespace(**dict.fromkeys(names, state), adapt_state=adapt)
        return state + 1, stats, {"x": jnp.stack([state, state + 0.5])}


def test_a_kernel_may_keep_several_draws_a_step():
    kernel: Any = Counting()
    state, (draws, stats) = block_of_draws(kernel, jnp.asarray(0.0), ())
    assert state == BLOCK
    np.testing.assert_array_equal(draws["x"], np.arange(2 * BLOCK) / 2)
    np.testing.assert_array_equal(stats["energy"], np.arange(2 * BLOCK) // 2)
