"""Predicted fluxes from spectra: CALSPEC through the MIRI bandpasses (paper section 2.3)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path

import numpy as np
from astropy import units as u
from astropy.constants import c
from astropy.table import QTable
from sedpy.observate import Filter
from synphot import Empirical1D, Observation, SourceSpectrum, SpectralElement

from mirical.bands import BANDS, IMAGING_BANDS, imaging_neighbours
from mirical.conventions import FLUX
from mirical.errors import InputError
from mirical.stars import STARS, canonical_star, star_hint, star_key
from mirical.storage.shipped import data_file
from mirical.tables.spectrum_files import FLAM, Chosen, choose_series, read_spectrum
from mirical.text import one_line

SYNTHETIC, INTERPOLATED = "synthetic", "interpolated"

_PIVOT_TOLERANCE = 5e-4  # the public curves keep to the pivots of Table 6 within 2e-4
_RESOLVED = 2e-3  # on the points of the curve alone; lines of CALSPEC's hot stars come to 1.5e-3
_COLUMNS = {
    "name": "Star",
    "filter": "Band",
    "model_flux": "Predicted flux density at the pivot wavelength",
    "method": "synthetic: integrated over the bandpass; interpolated: between neighbouring bands",
    "spectrum": "File name of the spectrum",
    "bandpass": "Source of the bandpass curve, or the bands interpolated between",
}


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
        A CALSPEC file, see `mirical.tables.spectrum_files.read_spectrum`.

    Raises
    ------
    InputError
        If the file cannot be read, covers no band, or has a negative mean flux in one.
    """
    wavelength, flux = read_spectrum(spectrum)
    source = SourceSpectrum(Empirical1D, points=wavelength, lookup_table=flux, keep_neg=True)
    first, last = wavelength[[0, -1]].to(u.AA)
    fluxes = {}
    for band in IMAGING_BANDS:
        bandpass = imaging_bandpass(band)
        if bandpass.waveset[0] < first or bandpass.waveset[-1] > last:
            continue
        mean = _mean(source, bandpass, wavelength.to(u.AA))
        fluxes[band] = (mean * bandpass.pivot() ** 2 / c).to(FLUX)
        if not fluxes[band] > 0:
            raise InputError(
                f"{spectrum.name}: its flux density in {band} comes out as {fluxes[band]:.3g}; "
                "expected a spectrum whose mean in each band is positive."
            )
    if not fluxes:
        raise InputError(
            f"{spectrum.name}: covers no imaging band; it reaches from {first.to('um'):.4g} to "
            f"{last.to('um'):.4g} (is the unit of WAVELENGTH right?)."
        )
    return fluxes


def _mean(source: SourceSpectrum, bandpass: SpectralElement, points: u.Quantity) -> u.Quantity:
    """Return the photon-weighted mean of a spectrum over a bandpass, erg/s/cm2/Angstrom."""
    # On one grid: integrating source and bandpass on grids of their own
    # comes out 0.9 % high where a curve is cut off (F2550W).
    observation, grid = Observation(source, bandpass), bandpass.waveset
    mean = observation.effstim("flam", wavelengths=grid).value
    inside = points[(points > grid[0]) & (points < grid[-1])]
    every = np.union1d(inside.value, grid.value) * u.AA
    complete = observation.effstim("flam", wavelengths=every).value
    if np.trapezoid(every.value * observation(every, flux_unit="flam").value, every.value) < 0:
        return -complete * FLAM  # of which effstim gives the size alone
    # The curve's points alone miss the noise between them of a measured spectrum.
    return (mean if abs(mean - complete) <= _RESOLVED * abs(complete) else complete) * FLAM


def predict(folder: Path, extra: Mapping[str, Path]) -> QTable:
    """Return the predicted fluxes of every star that has a spectrum.

    Imaging bands are integrated; FND and the coronagraph bands are
    interpolated in F / F_zero (Table 6) linearly in pivot wavelength between
    the imaging bands on either side, and marked so.

    Parameters
    ----------
    folder : Path
        Folder of CALSPEC files; of several of a star one is taken (`choose_series`).
    extra : mapping of {str : Path}
        Spectra of stars of the user's own, by star name.

    Returns
    -------
    QTable
        Columns name, filter, model_flux [mJy], method, spectrum, bandpass. Its metadata's
        ``notes``, where there are any: which files were passed over, which names resemble others.

    Raises
    ------
    InputError
        If the folder has no spectrum of a program star and no star was added,
        a file cannot be read, or a star was added twice.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; expected a folder of CALSPEC FITS files.")
    chosen = {
        star.name: found
        for star in STARS.values()
        if star.spectrum and (found := choose_series(folder, star.spectrum))
    }
    own = _own_spectra(extra)
    spectra = {name: found.path for name, found in chosen.items()} | own
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
            records.append((name, band, rounded, method, one_line(path.name), source))
    table = QTable(rows=records, names=list(_COLUMNS), units={"model_flux": FLUX})
    for column, text in _COLUMNS.items():
        table[column].info.description = text
    table.meta["title"] = "Predicted flux densities of standard stars"
    table.meta["origin"] = (
        "photon-weighted synthetic photometry of CALSPEC spectra (STScI) through the MIRI imaging "
        "bandpasses; interpolated bands: F / F_zero(Table 6) linear in pivot wavelength"
    )
    if notes := _notes(chosen, own):
        table.meta["notes"] = notes
    return table


def _own_spectra(extra: Mapping[str, Path]) -> dict[str, Path]:
    """Return the user's own spectra by canonical name of the star."""
    spectra: dict[str, Path] = {}
    seen: dict[str, str] = {}
    for given, path in extra.items():
        name = canonical_star(given)
        if not name:
            raise InputError(f"fluxes: {given!r} is no name of a star.")
        if seen.setdefault(star_key(name), given) != given:
            raise InputError(
                f"fluxes: {seen[star_key(name)]!r} and {given!r} are the same star; give one "
                "spectrum a star."
            )
        spectra[name] = path
    return spectra


def _notes(chosen: Mapping[str, Chosen], own: Mapping[str, Path]) -> list[str]:
    """Return what to know of the spectra taken, in sentences."""
    notes = []
    for name, found in chosen.items():
        others = list(found.passed_over)
        taken, why = found.path.name, "measured before model, most instruments, highest version"
        if name in own:
            others, taken, why = [*others, found.path.name], own[name].name, "it was given for it"
        if others:
            notes.append(f"{name}: {taken} is taken, not {', '.join(others)} ({why}).")
    for name in own:
        if hint := star_hint(name):
            notes.append(f"{name!r} is no star of the program's{hint}")
    return notes


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
