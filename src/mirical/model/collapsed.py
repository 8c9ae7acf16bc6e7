r"""The same density with its linear part integrated out, and drawn again exactly.

Given the response loss, the scales and the rows' variances r_i, the rows are

    y_i = z_i - ln[C(t_i)/A] = (sum of the offsets of row i) + N(0, r_i),

a sum of normals. Let w_i = 1/r_i. Everything needed of a set of effects e (one
value per row, visit, star cell, ...) is its log density as a quadratic form

    -1/2 [ e' W e - 2 h' e + q + logdet ],

which starts as W = diag(w), h = w y, q = sum w y^2, logdet = sum ln(2 pi r).
A term whose effect is B u with u ~ N(m, 1) is integrated out by completing the
square. With P = 1 + B' W B = L L', b = B' h + m, T = L^-1 B' W and c = L^-1 b,

    W <- W - T' T      h <- h - T' c      (effects that stay: e + B u)
    q <- q + m' m - c' c                  logdet <- logdet + 2 sum ln L_kk,

and u given the effects that stay is N(L'^-1 (c - T e), P^-1). Nothing is
inverted but P, so a scale may be zero, and W may be singular (empty slots).

The terms nest, so each step is small, and their order is that of the blocks:

    visit        one number a visit, rows of one star; P is a number
    star         gray and colour offsets of one star (1 + bands numbers)
    type         one number a type, after the stars' W and h are summed by cell
    departure    ln D of a cell about its subarray's, one number a cell
    global       ln A of each band and ln D of each subarray

The cost is linear in rows and in stars. A row that went wrong has variance
r_i + width^2; which rows did is redrawn between the sampler's steps.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist
from jax.scipy.linalg import solve_triangular
from jaxtyping import Array, Float
from numpyro import handlers

from mirical.model.blocks import Blocks
from mirical.model.cards import Card
from mirical.model.design import Data, Design
from mirical.model.offsets import Offsets, Scales
from mirical.model.terms import Given, given

_LOG_2PI = 1.8378770664093453
_AT_ONCE = 64
"""Matrices factored in one call. XLA splits larger batches over the threads of a pool that
also runs the callers, and with all of its threads calling, each waits for the others for ever."""


class Form(NamedTuple):
    """A quadratic form in the effects: see the module's first lines."""

    weight: Float[Array, "*batch effect effect"]
    pull: Float[Array, "*batch effect"]


class Absorbed(NamedTuple):
    """An integrated term: what its conditional distribution needs."""

    root: Float[Array, "*batch unit unit"]
    transfer: Float[Array, "*batch unit effect"]
    centre: Float[Array, "*batch unit"]

    def draw(self, key: jax.Array, effects: Float[Array, "*batch effect"]) -> Array:
        """Draw u given the effects that stayed."""
        noise = jax.random.normal(key, self.centre.shape)
        shift = jnp.einsum("...ue,...e->...u", self.transfer, effects)
        return _solve(self.root, (self.centre - shift + noise)[..., None], trans=1)[..., 0]

    def evidence(self) -> Float[Array, ""]:
        """Return c'c - 2 sum ln L_kk, summed over the batch."""
        diagonal = jnp.diagonal(self.root, axis1=-2, axis2=-1)
        return jnp.sum(self.centre**2) - 2 * jnp.sum(jnp.log(diagonal))


def _solve(root: Array, right: Array, trans: int = 0) -> Array:
    return solve_triangular(root, right, lower=True, trans=trans)


def _absorb_each(form: Form, basis: Float[Array, "batch effect unit"]) -> tuple[Form, Absorbed]:
    """Integrate out the own u ~ N(0, 1) of every member of a batch."""
    if basis.shape[0] <= _AT_ONCE:
        return _absorb(form, basis)
    return jax.lax.map(lambda each: _absorb(*each), (form, basis), batch_size=_AT_ONCE)


def _absorb(
    form: Form, basis: Float[Array, "*batch effect unit"], mean: Float[Array, " unit"] | None = None
) -> tuple[Form, Absorbed]:
    """Integrate out u ~ N(mean, 1) from effects ``basis @ u``."""
    weighted = jnp.einsum("...ef,...fu->...ue", form.weight, basis)
    precision = jnp.eye(basis.shape[-1]) + weighted @ basis
    root = jnp.linalg.cholesky(precision)
    transfer = _solve(root, weighted)
    pull = jnp.einsum("...eu,...e->...u", basis, form.pull)
    centre = _solve(root, (pull if mean is None else pull + mean)[..., None])[..., 0]
    left = Form(
        form.weight - jnp.einsum("...ue,...uf->...ef", transfer, transfer),
        form.pull - jnp.einsum("...ue,...u->...e", transfer, centre),
    )
    return left, Absorbed(root, transfer, centre)


class Integrated(NamedTuple):
    """Every term integrated out, outermost last, and the log marginal density of the rows."""

    log_density: Float[Array, ""]
    part_weight: Float[Array, " part"]
    part_pull: Float[Array, " part"]
    visit_gain: Float[Array, " visit"]
    star: Absorbed
    type: Absorbed
    departure: Absorbed
    level: Absorbed


