"""One step of a chain, for either implementation of the model's density."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int
from numpyro import handlers
from numpyro.infer import HMC, NUTS, init_to_value
from numpyro.infer.hmc import HMCState
from numpyro.infer.util import constrain_fn

from mirical.cards.card import Card
from mirical.inference.colour_moves import JUMPS, Colours, State
from mirical.inference.outlier_moves import FreeStars, flip_some
from mirical.inference.scale_moves import ColourScale, move_repeatability
from mirical.model.collapsed import band_means, collapsed, integrate, row_variance
from mirical.model.design import Design
from mirical.model.joint import joint
from mirical.model.likelihood import outlier_probability, row_distribution
from mirical.model.nesting import make_blocks
from mirical.model.offsets import Offsets
from mirical.model.redraw import redraw
from mirical.model.terms import (
    Given,
    Scatter,
    colour_correlation,
    given,
    loss_unit,
    row_scatter,
)

_LENGTH = 0.5, 4.0
"""Shortest and longest trajectory, in the sampler's units, in which the posterior is about one
wide. Drawn anew for every step, so that no period resonates; NUTS takes half as many steps again
to move as far, for it throws away what it tries last."""

_ROUNDS = 4  # of offsets and what is drawn given them, each a fifth of a trajectory's cost
_EVERY = 2
"""Rounds between two that are kept: what moves slowly differs little from one to the next."""

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
        """Return the next state, the sampler's own part of it and its `draws_per_step` draws."""
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


class _Round(NamedTuple):
    """What one round hands to the next: outliers and colour precisions, and moved sites."""

    state: State
    z: Draw


