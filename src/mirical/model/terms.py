"""The terms of the model, each a small function that owns its sample sites.

Every term takes the design and the card and returns an effect in ln C; a term
the card leaves out returns zeros. All effects are fractions (natural
logarithm). Standardised sites end in ``_unit``; the quantities the reports
name are deterministic sites in the vocabulary of the card.
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from mirical.model.cards import Card
from mirical.model.design import Design
from mirical.model.timelaw import log_relative_factor

_JITTER = 1e-8  # keeps the Cholesky factor real where two bands share a pivot wavelength


def draw(name: str, card: Card) -> ArrayLike:
    """Sample a scalar from its prior in the card; a fixed one is recorded as it is."""
    prior = card.priors[name]
    if prior.is_fixed:
        return numpyro.deterministic(name, jnp.asarray(prior.value))
    return numpyro.sample(name, prior.distribution())


def unit_normals(name: str, *shape: int) -> Float[Array, ...]:
    """Sample standard normals of a shape, as one site."""
    return numpyro.sample(name, dist.Normal(jnp.zeros(shape), 1.0).to_event(len(shape)))


def smooth_root(
    log_wavelength: Float[Array, " band"], length: float, roughness: float
) -> Float[Array, "band band"]:
    """Return the Cholesky factor of a unit-variance covariance, smooth in ln wavelength.

    The smooth part is a squared exponential of correlation `length`
    [ln(micron)]; the share `roughness` of the variance is private to each band.
    """
    separation = (log_wavelength[:, None] - log_wavelength[None, :]) / length
    smooth = jnp.exp(-0.5 * separation**2)
    eye = jnp.eye(log_wavelength.shape[0])
    return jnp.linalg.cholesky((1 - roughness) * smooth + (roughness + _JITTER) * eye)


def response_loss(design: Design, card: Card) -> Float[Array, " row"]:
    """Ln C(t)/A: loss smooth in wavelength with departures, tau pooled over bands."""
    n_bands = len(design.bands)
    if not card.has("response_loss"):
        numpyro.deterministic("loss", jnp.zeros(n_bands))
        numpyro.deterministic("tau", jnp.full(n_bands, np.inf))
        return jnp.zeros_like(design.elapsed)
    root = smooth_root(design.log_wavelength, card.fixed("loss_length"), 0.0)
    smooth = draw("loss_scale", card) * (root @ unit_normals("loss_unit", n_bands))
    departure = draw("loss_departure", card) * unit_normals("loss_departure_unit", n_bands)
    loss = numpyro.deterministic("loss", smooth + departure)
    spread = draw("tau_spread", card) * unit_normals("tau_unit", n_bands)
    tau = numpyro.deterministic("tau", draw("tau_median", card) * jnp.exp(spread))
    return log_relative_factor(design.elapsed, loss[design.band], tau[design.band])


def subarray_throughput(design: Design, card: Card) -> Float[Array, " row"]:
    """Ln D of each row: one value per subarray, a small departure per band; FULL is the unit."""
    others, n_bands = len(design.subarrays) - 1, len(design.bands)
    if card.has("subarray"):
        common = draw("subarray_scale", card) * unit_normals("subarray_unit", others)
        departure = draw("subarray_band_scale", card) * unit_normals(
            "subarray_band_unit", n_bands, others
        )
    else:
        common, departure = jnp.zeros(others), jnp.zeros((n_bands, others))
    common = jnp.concatenate([jnp.zeros(1), common])
    numpyro.deterministic("D", jnp.exp(common))
    log_d = common + jnp.pad(departure, ((0, 0), (1, 0)))
    numpyro.deterministic("D_band", jnp.exp(log_d))
    return log_d[design.band, design.subarray]


def star_offset(design: Design, card: Card) -> Float[Array, " row"]:
    """Gray error delta_s of the predicted flux, centred on its type's offset."""
    n_stars, n_types = len(design.stars), len(design.types)
    if not card.has("star_offset"):
        numpyro.deterministic("star_offset", jnp.zeros(n_stars))
        numpyro.deterministic("type_offset", jnp.zeros(n_types))
        return jnp.zeros_like(design.elapsed)
    by_type = draw("type_scale", card) * unit_normals("type_unit", n_types)
    numpyro.deterministic("type_offset", by_type)
    own = draw("star_scale", card) * unit_normals("star_unit", n_stars)
    offset = numpyro.deterministic("star_offset", by_type[design.star_type] + own)
    return offset[design.star]


