"""Predicted fluxes of standard stars: CALSPEC spectra through the MIRI bandpasses (paper 2.3)."""

from __future__ import annotations

import re
import warnings
from functools import cache
from importlib.metadata import version
from pathlib import Path

import numpy as np
from astropy import units as u
from astropy.constants import c
from astropy.table import QTable
from astropy.utils.exceptions import AstropyWarning
from sedpy.observate import Filter
from synphot import Empirical1D, Observation, SourceSpectrum, SpectralElement

from mirical.bands import BANDS, IMAGING_BANDS, imaging_neighbours
from mirical.conventions import FLUX
from mirical.errors import InputError
from mirical.shipped import data_file
from mirical.stars import STARS, canonical_star

SYNTHETIC, INTERPOLATED = "synthetic", "interpolated"

_PIVOT_TOLERANCE = 5e-4  # the public curves keep to the pivots of Table 6 within 2e-4
_COLUMNS = {
    "name": "Star",
    "filter": "Band",
    "model_flux": "Predicted flux density at the pivot wavelength",
    "method": "synthetic: integrated over the bandpass; interpolated: between neighbouring bands",
    "spectrum": "File name of the spectrum",
    "bandpass": "Source of the bandpass curve, or the bands interpolated between",
}
_FLAM = u.erg / u.s / u.cm**2 / u.AA


@cache
def imaging_bandpass(band: str) -> SpectralElement:
    """Return the bandpass curve of an imaging band as a synphot ``SpectralElement``.

    Raises
    ------
    InputError
        If the installed curve's pivot wavelength is not the band's (an old
        release of the curves had F1130W and F1280W swapped).
    """
    curve = Filter(f"jwst_{band.lower()}")
    bandpass = SpectralElement(
        Empirical1D, points=curve.wavelength * u.AA, lookup_table=curve.transmission
    )
    pivot = bandpass.pivot().to_value("micron")
    if abs(pivot / BANDS[band].pivot - 1) > _PIVOT_TOLERANCE:
        raise InputError(
            f"bandpass of {band} in the installed {_curves()}: its pivot wavelength is "
            f"{pivot:.3f} micron, expected {BANDS[band].pivot}; install another release."
        )
    return bandpass


def _curves() -> str:
    return f"astro-sedpy {version('astro-sedpy')}"


def band_fluxes(spectrum: Path) -> dict[str, u.Quantity]:
    """Return a star's flux density in mJy in each imaging band its spectrum covers.

    The photon-weighted mean F_lambda = int(lambda B F) / int(lambda B), then
    F_nu = F_lambda lambda_p^2 / c at the pivot wavelength.

    Parameters
    ----------
    spectrum : Path
        A CALSPEC file (FITS, gzipped or not): WAVELENGTH [Angstrom] and FLUX
        [erg/s/cm2/Angstrom] in the first extension.

    Raises
    ------
    InputError
        If the file is missing or cannot be read as a spectrum.
    """
    if not spectrum.is_file():
        raise InputError(f"{spectrum}: no such file; expected a CALSPEC spectrum.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AstropyWarning)  # FLAM is not a FITS unit
            source = SourceSpectrum.from_file(str(spectrum))
    except Exception as error:  # synphot passes on whatever the file's reader raised
        raise InputError(
            f"{spectrum}: cannot be read as a CALSPEC spectrum; expected a FITS table with "
            "columns WAVELENGTH and FLUX."
        ) from error
    fluxes = {}
    for band in IMAGING_BANDS:
        bandpass = imaging_bandpass(band)
        if source.waveset is None or bandpass.waveset[-1] > source.waveset[-1]:
            continue
        # On one grid: integrating source and bandpass on grids of their own
        # comes out 0.9 % high where a curve is cut off (F2550W).
        observation = Observation(source, bandpass)
        mean = observation.effstim("flam", wavelengths=bandpass.waveset).value * _FLAM
        fluxes[band] = (mean * bandpass.pivot() ** 2 / c).to(FLUX)
    return fluxes


def predict(folder: Path, extra: dict[str, Path]) -> QTable:
    """Return the predicted fluxes of every star that has a spectrum.

    Imaging bands are integrated; FND and the coronagraph bands are
    interpolated in F / F_zero (Table 6) linearly in pivot wavelength between
    the imaging bands on either side, and marked so.

    Parameters
    ----------
    folder : Path
        Folder of CALSPEC files; of several versions of a star the last is taken.
    extra : dict of {str : Path}
        Spectra of stars of the user's own, by star name.

    Returns
    -------
    QTable
        Columns name, filter, model_flux [mJy], method, spectrum, bandpass.

    Raises
    ------
    InputError
        If the folder has no spectrum of a program star and no star was added,
        or a file cannot be read.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; expected a folder of CALSPEC FITS files.")
    spectra = {s.name: found for s in STARS.values() if (found := _latest(folder, s.spectrum))}
    spectra |= {canonical_star(name): path for name, path in extra.items()}
    if not spectra:
        raise InputError(
            f"{folder}: no CALSPEC spectrum of a program star there; expected files such as "
            "g191b2b_stiswfcnic_004.fits, or give --star NAME=FILE."
        )
    zero = _zero_magnitude()
    records = []
    for name, path in spectra.items():
        fluxes = band_fluxes(path)
        for band in BANDS:
            made = _interpolated(band, fluxes, zero) if band not in IMAGING_BANDS else None
            flux = fluxes.get(band, made)
            if flux is None:
                continue
            method = SYNTHETIC if made is None else INTERPOLATED
            source = (
                _curves() if made is None else "between {} and {}".format(*imaging_neighbours(band))
            )
            rounded = float(f"{flux.to_value(FLUX):.6g}")
            records.append((name, band, rounded, method, path.name, source))
    table = QTable(rows=records, names=list(_COLUMNS), units={"model_flux": FLUX})
    for column, text in _COLUMNS.items():
        table[column].info.description = text
    table.meta["title"] = "Predicted flux densities of standard stars"
    table.meta["origin"] = (
        "photon-weighted synthetic photometry of CALSPEC spectra (STScI) through the MIRI imaging "
        "bandpasses; interpolated bands: F / F_zero(Table 6) linear in pivot wavelength"
    )
    return table


def _latest(folder: Path, root: str | None) -> Path | None:
    """Return the newest of a star's CALSPEC files: ROOT_INSTRUMENTS_VERSION.fits[.gz]."""
    if root is None:
        return None
    pattern = re.compile(rf"{re.escape(root)}_[a-z]+_(\d+)\.fits(\.gz)?")
    found = [(m[1], p) for p in folder.iterdir() if (m := pattern.fullmatch(p.name))]
    return max(found)[1] if found else None


def _zero_magnitude() -> dict[str, u.Quantity]:
    table = QTable.read(data_file("table6"), format="ascii.ecsv")
    return {str(row["filter"]): row["f_nu"] for row in table}


def _interpolated(
    band: str, fluxes: dict[str, u.Quantity], zero: dict[str, u.Quantity]
) -> u.Quantity | None:
    below, above = imaging_neighbours(band)
    if below not in fluxes or above not in fluxes:
        return None
    pivots = [BANDS[below].pivot, BANDS[above].pivot]
    ratios = [(fluxes[b] / zero[b]).to_value(1) for b in (below, above)]
    return (np.interp(BANDS[band].pivot, pivots, ratios) * zero[band]).to(FLUX)