class CollapsedKernel:
    """HMC over the collapsed density, the offsets and deviant rows drawn exactly in turn.

    A step moves the scales and the response loss with HMC given which rows
    went wrong and how far each star's colours are off, then a few times draws
    the offsets given these, and the rows' and the stars' numbers given the
    rest: exact conditionals of one posterior. Every second round of these is a draw.
    """

    draws_per_step = _ROUNDS // _EVERY

    def __init__(
        self, design: Design, card: Card, target_accept: float, n_jumps: int = JUMPS
    ) -> None:
        blocks = make_blocks(design, colour_correlation(design, card))
        self.data = (design, blocks)
        self._card = card
        self._colours = (
            Colours(design, card, blocks, n_jumps) if card.has("star_band_offset") else None
        )
        self._colour_scale = None if self._colours is None else ColourScale(card)
        self._free = FreeStars(design) if design.has_free and card.has("outliers") else None
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
        """Return the next state; what is kept are the draws of some rounds."""
        design, blocks = data
        arguments = (*data, state.outlier, state.colour_precision)
        key, length_key, flip_key, rounds_key = jax.random.split(state.key, 4)
        shortest, longest = _LENGTH
        length = jax.random.uniform(length_key, minval=shortest, maxval=longest)
        hmc = self._hmc.refresh(state.hmc._replace(trajectory_length=length), arguments, {})
        hmc = self._hmc.sample(hmc, arguments, {})
        known, sites = self._known(hmc.z, state.colour_precision, design)
        outlier = state.outlier
        if known.outlier_fraction is not None:
            outlier = flip_some(flip_key, design, blocks, known, outlier)

        def go_round(before: _Round, key: jax.Array) -> tuple[_Round, Draw]:
            after, offsets = self._redraw(key, data, known, sites, before)
            kept = {"offsets": offsets, "colour_precision": before.state.colour_precision}
            return after, kept | {"z": hmc.z | before.z}

        start = _Round(State(state.colour_precision, outlier), self._moved_sites(hmc.z))
        after, drawn = jax.lax.scan(go_round, start, jax.random.split(rounds_key, _ROUNDS))
        kept = jax.tree.map(lambda values: values[_EVERY - 1 :: _EVERY], drawn)
        moved = hmc._replace(z=hmc.z | after.z)
        return (
            CollapsedState(moved, after.state.outlier, after.state.colour_precision, key),
            hmc,
            kept,
        )

    def round(
        self,
        key: jax.Array,
        data: tuple[Any, ...],
        z: Draw,
        state: State,
        stars: Int[Array, " some"],
    ) -> tuple[State, Draw, Draw]:
        """Move by one round alone, none of HMC.

        Parameters
        ----------
        key : key
            Fixes what is drawn.
        data : tuple
            Design and blocks.
        z : dict of {str : array}
            The sites that HMC moves, in the sampler's units.
        state : State
            Outliers and colour precisions.
        stars : (some,) int array
            The stars that may jump from one explanation to another, distinct ones.

        Returns
        -------
        State
            The next outliers and colour precisions.
        dict of {str : array}
            The next sites.
        dict
            The draw, for `sites`.
        """
        known, sites = self._known(z, state.colour_precision, data[0])
        before = _Round(state, self._moved_sites(z))
        after, offsets = self._redraw(key, data, known, sites, before, stars)
        draw = {"offsets": offsets, "colour_precision": state.colour_precision, "z": z}
        return after.state, z | after.z, draw

    def _moved_sites(self, z: Draw) -> Draw:
        """Return the sites that are moved between the steps of HMC."""
        names = ["repeatability_unit", "loss_unit"]
        if self._colour_scale is not None:
            names.append(self._colour_scale.site(z) or "")
        return {name: z[name] for name in names if name in z}

    def _redraw(
        self,
        key: jax.Array,
        data: tuple[Any, ...],
        known: Given,
        sites: Draw,
        now: _Round,
        stars: Int[Array, " some"] | None = None,
    ) -> tuple[_Round, Offsets]:
        """Draw the offsets, and given them the scatter, the outliers and the colours."""
        design, blocks = data
        offsets_key, scatter_key, outlier_key, colour_key = jax.random.split(key, 4)
        common = Scatter(*(sites[f"repeatability_{name}"] for name in Scatter._fields))
        z = dict(now.z)
        known = known._replace(sigma=_sigma(common, z, design))
        if self._colours is not None:
            colour = self._scale_of(z, sites) / jnp.sqrt(now.state.colour_precision)
            known = known._replace(scales=known.scales._replace(colour=colour))
        y = design.log_factor - known.sampled_effect
        variance = row_variance(known, now.state.outlier)
        integrated = integrate(design, blocks, known.scales, y, variance)
        offsets = redraw(offsets_key, design, blocks, known.scales, integrated)
        expected = known.sampled_effect + offsets.at_rows(design)

        xi = z["repeatability_unit"]
        xi = move_repeatability(scatter_key, design, known, common, expected, xi)
        z["repeatability_unit"] = xi
        known = known._replace(sigma=_sigma(common, z, design))
        if "loss_unit" in z:
            z["loss_unit"] = loss_unit(design, self._card, known.scales, known.sigma, sites)
        rows = row_distribution(expected, known.sigma, known.outlier_fraction, known.outlier_width)
        wrong = outlier_probability(rows, design.log_factor)
        outlier = jax.random.bernoulli(outlier_key, wrong).astype(float)
        if self._free is not None:
            free_key = jax.random.fold_in(outlier_key, 1)
            outlier = self._free.move(free_key, design, known, offsets, outlier)
        state = State(now.state.colour_precision, outlier)
        if self._colours is not None:
            known = known._replace(scales=known.scales._replace(colour=self._scale_of(z, sites)))
            now = _Round(state, z)
            after = self._redraw_colours(colour_key, design, known, offsets, now, stars)
            return after, offsets
        return _Round(state, z), offsets

    def _redraw_colours(
        self,
        key: jax.Array,
        design: Design,
        known: Given,
        offsets: Offsets,
        now: _Round,
        stars: Int[Array, " some"] | None,
    ) -> _Round:
        """Draw the colours' scale and precisions given the offsets, then let the stars jump.

        The colour scale of `known` is the one that all stars have in common.
        """
        assert self._colours is not None and self._colour_scale is not None
        scale_key, precision_key, jump_key = jax.random.split(key, 3)
        count, square = self._colours.squares(design, offsets)
        z, scale = now.z, known.scales.colour
        name = self._colour_scale.site(z)
        if name is not None:
            z = z | {name: self._colour_scale.move(scale_key, name, z[name], count, square)}
            scale = self._colour_scale.value(name, z[name])
        precision = self._colours.redraw_precision(precision_key, scale**2, count, square)
        moved = State(precision, now.state.outlier)
        known = known._replace(scales=known.scales._replace(colour=scale))
        jumped = self._colours.jump(jump_key, design, known, offsets, moved, stars)
        return _Round(jumped, z)

    def _scale_of(self, z: Draw, sites: Draw) -> Array:
        name = self._colour_scale.site(z) if self._colour_scale is not None else None
        if self._colour_scale is None or name is None:
            return sites["colour_scale"]
        return self._colour_scale.value(name, z[name])

    def sites(self, draw: Draw, data: tuple[Any, ...]) -> Draw:
        """Return the sites of the terms, the offsets' quantities and the rows' expectation."""
        design, _ = data
        offsets: Offsets = draw["offsets"]
        known, named = self._known(draw["z"], draw["colour_precision"], design)
        rows = {"expected": known.sampled_effect + offsets.at_rows(design), "sigma": known.sigma}
        return named | offsets.quantities(design) | rows

    def _known(
        self, z: Draw, colour_precision: Float[Array, " star"], design: Design
    ) -> tuple[Given, Draw]:
        """Return what the terms make of sites in the sampler's units, and all their sites."""
        of_stars = {"colour_precision": colour_precision}
        terms = handlers.condition(given, data=of_stars)
        values = constrain_fn(terms, (design, self._card), {}, z) | of_stars
        model = handlers.trace(handlers.substitute(handlers.seed(given, 0), data=values))
        known = model(design, self._card)
        sites = {name: one["value"] for name, one in model.trace.items() if one["type"] != "plate"}
        return known, sites


def _sigma(common: Scatter, z: Draw, design: Design) -> Float[Array, " row"]:
    return row_scatter(common.of_bands(common.bent(z["repeatability_unit"], design).u), design)


KERNELS: dict[str, type[JointKernel] | type[CollapsedKernel]] = {
    "collapsed": CollapsedKernel,
    "joint": JointKernel,
}
"""Kernels by the name a job gives."""
