"""The joint model of `mirical.model.joint` once more, in PyMC, for another sampler.

    z_i = ln C_b(t_i) - ln D_ab + delta_s + eta_sb + nu_v + eps_i

The sites bear the joint model's names and live in its coordinates, so that the
two densities can be compared point by point. What is left out are the units
set by the rows (`terms.informed_normals`): they are mirical's own, and here
every quantity moves in the units of its prior. Priors come from the card.
"""

from __future__ import annotations

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from numpy.typing import NDArray
from pymc.distributions.transforms import log_exp_m1
from pytensor.tensor.variable import TensorVariable

from mirical.cards.card import TERMS, Card
from mirical.errors import InputError
from mirical.model.design import Design

_JITTER = 1e-8


def build(design: Design, card: Card) -> pm.Model:
    """Return the model of the rows.

    Raises
    ------
    InputError
        If the card leaves out a term: the peer writes the whole model.
    """
    if missing := [term for term in TERMS if not card.has(term)]:
        raise InputError(
            f"card {card.name!r} leaves out {', '.join(missing)}; the peer needs every term."
        )
    band = design.band
    n_bands = len(design.bands)
    average = (np.arange(n_bands)[:, None] == band) / np.bincount(band)[:, None]  # (band, row)
    prior = card.priors["A"].parameters
    with pm.Model() as model:
        effects = _response_loss(design, card) + _offsets(design, card)
        mean_effect = pt.dot(average, effects)
        level = pm.Normal(
            "level",
            np.log(prior["median"]) + mean_effect,
            np.asarray(prior["spread"]),
            initval=average @ design.log_factor,
        )
        expected = effects + (level - mean_effect)[band]
        sigma = _scatter(design, card)
        fraction, width = _draw("outlier_fraction", card), _draw("outlier_width", card)
        pm.NormalMixture(
            "log_factor",
            w=pt.stack([1.0 - fraction, fraction]),
            mu=expected[:, None],
            sigma=pt.stack([sigma, pt.sqrt(sigma**2 + width**2)], axis=-1),
            observed=design.log_factor,
        )
    return model


def _draw(name: str, card: Card) -> TensorVariable | float:
    """Return a scalar with its prior in the card, drawn in the units of a standard one.

    Half-normals move in their inverse softplus: in the logarithm, PyMC's
    choice, their density has a wall.
    """
    prior = card.priors[name]
    # Arrays: PyTensor would take a plain 3.0 for single precision, and its logarithm too.
    given = {key: np.asarray(value) for key, value in prior.parameters.items()}
    match prior.family:
        case "fixed":
            return prior.value
        case "half-normal":
            return given["scale"] * pm.HalfNormal(f"{name}_base", default_transform=log_exp_m1)
        case "log-normal":
            return given["median"] * pt.exp(given["spread"] * pm.Normal(f"{name}_base"))
        case "beta":
            return pm.Beta(name, given["a"], given["b"])
    raise InputError(f"the peer has no {prior.family!r} prior, which card {card.name!r} gives.")


def _unit_normals(name: str, *shape: int) -> TensorVariable:
    return pm.Normal(name, shape=shape)


def _smooth_covariance(design: Design, length: float) -> NDArray[np.float64]:
    position = np.asarray(design.log_wavelength)
    return np.exp(-0.5 * ((position[:, None] - position) / length) ** 2)


def _response_loss(design: Design, card: Card) -> TensorVariable:
    """Return ln C(t)/A of each row."""
    n_bands, band = len(design.bands), design.band
    from_pivot = design.log_wavelength - np.log(card.fixed("loss_pivot"))
    growth = np.exp(card.fixed("loss_slope") * from_pivot)
    size = _draw("loss_scale", card) * growth
    private = _draw("loss_departure", card) ** 2 + _JITTER
    smooth = _smooth_covariance(design, card.fixed("loss_length"))
    covariance = size[:, None] * size * smooth + private * np.eye(n_bands)
    loss = pt.dot(pt.linalg.cholesky(covariance), _unit_normals("loss_unit", n_bands))
    spread = _draw("tau_spread", card) * _unit_normals("tau_unit", n_bands)
    tau = _draw("tau_median", card) * pt.exp(spread)
    return pt.log1p(pt.expm1(-loss)[band] * pt.exp(-design.elapsed / tau[band]))


def _offsets(design: Design, card: Card) -> TensorVariable:
    """Return the sum of the linear terms of each row, but for ln A."""
    n_bands, n_stars, others = len(design.bands), len(design.stars), len(design.subarrays) - 1
    band, star = design.band, design.star
    subarray = _draw("subarray_scale", card) * _unit_normals("subarray_unit", others)
    departure = _unit_normals("subarray_band_unit", n_bands, others)
    departure = _draw("subarray_band_scale", card) * departure
    of_cell = pt.concatenate([np.zeros((n_bands, 1)), subarray + departure], axis=1)
    by_type = _draw("type_scale", card) * _unit_normals("type_unit", len(design.types))
    gray = _draw("star_scale", card) * _unit_normals("star_unit", n_stars)
    gray = gray + by_type[design.star_type]
    alike = _smooth_covariance(design, card.fixed("type_band_length")) + _JITTER * np.eye(n_bands)
    of_types = _unit_normals("type_band_unit", len(design.types), n_bands)
    of_types = _draw("type_band_scale", card) * pt.dot(of_types, np.linalg.cholesky(alike).T)

    half_df = np.asarray(card.fixed("colour_tail") / 2)
    colour_precision = pm.Gamma(
        "colour_precision", half_df, half_df, shape=n_stars, default_transform=log_exp_m1
    )
    colour = _draw("colour_scale", card) / pt.sqrt(colour_precision)
    share = card.fixed("colour_roughness")
    smooth = _smooth_covariance(design, card.fixed("colour_length"))
    root = np.linalg.cholesky((1 - share) * smooth + (share + _JITTER) * np.eye(n_bands))
    of_star = colour[:, None] * pt.dot(_unit_normals("star_band_unit", n_stars, n_bands), root.T)
    of_star = of_star + gray[:, None] + of_types[design.star_type]
    if design.states_flux_unc:
        of_star = of_star + _unit_normals("flux_unit", n_stars, n_bands) * design.flux_unc

    visit = _draw("visit_scale", card) * _unit_normals("visit_unit", len(design.visits))
    cell = band * (others + 1) + design.subarray
    linear = of_star.ravel()[star * n_bands + band] - of_cell.ravel()[cell] + visit[design.visit]
    return linear + _rate_slope(design, card)


def _rate_slope(design: Design, card: Card) -> TensorVariable | float:
    """Return the effect of each row's count rate where the card has a slope with it."""
    seen, stated = design.covariates, card.settings["rate_slope"]
    at = [i for i, b in enumerate(design.bands) if b in stated and b in seen.rated]
    if not at:
        return 0.0
    slope = card.fixed("rate_slope_scale") * _unit_normals("rate_slope_unit", len(at))
    decades = seen.log_rate - np.log10(card.fixed("rate_pivot"))
    return pt.dot((design.band[:, None] == at) * decades[:, None], slope)


def _scatter(design: Design, card: Card) -> TensorVariable:
    """Return the standard deviation of each row if it is sound."""
    spread = _draw("repeatability_spread", card)
    spread = spread * _unit_normals("repeatability_unit", len(design.bands))
    sigma = _draw("repeatability_median", card) * pt.exp(spread)
    sigma = sigma / pt.sqrt(1 + (sigma / card.fixed("repeatability_limit")) ** 2)
    return pt.sqrt(sigma[design.band] ** 2 + design.log_factor_unc**2)
