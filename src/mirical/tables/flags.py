"""Flags: why a row is not fitted, each with its sentence."""

from __future__ import annotations

FLAGS: dict[str, str] = {
    "": "used in the fit",
    "not_measured": "iflux, ifluxunc or time is missing, so there is nothing to fit",
    "unmeasured": "the image could not be measured; its reason says why",
    "saturated": "pixels of the aperture are saturated",
    "crowded": "a neighbour lies in the aperture or its annulus",
    "unknown_type": "the star's type is not known; give it in column srctype",
    "duplicate": "repeats an earlier row (star, band, subarray and mid-time are the same)",
    "inconsistent": (
        "iflux contradicts the row's own flux column: their ratio differs from that of the "
        "band's other rows by more than response loss and subarray terms can explain"
    ),
    "no_prediction": (
        "no predicted flux for this star and band; give a model_flux column or add the star "
        "to the predicted fluxes"
    ),
}
"""Sentence of every flag; the empty flag is a row that is fitted."""
