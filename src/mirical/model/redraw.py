"""Exact resampling of the offsets given the rows and the scales."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from mirical.model.collapsed import (
    Integrated,
    OfGroup,
    band_means,
    own_unc,
    star_basis,
)
from mirical.model.design import Data, Design
from mirical.model.nesting import Blocks, StarGroup
from mirical.model.offsets import Offsets, Scales
from mirical.model.outermost import places, widths
from mirical.model.quadratic_forms import solve, times


def redraw(
    key: jax.Array, design: Design, blocks: Blocks, scales: Scales, integrated: Integrated
) -> Offsets:
    """Draw every offset from its distribution given the rows, outermost term first."""
    keys = jax.random.split(key, 7)
    n_bands, n_stars, others = len(design.bands), len(design.stars), len(design.subarrays) - 1
    width = widths(design, blocks, scales)
    unit = width * integrated.outermost.draw(keys[0])
    log_a = band_means(design) + unit[:n_bands]
    off_mean = jnp.pad(unit[n_bands : n_bands + others], (1, 0))
    # Cells without rows have no part in the density: their departures keep the prior.
    prior = scales.subarray_band * jax.random.normal(keys[1], (n_bands, others))
    departure = jnp.pad(prior, ((0, 0), (1, 0)))
    cell = blocks.departing
    departure = departure.at[
        jnp.asarray(blocks.cell_band)[cell], jnp.asarray(blocks.cell_subarray)[cell]
    ].set(-unit[n_bands + others :])
    effect = places(design, blocks).at_cells(unit)
    type_unit = integrated.types.draw(keys[3], effect)
    type_band = type_unit[:, 1:] @ scales.type_band.T
    by_type = scales.type * type_unit[:, 0]
    in_bands = by_type[:, None] + type_band

    colours = jax.random.normal(keys[4], (n_stars, n_bands))
    star, visit = jnp.zeros(n_stars), jnp.zeros(len(design.visits))
    star_band, flux = jnp.zeros((n_stars, n_bands)), jnp.zeros((n_stars, n_bands))
    for number, (group, done) in enumerate(zip(blocks.groups, integrated.groups, strict=True)):
        star_key, visit_key = jax.random.split(jax.random.fold_in(keys[5], number))
        kind, band = design.star_type[group.star], blocks.cell_band[group.slot_cell]
        at_slots = in_bands[kind[:, None], band]
        free = jnp.asarray(design.free)[group.star]
        if design.has_free:
            at_slots = (1 - free)[:, None] * at_slots
        at_slots = effect[group.slot_cell] + at_slots
        unit = done.star.draw(star_key, at_slots)
        at_slots = at_slots + times(star_basis(design, group, scales), unit)
        n_own = group.own_band.shape[1]
        colour = times(jnp.asarray(group.colour_root), unit[:, 1 : 1 + n_own])
        colour = _all_bands(group, blocks.colour_correlation, colour, colours[group.star])
        gray, colour = scales.star * unit[:, 0], scales.colour[group.star][:, None] * colour
        own = jnp.zeros_like(group.own_band, dtype=float)
        if design.states_flux_unc:
            own = own_unc(design, group) * unit[:, 1 + n_own : 1 + 2 * n_own]
        if design.has_free:
            gray, colour = (1 - free) * gray, (1 - free)[:, None] * colour
            own = (1 - free)[:, None] * own + free[:, None] * unit[:, -n_own:]
        star, star_band = star.at[group.star].set(gray), star_band.at[group.star].set(colour)
        flux = flux.at[group.star[:, None], group.own_band].set(own, mode="drop")
        drawn = _draw_visits(visit_key, done, at_slots)
        visit = visit.at[group.visit].set(drawn, mode="drop")
    return Offsets(
        log_a=log_a,
        subarray=jnp.asarray(scales.subarray_mean) + off_mean,
        subarray_band=departure,
        type=by_type,
        type_band=type_band,
        star=star,
        star_band=star_band,
        flux=flux,
        visit=visit,
    )


def _draw_visits(
    key: jax.Array, done: OfGroup, effect: Float[Array, "member slot"]
) -> Float[Array, "member turn"]:
    linear = jnp.sum(done.linear - done.weight * effect[:, None, :], axis=-1)
    noise = jax.random.normal(key, linear.shape)
    return done.visit_gain * linear + jnp.sqrt(done.visit_gain) * noise


def _all_bands(
    group: StarGroup,
    correlation: Float[Data, "band band"],
    own: Float[Array, "member own"],
    normal: Float[Array, "member band"],
) -> Float[Array, "member band"]:
    """Draw colours of unit size in all bands given those in the stars' own.

    A draw from the prior is moved by what its own bands miss, times the
    regression on them: conditional normals without a matrix for each star.
    """
    prior = normal @ jnp.linalg.cholesky(jnp.asarray(correlation)).T
    padded = jnp.pad(jnp.asarray(correlation), ((0, 0), (0, 1)))
    among = padded[:, group.own_band].swapaxes(0, 1)  # (member, band, own)
    missed = own - jnp.pad(prior, ((0, 0), (0, 1)))[jnp.arange(len(own))[:, None], group.own_band]
    root = jnp.asarray(group.colour_root)
    return prior + times(among, solve(root, solve(root, missed), transposed=True))
