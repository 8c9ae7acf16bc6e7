"""Terms of the model, each a small function that owns its sample sites.

A term that the card leaves out has zero scale (or no effect) and no sites.
All effects are fractions (natural logarithm of the calibration factor).
Standardised sites end in ``_unit`` or ``_base``; the quantities the reports
name are deterministic sites in the vocabulary of the card.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
from jax.scipy.linalg import solve_triangular
from jax.typing import ArrayLike
from jaxtyping import Array, Float
from numpyro.infer.reparam import TransformReparam

from mirical.cards.card import Card
from mirical.cards.priors import Gamma
from mirical.laws.timelaw import LAWS, log_relative_factor
from mirical.model.design import Data, Design
from mirical.model.detector_terms import detector_effect
from mirical.model.informed_units import (
    Bent,
    bend,
    informed,
    informed_normals,
    informed_singly,
    straighten,
    told_singly,
    unit_normals,
)
from mirical.model.offsets import Scales
from mirical.model.sampler_units import fitted_rows

JITTER = 1e-8  # keeps the Cholesky factor real where two bands share a pivot wavelength
_NO_ROWS = 1.0  # variance of ln C in a band all of whose rows are left out
_NONE = jnp.zeros(())


class Given(NamedTuple):
    """What makes the rest of the model linear and Gaussian.

    Attributes
    ----------
    sampled_effect : (row,) array
        Effect on ln C of each row of what is sampled: ln[C(t) / A] and the detector terms.
    scales : Scales
        Prior widths of the offsets.
    sigma : (row,) array
        Standard deviation of a row that is no outlier about its expectation.
    outlier_fraction, outlier_width : float or None
        Share of outliers and the size of their errors; None where
        the card has no such rows.
    """

    sampled_effect: Float[Array, " row"]
    scales: Scales
    sigma: Float[Array, " row"]
    outlier_fraction: ArrayLike | None
    outlier_width: ArrayLike | None


def given(design: Design, card: Card) -> Given:
    """Sample the response loss, the detector terms, every scale and the rows' scatter."""
    scales = offset_scales(design, card)
    sigma = repeatability(design, card)
    loss = response_loss(design, card, loss_information(design, scales, sigma))
    return Given(loss + detector_effect(design, card), scales, sigma, *outliers(card))


def given_names(design: Design, card: Card) -> list[str]:
    """Return the names of all sites of `given`, sampled and deterministic ones."""
    names: list[str] = []

    def note() -> None:
        trace = numpyro.handlers.trace(numpyro.handlers.seed(given, 0)).get_trace(design, card)
        names.extend(name for name, site in trace.items() if site["type"] != "plate")

    jax.eval_shape(note)  # no number is needed: to compute them all takes JAX a second
    return names


def draw(name: str, card: Card) -> Float[Array, ""]:
    """Sample a scalar from its prior in the card; a fixed one is recorded as it is."""
    prior = card.priors[name]
    if prior.is_fixed:
        return numpyro.deterministic(name, jnp.asarray(prior.value))
    with numpyro.handlers.reparam(config={name: TransformReparam()} if prior.is_standard else {}):
        return numpyro.sample(name, prior.distribution())


def smooth_covariance(
    log_wavelength: Float[Data, " band"], length: float
) -> Float[Array, "band band"]:
    """Return the squared exponential of correlation `length` [ln(micron)], of unit variance."""
    position = jnp.asarray(log_wavelength)
    separation = (position[:, None] - position[None, :]) / length
    return jnp.exp(-0.5 * separation**2)


