"""One step of a chain, for either implementation of the model's density."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float
from numpyro import handlers
from numpyro.infer import HMC, NUTS, init_to_value
from numpyro.infer.hmc import HMCState
from numpyro.infer.util import constrain_fn

from mirical.inference.colour_moves import Colours, State
from mirical.inference.outlier_moves import flip_some
from mirical.model.cards import Card
from mirical.model.collapsed import band_means, collapsed, integrate, row_variance
from mirical.model.design import Design
from mirical.model.joint import joint
from mirical.model.likelihood import outlier_probability, row_distribution
from mirical.model.nesting import make_blocks
from mirical.model.offsets import Offsets
from mirical.model.redraw import redraw
from mirical.model.terms import Given, colour_correlation, given

_LENGTH = 0.5, 4.0
"""Shortest and longest trajectory, in the sampler's units, in which the posterior is about one
wide. Drawn anew for every step, so that no period resonates; NUTS takes half as many steps again
to move as far, for it throws away what it tries last."""

_ROUNDS = 4  # of offsets and what is drawn given them, each a fifth of a trajectory's cost

Draw = dict[str, Any]


class Kernel(Protocol):
    """A Markov chain whose stationary distribution is the posterior."""

    data: tuple[Any, ...]
    draws_per_step: int
    """How many draws a step keeps; where it is not 1, the first axis of what `step` returns to
    keep."""

    def start(self, key: jax.Array, data: tuple[Any, ...], warmup: int) -> Any:
        """Return an over-dispersed state, which will adapt for `warmup` steps."""
        ...

    def log_density(self, state: Any) -> float:
        """Return the log density at a state."""
        ...

    def step(self, state: Any, data: tuple[Any, ...]) -> tuple[Any, HMCState, Draw]:
        """Return the next state, the sampler's own part of it and what to keep."""
        ...

    def sites(self, draw: Draw, data: tuple[Any, ...]) -> Draw:
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
        return state, state, state.z

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
    rest: exact conditionals of one posterior.
    """

    draws_per_step = 1

    def __init__(self, design: Design, card: Card, target_accept: float) -> None:
        blocks = make_blocks(design, colour_correlation(design, card))
        self.data = (design, blocks)
        self._card = card
        self._colours = Colours(design, card, blocks) if card.has("star_band_offset") else None
        self._model = partial(collapsed, card=card)
        self._hmc = HMC(
            self._model,
            trajectory_length=_LENGTH[1],
            dense_mass=False,  # the terms choose units that leave little to correlate
            target_accept_prob=target_accept,
        )

    def start(self, key: jax.Array, data: tuple[Any, ...], warmup: int) -> CollapsedState:
        """Return a state uniform in ±2 of the sampler's units, colours of the prior, rows sound."""
        sound = jnp.zeros_like(data[0].log_factor)
        hmc_key, own_key, colour_key = jax.random.split(key, 3)
        colour_precision = jnp.ones(len(data[0].stars))
        if self._colours is not None:
            colour_precision = self._colours.prior(colour_key, data[0])
        hmc = self._hmc.init(hmc_key, warmup, model_args=(*data, sound, colour_precision))
        return CollapsedState(hmc, sound, colour_precision, own_key)

    def log_density(self, state: CollapsedState) -> float:
        """Return the collapsed log density."""
        return -float(state.hmc.potential_energy)

    def step(
        self, state: CollapsedState, data: tuple[Any, ...]
    ) -> tuple[CollapsedState, HMCState, Draw]:
        """Return the next state; what is kept holds the offsets drawn with it."""
        design, blocks = data
        arguments = (*data, state.outlier, state.colour_precision)
        key, length_key, flip_key, rounds_key = jax.random.split(state.key, 4)
        shortest, longest = _LENGTH
        length = jax.random.uniform(length_key, minval=shortest, maxval=longest)
        hmc = self._hmc.refresh(state.hmc._replace(trajectory_length=length), arguments, {})
        hmc = self._hmc.sample(hmc, arguments, {})
        values = constrain_fn(self._model, arguments, {}, hmc.z)
        known = self._given(values | {"colour_precision": state.colour_precision}, design)
        outlier = state.outlier
        if known.outlier_fraction is not None:
            outlier = flip_some(flip_key, design, blocks, known, outlier)
        common = known.scales.colour * jnp.sqrt(state.colour_precision)

        def go_round(before: State, key: jax.Array) -> tuple[State, Draw]:
            colour = common / jnp.sqrt(before.colour_precision)
            now = known._replace(scales=known.scales._replace(colour=colour))
            after, offsets = self._redraw(key, data, now, before)
            return after, {"offsets": offsets, "colour_precision": before.colour_precision}

        start = State(state.colour_precision, outlier)
        after, drawn = jax.lax.scan(go_round, start, jax.random.split(rounds_key, _ROUNDS))
        last = jax.tree.map(lambda values: values[-1], drawn)
        return (
            CollapsedState(hmc, after.outlier, after.colour_precision, key),
            hmc,
            last | {"z": hmc.z},
        )

    def _redraw(
        self, key: jax.Array, data: tuple[Any, ...], known: Given, state: State
    ) -> tuple[State, Offsets]:
        """Draw the offsets, and given them the rows' and the stars' numbers."""
        design, blocks = data
        offsets_key, outlier_key, colour_key = jax.random.split(key, 3)
        y = design.log_factor - known.loss_effect
        variance = row_variance(known, state.outlier)
        integrated = integrate(design, blocks, known.scales, y, variance)
        offsets = redraw(offsets_key, design, blocks, known.scales, integrated)
        expected = known.loss_effect + offsets.at_rows(design)
        rows = row_distribution(expected, known.sigma, known.outlier_fraction, known.outlier_width)
        wrong = outlier_probability(rows, design.log_factor)
        after = State(
            state.colour_precision, jax.random.bernoulli(outlier_key, wrong).astype(float)
        )
        if self._colours is not None:
            after = self._colours.redraw(colour_key, design, known, offsets, after)
        return after, offsets

    def sites(self, draw: Draw, data: tuple[Any, ...]) -> Draw:
        """Return the sites of the terms, the offsets' quantities and the rows' expectation."""
        design, _ = data
        offsets: Offsets = draw["offsets"]
        arguments = (*data, jnp.zeros_like(design.log_factor), draw["colour_precision"])
        values = constrain_fn(self._model, arguments, {}, draw["z"])
        values = values | {"colour_precision": draw["colour_precision"]}
        trace = handlers.trace(self._substituted(values)).get_trace(design, self._card)
        known = self._given(values, design)
        named = {name: site["value"] for name, site in trace.items() if site["type"] != "plate"}
        rows = {"expected": known.loss_effect + offsets.at_rows(design), "sigma": known.sigma}
        return named | offsets.quantities(design) | rows

    def _substituted(self, values: Draw) -> Any:
        return handlers.substitute(handlers.seed(given, 0), data=values)

    def _given(self, values: Draw, design: Design) -> Given:
        return self._substituted(values)(design, self._card)


KERNELS: dict[str, type[JointKernel] | type[CollapsedKernel]] = {
    "collapsed": CollapsedKernel,
    "joint": JointKernel,
}
"""Kernels by the name a job gives."""
