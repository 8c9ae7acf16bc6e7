"""Offsets: the linear terms of the model, Gaussian given the scales.

    z_i = ln[C_b(t_i)/A_b] + ln A_b - ln D_ab + type + type-band + star + star-band + visit + eps_i

A star of unknown flux has a free flux in every band in the place of the offsets of its type and
its own. Everything after the first term enters ln C linearly with a normal prior whose
width is a scale of the card. The joint model samples these offsets; the
collapsed model integrates over them and draws them afterwards.
"""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from mirical.model.design import Data, Design


class Scales(NamedTuple):
    """Prior widths of the offsets, zero where the card leaves a term out, and means.

    Attributes
    ----------
    factor_mean, factor : (band,) array
        Mean and standard deviation of ln A.
    subarray, subarray_band : float
        Of ln D common to all bands, and of its departure in one band.
    type, star : float
        Of the gray offsets of a type and of a star about its type.
    type_band : (band, unit) array
        Root of the covariance between bands of a type's offsets about its gray one; of no unit
        where the card has none.
    colour : (star,) array
        Size of each star's colour offsets.
    visit : float
        Of what the rows of one visit share.
    subarray_mean : (subarray,) array
        Mean of ln D; that of the reference is zero.
    """

    factor_mean: Float[Array, " band"]
    factor: Float[Array, " band"]
    subarray: Float[Array, ""]
    subarray_band: Float[Array, ""]
    type: Float[Array, ""]
    star: Float[Array, ""]
    type_band: Float[Array, "band unit"]
    colour: Float[Array, " star"]
    visit: Float[Array, ""]
    subarray_mean: Float[Data, " subarray"]


class Offsets(NamedTuple):
    """One value of every linear term, in natural logarithm of the calibration factor.

    Attributes
    ----------
    log_a : (band,) array
        ln A.
    subarray : (subarray,) array
        ln D common to all bands; that of the reference is zero.
    subarray_band : (band, subarray) array
        Departure of ln D in a band; that of the reference is zero.
    type : (srctype,) array
        Gray offset of the predicted fluxes of a type.
    type_band : (srctype, band) array
        Offset of a type in a band about its gray one.
    star : (star,) array
        Gray offset of a star about its type's.
    star_band : (star, band) array
        Colour offset eta of a star.
    flux : (star, band) array
        Error of a predicted flux within the uncertainty its table states; of a free star ln of
        nominal over true flux.
    visit : (visit,) array
        What the rows of one visit share.
    """

    log_a: Float[Array, " band"]
    subarray: Float[Array, " subarray"]
    subarray_band: Float[Array, "band subarray"]
    type: Float[Array, " srctype"]
    type_band: Float[Array, "srctype band"]
    star: Float[Array, " star"]
    star_band: Float[Array, "star band"]
    flux: Float[Array, "star band"]
    visit: Float[Array, " visit"]

    def at_rows(self, design: Design) -> Float[Array, " row"]:
        """Return the sum of the offsets of each row, ln A included."""
        band, subarray, star = design.band, design.subarray, design.star
        predicted = 1.0 - design.free[star] if design.has_free else 1.0
        return (
            self.log_a[band]
            - self.subarray[subarray]
            - self.subarray_band[band, subarray]
            + predicted * self.type[design.star_type[star]]
            + predicted * self.type_band[design.star_type[star], band]
            + self.star[star]
            + self.star_band[star, band]
            + self.flux[star, band]
            + self.visit[design.visit]
        )

    def quantities(self, design: Design) -> dict[str, Array]:
        """Return the offsets under the names the posterior and the tables use."""
        star_offset = self.type[design.star_type] + self.star
        free = {}
        if design.has_free:
            star_offset = (1.0 - design.free) * star_offset
            free["free_flux"] = -jnp.asarray(design.free)[:, None] * self.flux
        if design.states_flux_unc:
            predicted = 1.0 - jnp.asarray(design.free)[:, None] if design.has_free else 1.0
            free["flux_offset"] = predicted * self.flux
        return {
            "A": jnp.exp(self.log_a),
            "D": jnp.exp(self.subarray),
            "D_band": jnp.exp(self.subarray + self.subarray_band),
            "type_offset": self.type,
            "type_band_offset": self.type_band,
            "star_offset": star_offset,
            "star_band_offset": self.star_band,
            "visit_offset": self.visit,
        } | free