def loss_information(
    design: Design, scales: Scales, sigma: Float[Array, " row"]
) -> tuple[Float[Array, " band"], Float[Array, " band"]]:
    """Return about how well the rows determine each band's loss (inverse variance), and the loss.

    A loss L changes ln C by -L exp(-x / tau): epochs of one star and subarray
    compare to the scatter of the rows, different subarrays to their
    departures as well, different stars to their offsets.
    """
    fitted = fitted_rows(design.log_factor_unc)
    count = jnp.zeros(len(design.bands)).at[design.band].add(fitted)
    square = jnp.zeros(len(design.bands)).at[design.band].add(fitted * sigma**2)
    variance = square / jnp.maximum(count, 1.0) + _NO_ROWS * (count == 0)
    own = jnp.stack([jnp.zeros(()), scales.subarray_band, scales.star])
    information = design.units.loss_leverage / (variance + own[:, None] ** 2)
    total = information.sum(0)
    return total, (information * design.units.loss).sum(0) / jnp.maximum(total, 1e-12)


def loss_growth(design: Design, card: Card) -> Float[Array, " band"]:
    """Return the size of the loss in each band relative to that at the card's pivot."""
    from_pivot = design.log_wavelength - np.log(card.fixed("loss_pivot"))
    return jnp.exp(card.fixed("loss_slope") * from_pivot)


def loss_root(
    design: Design, card: Card, scale: Float[Array, ""], departure: Float[Array, ""]
) -> Float[Array, "band band"]:
    """Return the Cholesky factor of the prior covariance of the bands' losses."""
    smooth = smooth_covariance(design.log_wavelength, card.fixed("loss_length"))
    size = scale * loss_growth(design, card)
    private = departure**2 + JITTER
    return jnp.linalg.cholesky(size[:, None] * size * smooth + private * jnp.eye(len(design.bands)))


def loss_unit(
    design: Design, card: Card, scales: Scales, sigma: Float[Array, " row"], sites: dict[str, Array]
) -> Float[Array, " band"]:
    """Return the units of given losses where the rows' scatter is `sigma`.

    They are sampled in units that suit the scatter, so that whoever moves it alone must tell the
    losses anew.
    """
    root = loss_root(design, card, sites["loss_scale"], sites["loss_departure"])
    information, estimate = loss_information(design, scales, sigma)
    centre = card.centre("loss_centre", design.bands, 0.0)
    by_rows = informed(root, information, estimate - centre)
    return solve_triangular(by_rows.units, sites["loss"] - centre - by_rows.mean, lower=True)


def tau_unit(design: Design, card: Card, sites: dict[str, Array]) -> Float[Array, " band"]:
    """Return the units of given time constants, as `loss_unit` those of losses."""
    typical, spread = _typical_tau(design, card, sites["tau_median"]), sites["tau_spread"]
    estimate = design.units.log_tau - jnp.log(typical)
    off = jnp.log(sites["tau"] / typical)
    return told_singly(off, spread, design.units.tau_information, estimate)


def loss_per_year_unit(
    design: Design, card: Card, sites: dict[str, Array]
) -> Float[Array, " band"]:
    """Return the units of given losses a year."""
    rate = sites["loss_per_year_scale"] * loss_growth(design, card)
    return solve_triangular(_smooth_root(design, card), sites["loss_per_year"] / rate, lower=True)


def response_loss(
    design: Design, card: Card, informed_by: tuple[Float[Array, " band"], Float[Array, " band"]]
) -> Float[Array, " row"]:
    """Return ln C(t)/A: the loss that settles, one a year, or both, as the card's law says."""
    law: dict[str, Array] = {}
    if card.settles:
        law |= _settling_loss(design, card, informed_by)
    else:
        numpyro.deterministic("loss", jnp.zeros(len(design.bands)))
        numpyro.deterministic("tau", jnp.full(len(design.bands), np.inf))
    if not card.has("response_loss"):
        return jnp.zeros_like(design.elapsed)
    law |= {name: draw(name, card) for name in LAWS[card.law].common}
    if "loss_per_year" in LAWS[card.law].of_band:
        law["loss_per_year"] = _loss_per_year(design, card)
    return log_relative_factor(card.law, jnp.asarray(design.elapsed), law, design.band)


