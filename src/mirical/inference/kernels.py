"""One step of a chain, for either implementation of the model's density."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float
from numpyro.infer import HMC, NUTS, init_to_value
from numpyro.infer.hmc import HMCState

from mirical.cards.card import Card
from mirical.model.collapsed import band_means, collapsed
from mirical.model.design import Design
from mirical.model.joint import joint
from mirical.model.nesting import plain_rows
from mirical.model.terms import colour_correlation
from mirical.moves.colours import State
from mirical.moves.outliers import flip_some
from mirical.moves.round import Draw, GibbsRound, RoundData, RoundState, round_data

_LENGTH = 0.5, 4.0
"""Shortest and longest trajectory, in the sampler's units, in which the posterior is about one
wide. Drawn anew for every step, so that no period resonates; NUTS takes half as many steps again
to move as far, for it throws away what it tries last."""

_ROUNDS = 4  # of offsets and what is drawn given them, each a fifth of a trajectory's cost
_EVERY = 2
"""Rounds between two that are kept: what moves slowly differs little from one to the next."""


class Kernel(Protocol):
    """A Markov chain whose stationary distribution is the posterior."""

    data: Any
    draws_per_step: int
    """How many draws a step keeps; where it is not 1, the first axis of what `step` returns to
    keep."""

    def start(self, key: jax.Array, data: Any, warmup: int) -> Any:
        """Return an over-dispersed state, which will adapt for `warmup` steps."""
        ...

    def log_density(self, state: Any) -> float:
        """Return the log density at a state."""
        ...

    def step(self, state: Any, data: Any) -> tuple[Any, HMCState, Draw]:
        """Return the next state, the sampler's own part of it and its `draws_per_step` draws."""
        ...

    def sites(self, draw: Draw, data: Any) -> Draw:
        """Return every named quantity of what was kept."""
        ...


class JointKernel:
    """NUTS over every quantity of the joint model."""

    draws_per_step = 1

    def __init__(self, design: Design, card: Card, target_accept: float) -> None:
        self.data = (design,)
        self._nuts = NUTS(
            partial(joint, card=card),
            dense_mass=True,
            target_accept_prob=target_accept,
            init_strategy=init_to_value(values={"level": band_means(design)}),
        )

    def start(self, key: jax.Array, data: tuple[Any, ...], warmup: int) -> HMCState:
        """Return a state with standardised sites uniform in ±2, levels at the rows' means."""
        return self._nuts.init(key, warmup, model_args=data)

    def log_density(self, state: HMCState) -> float:
        """Return the log density of the joint model."""
        return -float(state.potential_energy)

    def step(self, state: HMCState, data: tuple[Any, ...]) -> tuple[HMCState, HMCState, Draw]:
        """Return the next state of NUTS."""
        state = self._nuts.sample(state, data, {})
        return state, state, jax.tree.map(lambda value: value[None], state.z)

    def sites(self, draw: Draw, data: tuple[Any, ...]) -> Draw:
        """Return the sample and deterministic sites of the model."""
        return self._nuts.postprocess_fn(data, {})(draw)


class CollapsedState(NamedTuple):
    """HMC over scales and response loss; outliers; ``colour_precision``; a key."""

    hmc: HMCState
    outlier: Float[Array, " row"]
    colour_precision: Float[Array, " star"]
    key: jax.Array


class CollapsedKernel:
    """HMC over the collapsed density, the offsets and deviant rows drawn exactly in turn.

    A step moves the scales and the response loss with HMC given which rows
    went wrong and how far each star's colours are off, then a few times draws
    the offsets given these, and the rows' and the stars' numbers given the
    rest: exact conditionals of one posterior. Every second round of these is a draw.
    """

    draws_per_step = _ROUNDS // _EVERY

    def __init__(self, design: Design, card: Card, target_accept: float) -> None:
        rows = plain_rows(design, colour_correlation(design, card))
        self.data: RoundData = round_data(rows, card)
        self._round = GibbsRound(card)
        self._hmc = HMC(
            partial(collapsed, card=card),
            trajectory_length=_LENGTH[1],
            dense_mass=False,  # the terms choose units that leave little to correlate
            target_accept_prob=target_accept,
        )

    def start(self, key: jax.Array, data: RoundData, warmup: int) -> CollapsedState:
        """Return a state uniform in ±2 of the sampler's units, colours of the prior, rows sound."""
        design, blocks, colours, _ = data
        sound = jnp.zeros_like(design.log_factor)
        hmc_key, own_key, colour_key = jax.random.split(key, 3)
        colour_precision = jnp.ones(len(design.stars))
        if colours is not None:
            colour_precision = colours.prior(colour_key, design)
        arguments = design, blocks, sound, colour_precision
        hmc = self._hmc.init(hmc_key, warmup, model_args=arguments)
        return CollapsedState(hmc, sound, colour_precision, own_key)

    def log_density(self, state: CollapsedState) -> float:
        """Return the collapsed log density."""
        return -float(state.hmc.potential_energy)

    def step(self, state: CollapsedState, data: RoundData) -> tuple[CollapsedState, HMCState, Draw]:
        """Return the next state; what is kept are the draws of some rounds."""
        design, blocks, *_ = data
        arguments = design, blocks, state.outlier, state.colour_precision
        key, length_key, flip_key, rounds_key = jax.random.split(state.key, 4)
        shortest, longest = _LENGTH
        length = jax.random.uniform(length_key, minval=shortest, maxval=longest)
        hmc = self._hmc.refresh(state.hmc._replace(trajectory_length=length), arguments, {})
        hmc = self._hmc.sample(hmc, arguments, {})
        known, sites = self._round.known(hmc.z, state.colour_precision, design)
        outlier = state.outlier
        if known.outlier_fraction is not None:
            outlier = flip_some(flip_key, design, blocks, known, outlier)

        def go_round(before: RoundState, key: jax.Array) -> tuple[RoundState, Draw]:
            after, offsets = self._round.go(key, data, known, sites, before)
            kept = {"offsets": offsets, "colour_precision": before.state.colour_precision}
            return after, kept | {"z": hmc.z | before.z}

        start = RoundState(State(state.colour_precision, outlier), self._round.moved_sites(hmc.z))
        after, drawn = jax.lax.scan(go_round, start, jax.random.split(rounds_key, _ROUNDS))
        kept = jax.tree.map(lambda values: values[_EVERY - 1 :: _EVERY], drawn)
        moved = hmc._replace(z=hmc.z | after.z)
        return (
            CollapsedState(moved, after.state.outlier, after.state.colour_precision, key),
            hmc,
            kept,
        )

    def sites(self, draw: Draw, data: RoundData) -> Draw:
        """Return the sites of the terms, the offsets' quantities and the rows' expectation."""
        return self._round.sites(draw, data.design)


KERNELS: dict[str, type[JointKernel] | type[CollapsedKernel]] = {
    "collapsed": CollapsedKernel,
    "joint": JointKernel,
}
"""Kernels by the name a job gives."""
