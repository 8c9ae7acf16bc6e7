r"""Collapsed density: the model with its Gaussian part integrated out, as it is sampled.

Given the response loss, the scales and the rows' variances r_i, the rows are

    y_i = z_i - ln[C(t_i)/A] = (sum of the offsets of row i) + N(0, r_i),

a sum of normals. Let w_i = 1/r_i. Everything needed of a set of effects e (one
value per visit, star cell, cell, ...) is its log density as a quadratic form

    -1/2 [ e' W e - 2 h' e + constant ],

which starts as W = diag(w), h = w y, constant = sum w y^2 + ln(2 pi r). A term
whose effect is B u with u ~ N(m, 1) is integrated out by completing the
square. With P = 1 + B' W B, G = P^-1 B' W and c = P^-1 (B' h + m),

    W <- W - W B G      h <- h - G' (B' h + m)      (effects that stay: e + B u)
    constant <- constant + m' m - (B' h + m)' c + ln |P|

and u given the effects that stay is N(c - G e, P^-1). Nothing is inverted but
P, so a scale may be zero, and W may be singular (padded slots). Where the prior
of some u is flat, of density one, the 1 of P is a zero in its place, m is zero,
and ln 2 pi is taken off the constant.

The terms nest, so each step is small, and their order is that of the blocks:

    visit        one number a visit, rows of one star; P is a number
    star         gray and colour offsets of one star (1 + its own bands numbers), or its free fluxes
    type         a gray and a smooth offset a type, after its stars' W and h are summed by cell
    outermost    ln A of each band, ln D of each subarray and of each cell about it

The cost is linear in rows and in stars. An outlier has variance
r_i + width^2; which rows did is redrawn between the sampler's steps.
"""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist
from jaxtyping import Array, Float
from numpyro import handlers

from mirical.cards.card import Card
from mirical.model.design import Data, Design, has_weight
from mirical.model.nesting import Blocks, StarGroup
from mirical.model.offsets import Scales
from mirical.model.outermost import Units, conclude, gather, places, widths
from mirical.model.quadratic_forms import Absorbed, Form, absorb, transpose
from mirical.model.terms import Given, given
from mirical.model.type_offsets import OfTypes, absorb_types

_LOG_2PI = 1.8378770664093453


class OfGroup(NamedTuple):
    """What was integrated for the stars of one group: their visits, and their own offsets."""

    weight: Float[Array, "member turn slot"]
    linear: Float[Array, "member turn slot"]
    visit_gain: Float[Array, "member turn"]
    star: Absorbed


class Integrated(NamedTuple):
    """Every term integrated out, outermost last, and the log marginal density of the rows."""

    log_density: Float[Array, ""]
    groups: tuple[OfGroup, ...]
    types: OfTypes
    outermost: Units


def collapsed(
    design: Design,
    blocks: Blocks,
    outlier: Float[Array, " row"],
    colour_precision: Float[Array, " star"],
    *,
    card: Card,
    added: Float[Array, "2 row"] | None = None,
) -> None:
    """Model of the rows with every offset integrated out.

    Parameters
    ----------
    design : Design
        The rows.
    blocks : Blocks
        Their sparse structure.
    outlier : (row,) array
        One for an outlier, zero for any other.
    colour_precision : (star,) array
        The stars' ``colour_precision``.
    card : Card
        Terms in use and their priors.
    added : (2, row) array, optional
        Added to the rows and to their variances: derivatives by it tell how well each row agrees
        with all others.
    """
    known = handlers.condition(given, data={"colour_precision": colour_precision})(design, card)
    if known.outlier_fraction is not None:
        chosen = dist.Bernoulli(probs=known.outlier_fraction).log_prob(outlier)
        numpyro.factor("outlier", jnp.sum(jnp.where(has_weight(design), chosen, 0.0)))
    rows, variance = design.log_factor - known.sampled_effect, row_variance(known, outlier)
    if added is not None:
        rows, variance = rows + added[0], variance + added[1]
    marginal = integrate(design, blocks, known.scales, rows, variance)
    numpyro.factor("rows", marginal.log_density)


def row_variance(known: Given, outlier: Float[Array, " row"]) -> Float[Array, " row"]:
    """Return the rows' variances about their expectations, given which rows are outliers."""
    if known.outlier_width is None:
        return known.sigma**2
    return known.sigma**2 + outlier * known.outlier_width**2


