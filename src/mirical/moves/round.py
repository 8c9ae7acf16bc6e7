"""One round of Gibbs and Metropolis moves: offsets drawn, and what depends on them given these.

The rows, and which of them are correlated, are arguments, and no part of a round: what is compiled
for one design serves others of the same shapes.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int
from numpyro import handlers
from numpyro.infer.util import constrain_fn

from mirical.cards.card import Card
from mirical.model.collapsed import integrate, row_variance
from mirical.model.design import Design, has_weight
from mirical.model.likelihood import outlier_probability, row_distribution
from mirical.model.nesting import Blocks, Rows
from mirical.model.offsets import Offsets
from mirical.model.redraw import redraw
from mirical.model.terms import Given, Scatter, given, loss_unit, row_scatter
from mirical.moves.colours import JUMPS, Colours, State
from mirical.moves.outliers import FreeStars
from mirical.moves.scales import ColourScale, move_repeatability

Draw = dict[str, Any]


class RoundData(NamedTuple):
    """Rows to fit, and which of them are correlated.

    Attributes
    ----------
    design, blocks : Design, Blocks
        The rows and their sparse structure.
    colours : Colours or None
        Rows by star, if stars have colours.
    free : FreeStars or None
        Rows of stars of unknown flux, if there are any.
    """

    design: Design
    blocks: Blocks
    colours: Colours | None
    free: FreeStars | None


def round_data(rows: Rows, card: Card, n_jumps: int = JUMPS, *, roomy: bool = False) -> RoundData:
    """Return what a round needs of rows.

    Parameters
    ----------
    rows : Rows
        The rows.
    card : Card
        The model.
    n_jumps : int
        Proposals of each star in a round.
    roomy : bool
        Whether tables of rows have room to spare, as those of `mirical.model.nesting.roomy_rows`.
    """
    design, blocks = rows
    colours = None
    if card.has("star_band_offset"):
        colours = Colours.of(design, card, blocks, n_jumps, roomy=roomy)
    is_free = design.has_free and card.has("outliers")
    return RoundData(
        design, blocks, colours, FreeStars.of(design, roomy=roomy) if is_free else None
    )


class RoundState(NamedTuple):
    """What one round hands to the next: outliers and colour precisions, and moved sites."""

    state: State
    z: Draw


class GibbsRound:
    """The round of a card.

    Parameters
    ----------
    card : Card
        The model.
    """

    def __init__(self, card: Card) -> None:
        self._card = card
        self._colour_scale = ColourScale(card) if card.has("star_band_offset") else None

    def alone(
        self, key: jax.Array, data: RoundData, z: Draw, state: State, stars: Int[Array, " some"]
    ) -> tuple[State, Draw, Draw]:
        """Move by one round.

        Parameters
        ----------
        key : key
            Fixes what is drawn.
        data : RoundData
            The rows.
        z : dict of {str : array}
            The sites that a trajectory moves, in the sampler's units.
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
        known, sites = self.known(z, state.colour_precision, data.design)
        after, offsets = self.go(
            key, data, known, sites, RoundState(state, self.moved_sites(z)), stars
        )
        draw = {"offsets": offsets, "colour_precision": state.colour_precision, "z": z}
        return after.state, z | after.z, draw

    def moved_sites(self, z: Draw) -> Draw:
        """Return the sites that a round moves."""
        names = ["repeatability_unit", "loss_unit"]
        if self._colour_scale is not None:
            names.append(self._colour_scale.site(z) or "")
        return {name: z[name] for name in names if name in z}

    def known(
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

    def sites(self, draw: Draw, design: Design) -> Draw:
        """Return the sites of the terms, the offsets' quantities and the rows' expectation."""
        offsets: Offsets = draw["offsets"]
        known, named = self.known(draw["z"], draw["colour_precision"], design)
        rows = {"expected": known.sampled_effect + offsets.at_rows(design), "sigma": known.sigma}
        return named | offsets.quantities(design) | rows

    def go(
        self,
        key: jax.Array,
        data: RoundData,
        known: Given,
        sites: Draw,
        now: RoundState,
        stars: Int[Array, " some"] | None = None,
    ) -> tuple[RoundState, Offsets]:
        """Draw the offsets, and given them the scatter, the outliers and the colours.

        Parameters
        ----------
        known, sites : Given, dict of {str : array}
            As `known` returns them.
        now : RoundState
            Outliers and colour precisions, and the sites that a round moves.
        stars : (some,) int array, optional
            The stars that may jump, distinct ones; all by default.
        """
        design, blocks = data.design, data.blocks
        offsets_key, scatter_key, outlier_key, colour_key = jax.random.split(key, 4)
        common = Scatter(*(sites[f"repeatability_{name}"] for name in Scatter._fields))
        z = dict(now.z)
        known = known._replace(sigma=_sigma(common, z, design))
        if data.colours is not None:
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
        wrong = outlier_probability(rows, jnp.asarray(design.log_factor))
        outlier = jax.random.bernoulli(outlier_key, wrong).astype(float)
        if data.free is not None:
            free_key = jax.random.fold_in(outlier_key, 1)
            outlier = data.free.move(free_key, design, known, offsets, outlier)
        state = State(now.state.colour_precision, outlier)
        if data.colours is not None:
            known = known._replace(scales=known.scales._replace(colour=self._scale_of(z, sites)))
            state, z = self._redraw_colours(
                colour_key, data, known, offsets, RoundState(state, z), stars
            )
        # A row without weight is never an outlier.
        sound = jnp.where(has_weight(design), state.outlier, 0.0)
        return RoundState(state._replace(outlier=sound), z), offsets

    def _redraw_colours(
        self,
        key: jax.Array,
        data: RoundData,
        known: Given,
        offsets: Offsets,
        now: RoundState,
        stars: Int[Array, " some"] | None,
    ) -> RoundState:
        """Draw the colours' scale and precisions given the offsets, then let the stars jump.

        The colour scale of `known` is the one that all stars have in common.
        """
        assert data.colours is not None and self._colour_scale is not None
        scale_key, precision_key, jump_key = jax.random.split(key, 3)
        count, square = data.colours.squares(data.design, offsets)
        z, scale = now.z, known.scales.colour
        name = self._colour_scale.site(z)
        if name is not None:
            z = z | {name: self._colour_scale.move(scale_key, name, z[name], count, square)}
            scale = self._colour_scale.value(name, z[name])
        precision = data.colours.redraw_precision(precision_key, scale**2, count, square)
        moved = State(precision, now.state.outlier)
        known = known._replace(scales=known.scales._replace(colour=scale))
        jumped = data.colours.jump(jump_key, data.design, known, offsets, moved, stars)
        return RoundState(jumped, z)

    def _scale_of(self, z: Draw, sites: Draw) -> Array:
        name = self._colour_scale.site(z) if self._colour_scale is not None else None
        if self._colour_scale is None or name is None:
            return sites["colour_scale"]
        return self._colour_scale.value(name, z[name])


def _sigma(common: Scatter, z: Draw, design: Design) -> Float[Array, " row"]:
    return row_scatter(common.of_bands(common.bent(z["repeatability_unit"], design).u), design)
