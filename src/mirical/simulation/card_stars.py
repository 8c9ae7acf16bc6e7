"""Stars of a program that is simulated from an instrument's card alone, and their fluxes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mirical.conventions import FLUX
from mirical.errors import InputError
from mirical.instruments.instrument import Instrument
from mirical.stars import STARS, canonical_star
from mirical.tables.apertures import published_apertures
from mirical.tables.predicted_fluxes import by_star_band, shipped_fluxes

MOST_STARS = 30
"""Stars of a card's table that are observed at most, the first ones."""

COUNT_RATE = 1e4
"""Counts a second that an invented star of the middle brightness has in the middle of the bands,
where a factor is one in its unit: what detectors of any kind can count."""

SLOPES = (-2.0, -1.5, -1.0)
"""Power of wavelength that the flux densities of invented stars follow, by type in turn: -2 is a
hot star's far from its peak."""

BRIGHTNESS = 3.0
"""Ratio of brightness from one invented star of a type to the next."""

_IN_ALL = 9  # invented stars to aim at: the errors of a type are told from those of its stars
_OF_ONE_TYPE = 6


@dataclass(frozen=True)
class CardStars:
    """The stars of a program.

    Attributes
    ----------
    types : dict of {str : str}
        Type of each star.
    fluxes : dict of {(str, str) : float}
        Predicted flux density in mJy by star and band, of every star and band to be observed.
    invented : bool
        Whether stars and fluxes are invented.
    """

    types: dict[str, str]
    fluxes: dict[tuple[str, str], float]
    invented: bool

    def bands(self, star: str, instrument: Instrument) -> list[str]:
        """Return the bands that a star has a flux in, in order of wavelength."""
        return [band for band in instrument.bands if (star, band) in self.fluxes]


def card_stars(instrument: Instrument) -> CardStars:
    """Return the stars of the card's table of predicted fluxes, or invented ones where it has none.

    The table does not state types: a star of MIRI's program has its type, where the card knows
    that; others have the card's types in turn.

    Raises
    ------
    InputError
        If the card's table cannot be used.
    """
    table = shipped_fluxes(instrument)
    if not len(table):
        return _invented(instrument)
    known = by_star_band(table)
    for (star, band), flux in known.items():
        place = f"simulate: {instrument.predicted_fluxes}: star {star!r}"
        instrument.find_band(band, place)
        if not flux > 0:
            raise InputError(f"{place}: model_flux in {band} is {flux:g}; expected more than zero.")
    names = list(dict.fromkeys(star for star, _ in known))[:MOST_STARS]
    types = {}
    for number, star in enumerate(names):
        own = STARS.get(canonical_star(star))
        in_turn = instrument.types[number % len(instrument.types)]
        types[star] = own.srctype if own and own.srctype in instrument.types else in_turn
    fluxes = {(star, band): flux for (star, band), flux in known.items() if star in types}
    return CardStars(types, fluxes, invented=False)


def _invented(instrument: Instrument) -> CardStars:
    """Return some stars of every type, as bright as gives count rates about `COUNT_RATE`."""
    bands = list(instrument.bands)
    pivots = np.array([instrument.bands[band].pivot for band in bands])
    corrections = np.array([published_apertures(instrument)[band].correction for band in bands])
    per_rate = instrument.fluxes_per_rate(np.ones(len(bands)), corrections, bands)
    middle = COUNT_RATE * np.exp(np.mean(np.log(per_rate.to_value(FLUX / instrument.count_rate))))
    relative = pivots / np.exp(np.mean(np.log(pivots)))
    n = max(1, min(_OF_ONE_TYPE, -(-_IN_ALL // len(instrument.types))))
    types: dict[str, str] = {}
    fluxes: dict[tuple[str, str], float] = {}
    for i, kind in enumerate(instrument.types):
        for k in range(n):
            star = f"SIM {kind} {k + 1}"
            types[star] = kind
            shape = middle * BRIGHTNESS ** (k - (n - 1) / 2) * relative ** SLOPES[i % len(SLOPES)]
            fluxes |= {
                (star, band): float(f"{flux:.6g}") for band, flux in zip(bands, shape, strict=True)
            }
    return CardStars(types, fluxes, invented=True)