def integrate(
    design: Design,
    blocks: Blocks,
    scales: Scales,
    rows: Float[Data, " row"],
    variance: Float[Array, " row"],
) -> Integrated:
    """Integrate all offsets out of the rows y = z - ln[C(t)/A] of given variances."""
    # About the bands' means, so that the squares do not cancel to noise; ln D about its own.
    reference = band_means(design)
    y = rows - reference[design.band] + jnp.asarray(scales.subarray_mean)[design.subarray]
    weight = 1 / variance
    evidence = -jnp.sum(weight * y**2 + jnp.log(variance) + _LOG_2PI)

    n_cells = len(blocks.cell_band)
    n_types = len(design.types)
    types = Form(jnp.zeros((n_types, n_cells, n_cells)), jnp.zeros((n_types, n_cells)))
    groups = []
    weights, linear_terms = blocks.by_group(weight), blocks.by_group(weight * y)
    for group, of_weight, of_linear in zip(blocks.groups, weights, linear_terms, strict=True):
        gain, form, by_visits = _absorb_visits(of_weight, of_linear, scales)
        basis = star_basis(design, group, scales)
        precision = star_precision(design, group, basis)
        form, by_stars, star = absorb(form, basis, jnp.zeros_like(precision), precision)
        if design.has_free:
            by_stars += _LOG_2PI * jnp.sum(1 - precision)
        types = _add(types, design, group, form)
        evidence += by_visits + by_stars
        groups.append(OfGroup(of_weight, of_linear, gain, star))
    cells, by_types, of_types = absorb_types(types, blocks.cell_band, scales)
    mean = _outermost_mean(design, blocks, scales, reference)
    form = gather(cells, places(design, blocks))
    by_outermost, outermost = conclude(form, widths(design, blocks, scales), mean)
    evidence += by_types + by_outermost - jnp.sum(mean**2)
    return Integrated(0.5 * evidence, tuple(groups), of_types, outermost)


def _absorb_visits(
    weight: Float[Array, "member turn slot"],
    linear: Float[Array, "member turn slot"],
    scales: Scales,
) -> tuple[Float[Array, "member turn"], Form, Float[Array, ""]]:
    """Integrate out each visit's number; return its posterior variance, the stars' form, c'c."""
    precision = 1 + scales.visit**2 * weight.sum(-1)
    gain = scales.visit**2 / precision
    visit_linear = linear.sum(-1)
    evidence = jnp.sum(gain * visit_linear**2) - jnp.sum(jnp.log(precision))
    shared = gain[..., None] * weight
    own = weight.sum(1)[:, :, None] * jnp.eye(weight.shape[-1])
    left = linear.sum(1) - jnp.sum(shared * visit_linear[..., None], 1)
    return gain, Form(own - transpose(shared) @ weight, left), evidence


def star_basis(
    design: Design, group: StarGroup, scales: Scales
) -> Float[Array, "member slot unit"]:
    """Return the effect on a star's slots of its gray, colour, stated-error and free numbers."""
    n_members, n_slots = group.slot_cell.shape
    gray = jnp.full((n_members, n_slots, 1), 1.0) * scales.star
    at_slots = jnp.take_along_axis(
        jnp.asarray(group.colour_root), group.slot_own[:, :, None], axis=1
    )
    columns = [gray, scales.colour[group.star][:, None, None] * at_slots]
    mine = group.slot_own[:, :, None] == jnp.arange(group.own_band.shape[1])
    if design.states_flux_unc:
        columns.append(mine * own_unc(design, group)[:, None, :])
    if design.has_free:
        free = jnp.asarray(design.free)[group.star][:, None, None]
        columns = [(1 - free) * column for column in columns] + [free * mine]
    return jnp.concatenate(columns, axis=-1)


def star_precision(
    design: Design, group: StarGroup, basis: Float[Array, "member slot unit"]
) -> Float[Array, "member unit"]:
    """Return the prior precision of a star's numbers: zero of a free star's fluxes, else one."""
    precision = jnp.ones_like(basis[:, 0])
    if not design.has_free:
        return precision
    seen = group.own_band < len(design.bands)
    free = jnp.asarray(design.free)[group.star][:, None] * seen
    return precision.at[:, -group.own_band.shape[1] :].set(1 - free)


def own_unc(design: Design, group: StarGroup) -> Float[Array, "member own"]:
    """Return the stated fractional errors of the predicted fluxes in the stars' own bands."""
    band = jnp.minimum(group.own_band, len(design.bands) - 1)
    return jnp.asarray(design.flux_unc)[group.star[:, None], band]


def _add(types: Form, design: Design, group: StarGroup, form: Form) -> Form:
    """Add the stars' forms to those of their types' cells."""
    place = group.slot_cell
    kind = jnp.asarray(design.star_type)[group.star]
    return Form(
        types.weight.at[kind[:, None, None], place[:, :, None], place[:, None, :]].add(form.weight),
        types.linear.at[kind[:, None], place].add(form.linear),
    )


def _outermost_mean(
    design: Design, blocks: Blocks, scales: Scales, reference: Float[Array, " band"]
) -> Float[Array, " unit"]:
    """Return the prior mean of the units: of ln A about the bands' means, in its prior's widths."""
    others = jnp.zeros(len(design.subarrays) - 1 + len(blocks.departing))
    return jnp.concatenate([(scales.factor_mean - reference) / scales.factor, others])


def band_means(design: Design) -> Float[Array, " band"]:
    """Return the mean log factor of each band's rows."""
    n_bands = len(design.bands)
    count = jnp.zeros(n_bands).at[design.band].add(1.0)
    return jnp.zeros(n_bands).at[design.band].add(design.log_factor) / count