def star_band_offset(design: Design, card: Card) -> Float[Array, " row"]:
    """Colour error eta_sb: smooth in wavelength, its size t-distributed between stars."""
    shape = len(design.stars), len(design.bands)
    offset = jnp.zeros(shape)
    if card.has("star_band_offset"):
        half_df = card.fixed("colour_tail") / 2
        variance = numpyro.sample(
            "colour_variance",
            dist.InverseGamma(half_df, half_df).expand((shape[0],)).to_event(1),
        )
        root = smooth_root(
            design.log_wavelength, card.fixed("colour_length"), card.fixed("colour_roughness")
        )
        size = draw("colour_scale", card) * jnp.sqrt(variance)
        offset = size[:, None] * (unit_normals("star_band_unit", *shape) @ root.T)
    offset = numpyro.deterministic("star_band_offset", offset)
    return offset[design.star, design.band]


def stated_flux_error(design: Design) -> Float[Array, " row"]:
    """Error of the predicted fluxes where the photometry table itself states one."""
    if not design.states_flux_unc:
        return jnp.zeros_like(design.elapsed)
    unit = unit_normals("flux_unit", *design.flux_unc.shape)
    return (design.flux_unc * unit)[design.star, design.band]


def visit_offset(design: Design, card: Card) -> Float[Array, " row"]:
    """What the bands of one visit share, nu_v."""
    n_visits = len(design.visits)
    offset = jnp.zeros(n_visits)
    if card.has("visit_offset"):
        offset = draw("visit_scale", card) * unit_normals("visit_unit", n_visits)
    offset = numpyro.deterministic("visit_offset", offset)
    return offset[design.visit]


def repeatability(design: Design, card: Card) -> Float[Array, " row"]:
    """Standard deviation of a sound row: photometric error and the band's repeatability."""
    spread = draw("repeatability_spread", card) * unit_normals(
        "repeatability_unit", len(design.bands)
    )
    sigma = draw("repeatability_median", card) * jnp.exp(spread)
    sigma = numpyro.deterministic("repeatability", sigma)
    return jnp.hypot(sigma[design.band], design.log_factor_unc)


def factor_level(design: Design, card: Card, effects: Float[Array, " row"]) -> Float[Array, " row"]:
    """Ln A of each row's band, sampled as the mean log factor of the band's rows.

    With level = ln A + mean of the other effects over the band's rows, the
    density is that of ln A under its prior (a shift has unit Jacobian), but
    the level is what the data measure: sampling it does away with the ridge
    between A and the star offsets.
    """
    n_bands = len(design.bands)
    counts = jnp.zeros(n_bands).at[design.band].add(1.0)
    mean_effect = jnp.zeros(n_bands).at[design.band].add(effects) / counts
    prior = card.priors["A"].distribution().base_dist
    level = numpyro.sample("level", dist.Normal(prior.loc + mean_effect, prior.scale).to_event(1))
    log_a = level - mean_effect
    numpyro.deterministic("A", jnp.exp(log_a))
    return log_a[design.band]


def observation(
    card: Card, expected: Float[Array, " row"], sigma: Float[Array, " row"]
) -> dist.Distribution:
    """Return the distribution of the rows' ln C, drawing what the card says of outliers."""
    if not card.has("outliers"):
        return row_distribution(expected, sigma)
    return row_distribution(
        expected, sigma, draw("outlier_fraction", card), draw("outlier_width", card)
    )


def row_distribution(
    expected: Float[Array, "*draw row"],
    sigma: Float[Array, "*draw row"],
    fraction: ArrayLike | None = None,
    width: ArrayLike | None = None,
) -> dist.Distribution:
    """Return the distribution of ln C of rows: narrow, or wide for the few that went wrong.

    Parameters
    ----------
    expected, sigma : array
        Expected ln C and standard deviation of a sound row.
    fraction, width : array_like, optional
        Share of rows that went wrong and the standard deviation of their
        errors; shapes that broadcast against the rows. Without them no row goes wrong.
    """
    if fraction is None or width is None:
        return dist.Normal(expected, sigma)
    fraction = jnp.broadcast_to(fraction, expected.shape)
    scales = jnp.stack([sigma, jnp.hypot(sigma, width)], axis=-1)
    return dist.MixtureSameFamily(
        dist.Categorical(probs=jnp.stack([1.0 - fraction, fraction], axis=-1)),
        dist.Normal(expected[..., None], scales),
    )