def collapsed(
    design: Design,
    blocks: Blocks,
    outlier: Float[Array, " row"],
    tightness: Float[Array, " star"],
    *,
    card: Card,
) -> None:
    """Model of the rows with every offset integrated out.

    Parameters
    ----------
    design : Design
        The rows.
    blocks : Blocks
        Their sparse structure.
    outlier : (row,) array
        One for a row that went wrong, zero for a sound one.
    tightness : (star,) array
        The stars' ``colour_tightness``.
    card : Card
        Terms in use and their priors.
    """
    known = handlers.condition(given, data={"colour_tightness": tightness})(design, card)
    if known.outlier_fraction is not None:
        chosen = dist.Bernoulli(probs=known.outlier_fraction).log_prob(outlier)
        numpyro.factor("outlier", jnp.sum(chosen))
    rows = design.log_factor - known.loss_effect
    marginal = integrate(design, blocks, known.scales, rows, row_variance(known, outlier))
    numpyro.factor("rows", marginal.log_density)


def row_variance(known: Given, outlier: Float[Array, " row"]) -> Float[Array, " row"]:
    """Return the rows' variances about their expectations, given which rows went wrong."""
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
    constant = jnp.sum(weight * y**2 + jnp.log(variance) + _LOG_2PI)

    n_parts = blocks.part_visit.shape[0]
    part_weight = jax.ops.segment_sum(weight, blocks.row_part, n_parts)
    part_pull = jax.ops.segment_sum(weight * y, blocks.row_part, n_parts)
    gain, star_form, visit_evidence = _absorb_visits(design, blocks, scales, part_weight, part_pull)
    star_form, star = _absorb_each(star_form, _star_basis(design, blocks, scales))
    type_form = _sum_by_type(design, blocks, star_form)
    n_cells = blocks.cell_band.shape[0]
    type_form, by_type = _absorb(
        type_form, jnp.full((len(design.types), n_cells, 1), 1.0) * scales.type
    )
    cell_form = Form(type_form.weight.sum(0), type_form.pull.sum(0))
    cell_form, departure = _absorb(cell_form, jnp.diag(_departure_scale(blocks, scales)))
    mean = _level_mean(design, scales, reference)
    _, level = _absorb(cell_form, _level_basis(design, blocks, scales), mean)
    evidence = visit_evidence - jnp.sum(mean**2)
    evidence += sum(term.evidence() for term in (star, by_type, departure, level))
    return Integrated(
        0.5 * (evidence - constant), part_weight, part_pull, gain, star, by_type, departure, level
    )


def redraw(
    key: jax.Array, design: Design, blocks: Blocks, scales: Scales, integrated: Integrated
) -> Offsets:
    """Draw every offset from its distribution given the rows, outermost term first."""
    keys = jax.random.split(key, 7)
    n_bands, others = len(design.bands), len(design.subarrays) - 1
    cell = blocks.cell_band, blocks.cell_subarray
    basis = _level_basis(design, blocks, scales)
    unit = integrated.level.draw(keys[0], jnp.zeros(basis.shape[0]))
    log_a = band_means(design) + scales.factor * unit[:n_bands]
    off_mean = jnp.concatenate([jnp.zeros(1), scales.subarray * unit[n_bands:]])
    effect = basis @ unit
    # Cells without rows have no part in the density: their departures keep the prior.
    prior = scales.subarray_band * jax.random.normal(keys[1], (n_bands, others))
    departure = jnp.pad(prior, ((0, 0), (1, 0)))
    size = _departure_scale(blocks, scales)
    observed = size * integrated.departure.draw(keys[2], effect)
    departure = departure.at[cell].set(-observed)
    effect = effect + observed
    by_type = scales.type * integrated.type.draw(keys[3], jnp.tile(effect, (len(design.types), 1)))
    by_type = by_type[:, 0]
    at_slots = effect[blocks.slot_cell] + by_type[design.star_type][:, None]
    basis = _star_basis(design, blocks, scales)
    star_keys = jax.random.split(keys[4], len(design.stars))
    unit = jax.lax.map(
        lambda each: each[0].draw(each[1], each[2]),
        (integrated.star, star_keys, at_slots),
        batch_size=_AT_ONCE,
    )
    at_slots = at_slots + jnp.einsum("seu,su->se", basis, unit)
    colour = unit[:, 1 : 1 + n_bands] @ scales.colour_root.T
    flux = jnp.zeros((len(design.stars), n_bands))
    if design.states_flux_unc:
        flux = design.flux_unc * unit[:, 1 + n_bands :]
    visit = _draw_visits(keys[5], design, blocks, integrated, at_slots.ravel())
    return Offsets(
        log_a=log_a,
        subarray=jnp.asarray(scales.subarray_mean) + off_mean,
        subarray_band=departure,
        type=by_type,
        star=scales.star * unit[:, 0],
        star_band=scales.colour[:, None] * colour,
        flux=flux,
        visit=visit,
    )


