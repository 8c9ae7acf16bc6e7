"""An instrument: its bands, readouts, units, epochs and star types, as its card states them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path

import msgspec
import numpy as np
from astropy import units as u
from astropy.table import QTable
from msgspec import Struct

from mirical.conventions import FLUX
from mirical.errors import InputError, did_you_mean
from mirical.instruments.card_entries import (
    IMAGING,
    Band,
    Epoch,
    Factor,
    File,
    Name,
    Overheads,
    Pipeline,
    Positive,
    Published,
    Readout,
    Staged,
    StarType,
)
from mirical.instruments.card_tables import read_card_table
from mirical.stars import star_key


class Instrument(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, eq=False, dict=True
):
    """An instrument, as its card states it.

    Attributes
    ----------
    name : str
        Such as MIRI.
    title : str
        What its pages are headed with, such as "MIRI imaging".
    observatory : str
        Such as JWST.
    count_unit : str
        Unit of count rates, such as DN/s.
    factor : Factor
        What a calibration factor is.
    t0 : float
        Zero point of the time law, MJD in days.
    reference_mjd : float
        Epoch at which one factor a band is quoted where rows lie on both sides of it, MJD.
    launch_mjd : float
        Before which no row can be, MJD.
    first_mjd : float
        First epoch at which a factor may be asked for, MJD.
    visit_length : float
        Rows of one star within this many days share a visit.
    star_types : tuple of StarType
        In the order of tables.
    bands_stated : tuple of Band
        See `bands`.
    readouts_stated : tuple of Readout
        In the order of tables.
    apertures : str or None
        Table of apertures by band; None where count rates are those of the whole star.
    fwhm_per_micron : float or None
        Width of a star's image in pixels a micron of wavelength.
    predicted_fluxes : str or None
        Table of predicted fluxes by star and band.
    zero_points : str or None
        Table of the flux densities of magnitude zero, filter and f_nu.
    published : Published or None
        Published coefficients.
    staged : Staged or None
        What `mirical staged` assumes; None where the procedure is not meant for it.
    pipeline : Pipeline or None
        Pipeline to export to.
    overheads : Overheads or None
        Time charged beside the exposures.
    folder : str
        Where the card is; no entry of it.
    """

    name: Name
    title: Name
    observatory: Name
    count_unit: Name
    factor: Factor
    t0: Epoch
    reference_mjd: Epoch
    launch_mjd: Epoch
    first_mjd: Epoch
    visit_length: Positive = 1.0
    star_types: tuple[StarType, ...] = msgspec.field(name="star_type")
    bands_stated: tuple[Band, ...] = msgspec.field(name="band")
    readouts_stated: tuple[Readout, ...] = msgspec.field(name="readout")
    apertures: File | None = None
    fwhm_per_micron: Positive | None = None
    predicted_fluxes: File | None = None
    zero_points: File | None = None
    published: Published | None = None
    staged: Staged | None = None
    pipeline: Pipeline | None = None
    overheads: Overheads | None = None
    folder: str = ""

    @cached_property
    def bands(self) -> dict[str, Band]:
        """All bands by name, in order of pivot wavelength."""
        return {band.name: band for band in sorted(self.bands_stated, key=lambda b: b.pivot)}

    @cached_property
    def imaging_bands(self) -> tuple[str, ...]:
        """Names of the bands whose predicted fluxes are integrated."""
        return tuple(name for name, band in self.bands.items() if band.kind == IMAGING)

    @cached_property
    def subarrays(self) -> tuple[str, ...]:
        """Readouts with a throughput of their own, that of reference first."""
        return (self.reference, *self._with("fitted"))

    @cached_property
    def reference(self) -> str:
        """The readout to which throughputs are relative."""
        return self._with("reference")[0]

    @cached_property
    def unit_subarrays(self) -> tuple[str, ...]:
        """Readouts other than the reference with D = 1."""
        return self._with("one")

    @cached_property
    def assumed(self) -> dict[str, str]:
        """By readout no standard star was observed in: whose D is taken for it."""
        return {one.name: one.like or "" for one in self.readouts_stated if one.like}

    @cached_property
    def known_readouts(self) -> tuple[str, ...]:
        """All readouts: those with a throughput of their own, with D = 1, and assumed."""
        return (*self.subarrays, *self.unit_subarrays, *self.assumed)

    @cached_property
    def types(self) -> tuple[str, ...]:
        """Names of the star types."""
        return tuple(one.name for one in self.star_types)

    @property
    def epochs(self) -> tuple[float, float]:
        """First and last MJD at which a factor may be asked for."""
        return self.first_mjd, 100000.0

    @cached_property
    def count_rate(self) -> u.UnitBase:
        """Unit of count rates."""
        return u.Unit(self.count_unit)

    @cached_property
    def factor_unit(self) -> u.UnitBase:
        """Unit of a calibration factor."""
        flux = u.Unit(self.factor.unit)
        if self.factor.pixel_solid_angle is None:
            return flux / self.count_rate
        return flux * u.pix / (self.count_rate * u.sr)

    @cached_property
    def factor_text(self) -> str:
        """The same unit as astronomers write it, for tables and axis labels."""
        if self.factor.pixel_solid_angle is None:
            return f"{self.factor.unit}/({self.count_unit})"
        return f"({self.factor.unit}/sr)/({self.count_unit}/pixel)"

    @cached_property
    def pixel_solid_angle(self) -> u.Quantity:
        """Mean solid angle of a pixel.

        Raises
        ------
        InputError
            If factors are of flux, so that the card states none.
        """
        if self.factor.pixel_solid_angle is None:
            raise InputError(f"instrument {self.name}: states no pixel_solid_angle.")
        return self.factor.pixel_solid_angle * u.sr

    @property
    def pixel_scale(self) -> float:
        """Side of a square pixel of that solid angle, arcsec."""
        return float(np.sqrt(self.pixel_solid_angle.to_value("arcsec2")))

    def solid_angles(self, bands: Iterable[str]) -> u.Quantity:
        """Return the solid angle of a pixel in each band; unknown bands have the instrument's."""
        own = {name: band.pixel_solid_angle for name, band in self.bands.items()}
        usual = self.pixel_solid_angle
        return np.array([own.get(str(b)) or usual.value for b in bands]) * u.sr

    def factors(
        self, flux: u.Quantity, rate: u.Quantity, correction: object, bands: Iterable[str]
    ) -> u.Quantity:
        """Return C = F / (N A_cor Omega_pix) (Eq. 3), or without Omega_pix where C is of flux.

        Parameters
        ----------
        flux : Quantity
            Flux densities F of stars.
        rate : Quantity
            Count rates N summed over the aperture.
        correction : float or ndarray
            Aperture corrections A_cor to infinite aperture.
        bands : iterable of str
            Band of each star.
        """
        if self.factor.pixel_solid_angle is None:
            return (flux / (rate * correction)).to(self.factor_unit)
        in_pixel = rate / u.pix * correction * self.solid_angles(bands)
        return (flux / in_pixel).to(self.factor_unit)

    def fluxes_per_rate(
        self, factor: np.ndarray, correction: np.ndarray, bands: Iterable[str]
    ) -> u.Quantity:
        """Return the flux density in mJy of a star a count rate; see `factors`.

        Parameters
        ----------
        factor : (point,) array
            Calibration factors in their unit.
        correction : (point,) array
            Aperture corrections.
        bands : iterable of str
            Band of each point.
        """
        per_rate = factor * self.factor_unit
        if self.factor.pixel_solid_angle is None:
            return (per_rate * correction).to(FLUX / self.count_rate)
        in_pixel = per_rate * self.solid_angles(bands) * correction / u.pix
        return in_pixel.to(FLUX / self.count_rate)

    def find_band(self, name: str, where: str) -> Band:
        """Return the band of that name.

        Raises
        ------
        InputError
            If there is none; `where` begins the sentence.
        """
        if name not in self.bands:
            hint = did_you_mean(name, self.bands)
            raise InputError(f"{where}: band {name!r} is not a {self.name} band{hint}")
        return self.bands[name]

    def spelled_band(self, name: str) -> str:
        """Return a band's name as the card spells it, whatever its capitals; others as they are."""
        return _spelled(name, self.bands)

    def spelled_subarray(self, name: str) -> str:
        """Return a readout's name as the card spells it; as `spelled_band`."""
        return _spelled(name, self.known_readouts)

    def find_type(self, spelling: str, where: str) -> str:
        """Return the star type meant by a ``srctype`` entry.

        Raises
        ------
        InputError
            If it is none of the card's; `where` begins the sentence.
        """
        found = self._type_spellings.get(_bare(spelling))
        if found is None:
            hint, known = did_you_mean(spelling, self.types), ", ".join(self.types)
            beside = "" if known in hint else f" ({self.name} has {known})"
            raise InputError(f"{where}: star type {spelling!r} is unknown{hint}{beside}")
        return found

    @cached_property
    def _type_spellings(self) -> dict[str, str]:
        return {_bare(s): one.name for one in self.star_types for s in (one.name, *one.spellings)}

    def subarray_term(self, name: str, where: str) -> str:
        """Return the subarray whose D applies: the name itself, or the reference where D = 1.

        Raises
        ------
        InputError
            If there is no such subarray.
        """
        if name in self.unit_subarrays:
            return self.reference
        if name not in self.subarrays:
            hint = did_you_mean(name, self.known_readouts)
            raise InputError(f"{where}: subarray {name!r} is unknown{hint}")
        return name

    def assumed_term(self, name: str, where: str) -> str:
        """Return the subarray whose D is taken for any readout the card knows.

        Raises
        ------
        InputError
            If there is no such subarray.
        """
        return self.assumed[name] if name in self.assumed else self.subarray_term(name, where)

    def assumptions(self, subarrays: Iterable[str]) -> list[str]:
        """Say of which readouts the D is assumed: no standard star was observed in them."""
        return [
            f"{name}: no standard star was observed in it; D of {self.assumed[name]} is assumed."
            for name in dict.fromkeys(subarrays)
            if name in self.assumed
        ]

    def readouts(self, band: str) -> tuple[str, ...]:
        """Return every readout a band is observed in, the reference first.

        A band of a mask is observed in that alone; the reference, where D = 1 too, says the same.
        """
        mask = self.bands[band].mask
        if mask is not None:
            return self.reference, mask
        return tuple(
            one.name for one in self.readouts_stated if one.bands is None or band in one.bands
        )

    def require_readout(self, band: str, subarray: str, where: str) -> None:
        """Refuse a band in a subarray that it is not observed in.

        Raises
        ------
        InputError
            If the band or the subarray is unknown, or there is no such pair; `where` begins the
            sentence.
        """
        known = self.readouts(self.find_band(band, where).name)
        self.assumed_term(subarray, where)
        if subarray not in known:
            expected = [name for name in known if name not in self.assumed]
            listed = " or ".join(filter(None, (", ".join(expected[:-1]), expected[-1])))
            raise InputError(
                f"{where}: band {band!r} is not observed in {subarray!r}; expected {listed}."
            )

    def neighbours(self, name: str) -> tuple[str, str]:
        """Return the imaging bands on either side of another band in pivot wavelength."""
        pivot = self.bands[name].pivot
        below = [b for b in self.imaging_bands if self.bands[b].pivot <= pivot]
        above = [b for b in self.imaging_bands if self.bands[b].pivot > pivot]
        return below[-1], above[0]

    def log_pivots(self, bands: Iterable[str]) -> np.ndarray:
        """Return ln of the pivot wavelengths in micron of some bands, (band,)."""
        return np.log([self.bands[band].pivot for band in bands])

    def fwhm(self, band: str) -> float:
        """Return the full width at half maximum of a star's image in pixels: the diffraction limit.

        Raises
        ------
        InputError
            If the card states no width.
        """
        if self.fwhm_per_micron is None:
            raise InputError(f"instrument {self.name}: states no fwhm_per_micron.")
        return self.fwhm_per_micron * self.bands[band].pivot

    def table(self, file: str, columns: Mapping[str, u.UnitBase | None]) -> QTable:
        """Return a table of the card's folder; see `mirical.instruments.card_tables`."""
        return read_card_table(Path(self.folder) / file, columns)

    def _with(self, throughput: str) -> tuple[str, ...]:
        return tuple(one.name for one in self.readouts_stated if one.throughput == throughput)


def _spelled(name: str, known: Iterable[str]) -> str:
    """Return the known name that a name is but for capitals and blanks at its ends, or itself."""
    bare = name.strip()
    folded = [one for one in known if one.casefold() == bare.casefold()]
    return bare if bare in folded or len(folded) != 1 else folded[0]


def _bare(spelling: str) -> str:
    return re.sub(r"[\W_]", "", star_key(spelling))
