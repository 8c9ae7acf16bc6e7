"""The model as it reads on paper: the sum of its terms and one likelihood line."""

from __future__ import annotations

import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist
from jaxtyping import Array, Float

from mirical.cards.card import Card
from mirical.model.design import Design
from mirical.model.informed_units import unit_normals
from mirical.model.likelihood import row_distribution
from mirical.model.offsets import Offsets, Scales
from mirical.model.terms import colour_correlation, given

_LEVEL = 0.01  # of ln flux


def joint(design: Design, card: Card, *, observed: bool = True) -> None:
    """Hierarchical model of the rows' log calibration factors.

    z_i = ln C_b(t_i) - ln D_ab + delta_s + theta_kb + eta_sb + nu_v + eps_i,
    C_b(t) = A_b + B_b exp(-(t - t0) / tau_b)          (paper Eqs. 3 and 4)

    Parameters
    ----------
    design : Design
        The rows.
    card : Card
        Terms in use and their priors.
    observed : bool
        Condition on the rows' log factors; False draws them from the model, with the nominal
        fluxes of free stars, for nothing can be drawn from a flat prior.
    """
    known = given(design, card)
    sampled = known.scales, known.sampled_effect
    offsets = sample_offsets(design, card, *sampled, free_fluxes=observed)
    expected = known.sampled_effect + offsets.at_rows(design)
    rows = row_distribution(expected, known.sigma, known.outlier_fraction, known.outlier_width)
    for name, value in offsets.quantities(design).items():
        numpyro.deterministic(name, value)
    numpyro.deterministic("expected", expected)
    numpyro.deterministic("sigma", known.sigma)
    with numpyro.plate("row", len(design.rows)):
        numpyro.sample("log_factor", rows, obs=design.log_factor if observed else None)


def sample_offsets(
    design: Design,
    card: Card,
    scales: Scales,
    sampled_effect: Float[Array, " row"],
    *,
    free_fluxes: bool = True,
) -> Offsets:
    """Sample every linear term, standardised (non-centred) but for levels of bands and free stars.

    Without `free_fluxes` those are the nominal ones.
    """
    n_bands, n_stars = len(design.bands), len(design.stars)
    others = len(design.subarrays) - 1
    subarray, departure = jnp.zeros(others), jnp.zeros((n_bands, others))
    if card.has("subarray"):
        common = scales.subarray * unit_normals("subarray_unit", others)
        subarray = scales.subarray_mean[1:] + common
        departure = scales.subarray_band * unit_normals("subarray_band_unit", n_bands, others)
    by_type, star = jnp.zeros(len(design.types)), jnp.zeros(n_stars)
    if card.has("star_offset"):
        by_type = scales.type * unit_normals("type_unit", len(design.types))
        star = scales.star * unit_normals("star_unit", n_stars)
    type_band = jnp.zeros((len(design.types), n_bands))
    if card.has("type_band_offset"):
        type_band = unit_normals("type_band_unit", len(design.types), n_bands) @ scales.type_band.T
    star_band, flux = jnp.zeros((n_stars, n_bands)), jnp.zeros((n_stars, n_bands))
    if card.has("star_band_offset"):
        unit = unit_normals("star_band_unit", n_stars, n_bands)
        root = jnp.linalg.cholesky(colour_correlation(design, card))
        star_band = scales.colour[:, None] * (unit @ root.T)
    if design.states_flux_unc:
        flux = unit_normals("flux_unit", n_stars, n_bands) * design.flux_unc
    visit = jnp.zeros(len(design.visits))
    if card.has("visit_offset"):
        visit = scales.visit * unit_normals("visit_unit", len(design.visits))
    rest = Offsets(
        log_a=jnp.zeros(n_bands),
        subarray=jnp.concatenate([jnp.zeros(1), subarray]),
        subarray_band=jnp.pad(departure, ((0, 0), (1, 0))),
        type=by_type,
        type_band=type_band,
        star=star,
        star_band=star_band,
        flux=flux,
        visit=visit,
    )
    if design.has_free:
        free = jnp.asarray(design.free)
        rest = rest._replace(
            star=(1 - free) * star,
            star_band=(1 - free)[:, None] * star_band,
            flux=(1 - free)[:, None] * flux,
        )
    rest = rest._replace(log_a=_log_a(design, scales, sampled_effect + rest.at_rows(design)))
    if not (design.has_free and free_fluxes):
        return rest
    return rest._replace(
        flux=rest.flux + _free_fluxes(design, sampled_effect + rest.at_rows(design))
    )


def _log_a(design: Design, scales: Scales, effects: Float[Array, " row"]) -> Float[Array, " band"]:
    """Sample ln A of each band through the mean log factor of the band's rows.

    With level = ln A + mean of the other effects over the band's rows, the
    density is that of ln A under its prior (a shift has unit Jacobian), but
    the level is what the data measure: sampling it does away with the ridge
    between A and the star offsets.
    """
    n_bands = len(design.bands)
    weight = 1 - design.free[design.star] if design.has_free else jnp.ones_like(effects)
    counts = jnp.zeros(n_bands).at[design.band].add(weight)
    mean_effect = jnp.zeros(n_bands).at[design.band].add(weight * effects) / counts
    prior = dist.Normal(scales.factor_mean + mean_effect, scales.factor).to_event(1)
    return numpyro.sample("level", prior) - mean_effect


def _free_fluxes(design: Design, effects: Float[Array, " row"]) -> Float[Array, "star band"]:
    """Sample ln of nominal over true flux of free stars, flat in the bands they were seen in.

    As for ln A, what is sampled is the level of the rows of a star in a band: about their mean,
    in units of `_LEVEL`. The standard normal of a unit is taken out of the density again.
    """
    cells = jnp.zeros((len(design.stars), len(design.bands)))
    place = design.star, design.band
    count = cells.at[place].add(1.0)
    free = jnp.asarray(design.free)[:, None] * (count > 0)
    unit = unit_normals("free_unit", *cells.shape)
    flat = 0.5 * unit**2 + 0.5 * jnp.log(2 * jnp.pi) + jnp.log(_LEVEL)
    numpyro.factor("free_unit_flat", jnp.sum(free * flat))
    off = cells.at[place].add(jnp.asarray(design.log_factor) - effects) / jnp.maximum(count, 1.0)
    return free * (off + _LEVEL * unit)
