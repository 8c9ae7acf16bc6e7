"""Detector terms of the model: effects on ln C that are linear in what a row states of itself.

Their widths are fixed by the card: one or two dates, or one band, do not tell how large such
effects are in general. They are normal with known covariance, and sampled beside the response
loss. All but the curve of ``time_departure`` are a few numbers; with it a fit takes two to three
times as long.
"""

from __future__ import annotations

from collections.abc import Mapping

import jax.numpy as jnp
import numpy as np
import numpyro
from jaxtyping import Array, Float

from mirical.cards.card import Card
from mirical.laws.departures import curve_effect, step_effect
from mirical.model.design import Design
from mirical.model.informed_units import unit_normals

_JITTER = 1e-9  # keeps a Cholesky factor of many knots real

Values = Mapping[str, Array]


def detector_effect(design: Design, card: Card) -> Float[Array, " row"]:
    """Sample every detector term of the card and return their effect on ln C of each row."""
    values = {
        name: numpyro.deterministic(name, sample(design, card))
        for name, sample in _SAMPLED.items()
        if card.has(name)
    }
    return effect_at_rows(design, card, values)


def effect_at_rows(design: Design, card: Card, values: Values) -> Float[Array, " row"]:
    """Return the effect on ln C of each row of given values of the detector terms."""
    seen, band, effect = design.covariates, design.band, jnp.zeros(len(design.rows))
    if card.has("step"):
        effect += step_effect(_mjd(design), seen.steps, values["step"], band)
    if card.has("time_departure"):
        effect += curve_effect(_mjd(design), seen.knots, values["time_departure"], band)
    if card.has("rate_slope"):
        decades = seen.log_rate - np.log10(card.fixed("rate_pivot"))
        effect += values["rate_slope"][band] * decades
    if card.has("well_slope"):
        decades = seen.log_well - np.log10(card.fixed("well_pivot"))
        effect += values["well_slope"][band] * decades
    if card.has("reduction_offset"):
        effect += values["reduction_offset"][seen.reduction, design.subarray]
    return effect


def _mjd(design: Design) -> Float[Array, " row"]:
    return jnp.asarray(design.elapsed) + design.t0


def _step(design: Design, card: Card) -> Float[Array, "step band"]:
    n_steps, n_bands = len(design.covariates.steps), len(design.bands)
    common = card.fixed("step_scale") * unit_normals("step_unit", n_steps)
    own = card.fixed("step_band_scale") * unit_normals("step_band_unit", n_steps, n_bands)
    return common[:, None] + own


def _rate_slope(design: Design, card: Card) -> Float[Array, " band"]:
    return _slope("rate_slope", design, card, design.covariates.rated)


def _well_slope(design: Design, card: Card) -> Float[Array, " band"]:
    return _slope("well_slope", design, card, design.covariates.welled)


def _slope(term: str, design: Design, card: Card, stated: tuple[str, ...]) -> Float[Array, " band"]:
    """Return the change of ln C a decade, zero in bands that have no such term or state nothing."""
    slope = jnp.zeros(len(design.bands))
    at = [i for i, b in enumerate(design.bands) if b in card.settings[term] and b in stated]
    if not at:
        return slope
    drawn = card.fixed(f"{term}_scale") * unit_normals(f"{term}_unit", len(at))
    return slope.at[np.array(at)].set(drawn)


def _reduction_offset(design: Design, card: Card) -> Float[Array, "reduction subarray"]:
    """Return the offset of rows of each reduction and subarray, zero of the last reduction."""
    others, n_subarrays = len(design.covariates.reductions) - 1, len(design.subarrays)
    offset = jnp.zeros((others + 1, n_subarrays))
    if not others:
        return offset
    units = unit_normals("reduction_unit", others, n_subarrays)
    return offset.at[:-1].set(card.fixed("reduction_scale") * units)


def _time_departure(design: Design, card: Card) -> Float[Array, "knot band"]:
    """Return a Gaussian process of Matern-3/2 covariance at its knots, growing with wavelength."""
    knots = np.array(design.covariates.knots)
    distance = np.sqrt(3) * np.abs(knots[:, None] - knots) / card.fixed("departure_length")
    covariance = (1 + distance) * np.exp(-distance) + _JITTER * np.eye(len(knots))
    in_time = np.linalg.cholesky(covariance) @ unit_normals("departure_unit", len(knots))
    from_pivot = design.log_wavelength - np.log(card.fixed("departure_pivot"))
    size = card.fixed("departure_scale") * jnp.exp(card.fixed("departure_slope") * from_pivot)
    return in_time[:, None] * size


_SAMPLED = {
    "step": _step,
    "time_departure": _time_departure,
    "rate_slope": _rate_slope,
    "well_slope": _well_slope,
    "reduction_offset": _reduction_offset,
}
DETECTOR_TERMS = tuple(_SAMPLED)
"""Names of the terms, each also that of its variable in the posterior."""