def _settling_loss(
    design: Design, card: Card, informed_by: tuple[Float[Array, " band"], Float[Array, " band"]]
) -> dict[str, Array]:
    """Sample a loss smooth in wavelength with departures, and tau pooled over bands."""
    root = loss_root(design, card, draw("loss_scale", card), draw("loss_departure", card))
    centre = card.centre("loss_centre", design.bands, 0.0)
    information, estimate = informed_by
    off_centre = informed_normals("loss_unit", root, informed(root, information, estimate - centre))
    loss = numpyro.deterministic("loss", centre + off_centre)
    typical = _typical_tau(design, card, draw("tau_median", card))
    spread = draw("tau_spread", card)
    estimate = design.units.log_tau - jnp.log(typical)
    off = informed_singly("tau_unit", spread, design.units.tau_information, estimate)
    tau = numpyro.deterministic("tau", typical * jnp.exp(off))
    return {"loss": loss, "tau": tau}


def _typical_tau(design: Design, card: Card, median: ArrayLike) -> Float[Array, " band"]:
    return jnp.asarray(card.centre("tau_centre", design.bands, 1.0)) * median


def _smooth_root(design: Design, card: Card) -> Float[Array, "band band"]:
    """Return the root of the correlation of losses a year between bands."""
    smooth = smooth_covariance(design.log_wavelength, card.fixed("loss_length"))
    return jnp.linalg.cholesky(smooth + JITTER * jnp.eye(len(design.bands)))


def _loss_per_year(design: Design, card: Card) -> Float[Array, " band"]:
    """Sample a loss a year smooth in wavelength."""
    smooth_root = _smooth_root(design, card)
    rate = draw("loss_per_year_scale", card) * loss_growth(design, card)
    rate = rate * (smooth_root @ unit_normals("loss_per_year_unit", len(design.bands)))
    return numpyro.deterministic("loss_per_year", rate)


def offset_scales(design: Design, card: Card) -> Scales:
    """Return the prior widths of all linear terms, and the means of ln A and ln D."""
    n_bands = len(design.bands)
    prior = card.priors["A"].parameters
    factor_centre = card.centre("A_centre", design.bands, 1.0)
    pooled = ("subarray_scale", "subarray_band_scale"), ("type_scale", "star_scale")
    subarray, subarray_band = _widths("subarray", pooled[0], card)
    type_scale, star = _widths("star_offset", pooled[1], card)
    (visit,) = _widths("visit_offset", ("visit_scale",), card)
    return Scales(
        factor_mean=jnp.asarray(np.log(prior["median"]) + np.log(factor_centre)),
        factor=jnp.full(n_bands, prior["spread"]),
        subarray=subarray,
        subarray_band=subarray_band,
        type=type_scale,
        star=star,
        type_band=type_band_root(design, card),
        colour=colour_scales(design, card),
        visit=visit,
        subarray_mean=np.log(card.centre("D_centre", design.subarrays, 1.0)),
    )


def _widths(term: str, names: tuple[str, ...], card: Card) -> list[Float[Array, ""]]:
    return [draw(name, card) if card.has(term) else _NONE for name in names]


def type_band_root(design: Design, card: Card) -> Float[Array, "band unit"]:
    """Return the root of the covariance between bands of a type's offsets about its gray one."""
    n_bands = len(design.bands)
    if not card.has("type_band_offset"):
        return jnp.zeros((n_bands, 0))
    return draw("type_band_scale", card) * jnp.linalg.cholesky(type_correlation(design, card))


def type_correlation(design: Design, card: Card) -> Float[Array, "band band"]:
    """Return the correlation between bands of a type's offsets about its gray one."""
    smooth = smooth_covariance(design.log_wavelength, card.fixed("type_band_length"))
    return smooth + JITTER * jnp.eye(len(design.bands))


