"""Bandpass curves: of an installed library, or files of a card's folder."""

from __future__ import annotations

from functools import cache
from importlib.metadata import version
from pathlib import Path

import numpy as np
from astropy import units as u
from msgspec import structs
from sedpy.observate import Filter
from synphot import Empirical1D, SpectralElement

from mirical.errors import InputError, reading
from mirical.instruments.card_tables import read_card_table
from mirical.instruments.cards import LIBRARY
from mirical.instruments.instrument import Instrument

_PIVOT_TOLERANCE = 5e-4  # the public curves keep to the pivots of Table 6 within 2e-4


@cache
def bandpass(band: str, instrument: Instrument) -> SpectralElement:
    """Return the bandpass curve of a band as a synphot ``SpectralElement``.

    Raises
    ------
    InputError
        If the card states none, it cannot be read, or its pivot wavelength is not the band's (an
        old release of MIRI's curves had F1130W and F1280W swapped).
    """
    stated = instrument.bands[band].bandpass
    if stated is None:
        raise InputError(
            f"instrument {instrument.name}: band {band!r} states no bandpass, so no flux can be "
            "predicted in it; add it to the card."
        )
    points, throughput = _curve(stated, band, instrument)
    curve = SpectralElement(Empirical1D, points=points, lookup_table=throughput)
    pivot, expected = curve.pivot().to_value("micron"), instrument.bands[band].pivot
    if abs(pivot / expected - 1) > _PIVOT_TOLERANCE:
        remedy = "install another release" if stated.startswith(LIBRARY) else "correct one of them"
        raise InputError(
            f"bandpass of {band} in the {bandpass_source(band, instrument, installed=True)}: its "
            f"pivot wavelength is {pivot:.3f} micron, expected {expected}; {remedy}."
        )
    return curve


def with_bandpasses(instrument: Instrument, folder: Path) -> Instrument:
    """Return an instrument whose files of bandpasses are those of a folder, where it has them.

    Raises
    ------
    InputError
        If the folder has none of them.
    """
    bands = [
        structs.replace(band, bandpass=str((folder / band.bandpass).resolve()))
        if band.bandpass and (folder / band.bandpass).is_file()
        else band
        for band in instrument.bands_stated
    ]
    if bands == [*instrument.bands_stated]:
        named = [b.bandpass for b in bands if b.bandpass and not b.bandpass.startswith(LIBRARY)]
        raise InputError(
            f"{folder}: has none of the files of bandpasses that the card of {instrument.name} "
            f"names ({', '.join(named) or 'none'})."
        )
    return structs.replace(instrument, bands_stated=tuple(bands))


def bandpass_source(band: str, instrument: Instrument, installed: bool = False) -> str:
    """Return what a band's curve is from: the library and its version, or the file's name."""
    stated = instrument.bands[band].bandpass or ""
    if stated.startswith(LIBRARY):
        return f"{'installed ' if installed else ''}astro-sedpy {version('astro-sedpy')}"
    return Path(stated).name


def _curve(stated: str, band: str, instrument: Instrument) -> tuple[u.Quantity, np.ndarray]:
    if stated.startswith(LIBRARY):
        name = stated.removeprefix(LIBRARY)
        with reading(f"instrument {instrument.name}: band {band!r}", f"sedpy's curve {name!r}"):
            curve = Filter(name)
        return curve.wavelength * u.AA, curve.transmission
    path = Path(instrument.folder) / stated
    columns = {"wavelength": u.AA, "throughput": u.dimensionless_unscaled}
    table = read_card_table(path, columns)
    wavelength, throughput = table["wavelength"].to(u.AA), np.asarray(table["throughput"], float)
    rising = np.all(np.diff(wavelength.value) > 0) and wavelength.value[0] > 0
    if len(table) < 3 or not rising or not np.all(throughput >= 0) or not np.any(throughput > 0):
        raise InputError(
            f"{path.parent.name}/{path.name}: is no bandpass; expected three rows or more, "
            "wavelengths that rise, and throughputs of which none is negative and some positive."
        )
    return wavelength, throughput
