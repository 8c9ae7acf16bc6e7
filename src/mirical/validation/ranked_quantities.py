"""Which quantities a simulation-based calibration ranks, and where in a draw each is."""

from __future__ import annotations

import numpy as np

from mirical.cards.card import Card, priors_of
from mirical.laws.timelaw import LAWS
from mirical.model.design import Design

COLOUR = "F770W", "F2100W"
"""Bands whose ratio of factors is ranked too: far apart in wavelength."""

Place = tuple[str, str, int | tuple[int, int] | None]

_BY_BAND = "A", "loss", "tau", "C_ref"
_SETTLING = "loss", "tau"


def tracked(design: Design, card: Card) -> dict[str, Place]:
    """Return the quantities that are ranked: label -> (group, variable, index in it).

    The groups are families that belong in one panel: a variable of several
    bands or stars, or the scales of one term.
    """
    found: dict[str, Place] = {}
    named = {n: design.bands for n in _BY_BAND if card.settles or n not in _SETTLING}
    if "tau" in named and all(card.priors[n].is_fixed for n in ("tau_median", "tau_spread")):
        del named["tau"]
    named["repeatability"] = design.bands
    if "loss_per_year" in LAWS[card.law].of_band and card.has("response_loss"):
        named["loss_per_year"] = design.bands
    for name, entries in named.items():
        found |= {f"{name}[{entry}]": (name, name, i) for i, entry in enumerate(entries)}
    found |= _of_stars(design, card)
    if card.has("subarray"):
        found |= _of_subarrays(design, card)
    for term in card.terms:
        free = [
            name
            for name in priors_of(term, card.law)
            if name != "A" and not card.priors[name].is_fixed
        ]
        found |= {name: (f"scales of {term}", name, None) for name in free}
    if set(COLOUR) <= set(design.bands):
        found["/".join(COLOUR)] = ("colour of factors", "colour", None)
    return found | {"log_likelihood": ("log likelihood", "log_likelihood", None)}


def _of_stars(design: Design, card: Card) -> dict[str, Place]:
    """Return the star offsets, and of each free star the flux in the band with most of its rows.

    The true fluxes are the nominal ones: nothing can be drawn from a flat prior. As it is flat in
    what shifts the rows, their ranks are uniform all the same.
    """
    free, star_of, band_of = (np.asarray(getattr(design, n)) for n in ("free", "star", "band"))
    found: dict[str, Place] = {}
    for i, star in enumerate(design.stars):
        if free[i]:
            band = int(np.argmax(np.bincount(band_of[star_of == i])))
            label = f"free_flux[{star} {design.bands[band]}]"
            found[label] = ("free_flux", "free_flux", (i, band))
        elif card.has("star_offset"):
            found[f"star_offset[{star}]"] = ("star_offset", "star_offset", i)
    return found


def _of_subarrays(design: Design, card: Card) -> dict[str, Place]:
    """Return D of each subarray, or that of each band where the card has nothing common."""
    subarrays, bands = (np.asarray(getattr(design, n)).tolist() for n in ("subarray", "band"))
    if not _vanishes(card, "subarray_scale"):
        return {f"D[{design.subarrays[i]}]": ("D", "D", i) for i in sorted(set(subarrays) - {0})}
    if _vanishes(card, "subarray_band_scale"):
        return {}
    cells = sorted({(b, a) for b, a in zip(bands, subarrays, strict=True) if a})
    return {
        f"D_band[{design.bands[b]} {design.subarrays[a]}]": ("D_band", "D_band", (b, a))
        for b, a in cells
    }


def _vanishes(card: Card, scale: str) -> bool:
    return card.priors[scale].is_fixed and card.priors[scale].value == 0