def colour_scales(design: Design, card: Card) -> Float[Array, " star"]:
    """Return the size of each star's colour error, t-distributed between stars."""
    n_stars = len(design.stars)
    if not card.has("star_band_offset"):
        return jnp.zeros(n_stars)
    half_df = card.fixed("colour_tail") / 2
    colour_precision = Gamma(half_df, half_df).expand((n_stars,)).to_event(1)
    colour_precision = numpyro.sample("colour_precision", colour_precision)
    return draw("colour_scale", card) / jnp.sqrt(colour_precision)


def colour_correlation(design: Design, card: Card) -> Float[Array, "band band"]:
    """Return the correlation of a star's colour errors between bands.

    They are smooth in ln wavelength but for a share of the variance that is
    private to a band.
    """
    identity = jnp.eye(len(design.bands))
    if not card.has("star_band_offset"):
        return identity
    share = card.fixed("colour_roughness")
    smooth = smooth_covariance(design.log_wavelength, card.fixed("colour_length"))
    return (1 - share) * smooth + (share + JITTER) * identity


class Scatter(NamedTuple):
    """What the bands have in common of their repeatability."""

    spread: ArrayLike
    median: ArrayLike
    limit: ArrayLike

    def bent(self, xi: Float[Array, " band"], design: Design) -> Bent:
        """Return the bands' standard normals from the units they are sampled in."""
        return bend(xi, self.spread, design.units.scatter_information, self.estimate(design))

    def unit(self, repeatability: Float[Array, " band"], design: Design) -> Float[Array, " band"]:
        """Return the units of given repeatabilities."""
        u = jnp.log(above_limit(repeatability, self.limit) / self.median) / self.spread
        information = design.units.scatter_information
        return straighten(u, self.spread, information, self.estimate(design))

    def estimate(self, design: Design) -> Float[Array, " band"]:
        """Return what the rows say of each band's scatter, ln of it over the median."""
        return jnp.asarray(design.units.log_scatter) - jnp.log(self.median)

    def of_bands(self, u: Float[Array, " band"]) -> Float[Array, " band"]:
        """Return the repeatability of each band from its standard normal."""
        return below_limit(self.median * jnp.exp(self.spread * u), self.limit)


def repeatability(design: Design, card: Card) -> Float[Array, " row"]:
    """Return the rows' standard deviation without outliers: photometric error and repeatability."""
    common = Scatter(*(draw(f"repeatability_{name}", card) for name in Scatter._fields))
    xi = unit_normals("repeatability_unit", len(design.bands))
    u, log_slope = common.bent(xi, design)
    numpyro.factor("repeatability_unit_volume", jnp.sum(0.5 * (xi**2 - u**2) + log_slope))
    sigma = numpyro.deterministic("repeatability", common.of_bands(u))
    return row_scatter(sigma, design)


def row_scatter(repeatability: Float[Array, " band"], design: Design) -> Float[Array, " row"]:
    """Return the rows' standard deviation without outliers from the bands' repeatability."""
    return jnp.hypot(repeatability[design.band], design.log_factor_unc)


def below_limit(scatter: ArrayLike, limit: ArrayLike) -> Array:
    """Return s / sqrt(1 + (s / limit)^2): `scatter` where it is small, never above `limit`.

    A logarithm of normal spread reaches any size. In a band of one or two rows nothing but
    the prior bounds it, and a scatter of tens of percent, which is what outliers are for,
    would make the band's factor arbitrary in a few draws out of thousands.
    """
    return jnp.asarray(scatter) / jnp.sqrt(1 + (jnp.asarray(scatter) / limit) ** 2)


def above_limit(scatter: ArrayLike, limit: ArrayLike) -> Array:
    """Return of which scatter `below_limit` makes the given one."""
    return jnp.asarray(scatter) / jnp.sqrt(1 - (jnp.asarray(scatter) / limit) ** 2)


def outliers(card: Card) -> tuple[ArrayLike | None, ArrayLike | None]:
    """Return the share of outliers and the size of their errors."""
    if not card.has("outliers"):
        return None, None
    return draw("outlier_fraction", card), draw("outlier_width", card)