def _absorb_visits(
    design: Design,
    blocks: Blocks,
    scales: Scales,
    weight: Float[Array, " part"],
    pull: Float[Array, " part"],
) -> tuple[Float[Array, " visit"], Form, Float[Array, ""]]:
    """Integrate out each visit's number; return its posterior variance, the stars' form, c'c."""
    n_visits, (n_stars, n_slots) = len(design.visits), blocks.slot_cell.shape
    visit_weight = jax.ops.segment_sum(weight, blocks.part_visit, n_visits)
    visit_pull = jax.ops.segment_sum(pull, blocks.part_visit, n_visits)
    precision = 1 + scales.visit**2 * visit_weight
    gain = scales.visit**2 / precision
    evidence = jnp.sum(gain * visit_pull**2) - jnp.sum(jnp.log(precision))

    n_all = n_stars * n_slots
    pull = pull - weight * (gain * visit_pull)[blocks.part_visit]
    slot_pull = jax.ops.segment_sum(pull, blocks.part_slot, n_all).reshape(n_stars, n_slots)
    slot_weight = jax.ops.segment_sum(weight, blocks.part_slot, n_all).reshape(n_stars, n_slots)
    shared = weight[blocks.pair_one] * weight[blocks.pair_two]
    shared = shared * gain[blocks.part_visit[blocks.pair_one]]
    taken = jax.ops.segment_sum(shared, blocks.pair_place, n_all * n_slots)
    matrix = slot_weight[:, :, None] * jnp.eye(n_slots) - taken.reshape(n_stars, n_slots, n_slots)
    return gain, Form(matrix, slot_pull), evidence


def _draw_visits(
    key: jax.Array,
    design: Design,
    blocks: Blocks,
    integrated: Integrated,
    effect: Float[Array, " all_slots"],
) -> Float[Array, " visit"]:
    left = integrated.part_pull - integrated.part_weight * effect[blocks.part_slot]
    n_visits = len(design.visits)
    pull = jax.ops.segment_sum(left, blocks.part_visit, n_visits)
    gain = integrated.visit_gain
    return gain * pull + jnp.sqrt(gain) * jax.random.normal(key, (n_visits,))


def _star_basis(design: Design, blocks: Blocks, scales: Scales) -> Float[Array, "star slot unit"]:
    """Return the effect on a star's slots of its gray, colour and stated-error numbers."""
    n_stars, n_slots = blocks.slot_band.shape
    gray = jnp.full((n_stars, n_slots, 1), 1.0) * scales.star
    colour = scales.colour[:, None, None] * scales.colour_root[blocks.slot_band]
    columns = [gray, colour]
    if design.states_flux_unc:
        bands = jnp.arange(len(design.bands))
        mine = blocks.slot_band[:, :, None] == bands
        columns.append(mine * design.flux_unc[:, None, :])
    return jnp.concatenate(columns, axis=-1)


def _sum_by_type(design: Design, blocks: Blocks, form: Form) -> Form:
    """Return the stars' forms summed over the stars of each type, by cell."""
    n_types, n_cells = len(design.types), blocks.cell_band.shape[0]
    kind = jnp.asarray(design.star_type)[:, None]
    place = kind * n_cells + blocks.slot_cell
    pull = jax.ops.segment_sum(form.pull.ravel(), place.ravel(), n_types * n_cells)
    pairs = place[:, :, None] * n_cells + blocks.slot_cell[:, None, :]
    weight = jax.ops.segment_sum(form.weight.ravel(), pairs.ravel(), n_types * n_cells**2)
    return Form(weight.reshape(n_types, n_cells, n_cells), pull.reshape(n_types, n_cells))


def _departure_scale(blocks: Blocks, scales: Scales) -> Float[Array, " cell"]:
    return jnp.where(jnp.asarray(blocks.cell_subarray) == 0, 0.0, scales.subarray_band)


def _level_basis(design: Design, blocks: Blocks, scales: Scales) -> Float[Array, "cell unit"]:
    """Return the effect on the cells of ln A of each band and ln D of each subarray."""
    in_band = jnp.asarray(blocks.cell_band)[:, None] == jnp.arange(len(design.bands))
    subarrays = jnp.arange(1, len(design.subarrays))
    in_subarray = jnp.asarray(blocks.cell_subarray)[:, None] == subarrays
    return jnp.concatenate([in_band * scales.factor, in_subarray * -scales.subarray], axis=1)


def _level_mean(
    design: Design, scales: Scales, reference: Float[Array, " band"]
) -> Float[Array, " unit"]:
    """Return the prior mean of ln A about the bands' means, in its prior's widths."""
    others = jnp.zeros(len(design.subarrays) - 1)
    return jnp.concatenate([(scales.factor_mean - reference) / scales.factor, others])


def band_means(design: Design) -> Float[Array, " band"]:
    """Return the mean log factor of each band's rows."""
    n_bands = len(design.bands)
    count = jnp.zeros(n_bands).at[design.band].add(1.0)
    return jnp.zeros(n_bands).at[design.band].add(design.log_factor) / count
