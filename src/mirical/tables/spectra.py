"""Predicted fluxes from spectra: CALSPEC through bandpasses (paper section 2.3)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from astropy import units as u
from astropy.constants import c
from astropy.table import QTable
from synphot import Empirical1D, Observation, SourceSpectrum, SpectralElement

from mirical.conventions import FLUX
from mirical.errors import InputError
from mirical.instruments.bandpasses import bandpass, bandpass_source
from mirical.instruments.instrument import Instrument
from mirical.instruments.magnitudes import zero_flux
from mirical.stars import STARS, canonical_star, star_hint, star_key
from mirical.tables.spectrum_files import (
    FLAM,
    STATISTICAL,
    SYSTEMATIC,
    Chosen,
    choose_series,
    read_errors,
    read_spectrum,
)
from mirical.text import one_line

SYNTHETIC, INTERPOLATED = "synthetic", "interpolated"

_RESOLVED = 2e-3  # on the points of the curve alone; lines of CALSPEC's hot stars come to 1.5e-3
_FLUXES = {
    "model_flux": "Predicted flux density at the pivot wavelength",
    "model_flux_unc": "Its statistical error (STATERROR of the spectrum, averaged over the band)",
    "model_flux_sys": "Its systematic error (SYSERROR), common to all stars: the flux scale's",
}
_COLUMNS = {
    "name": "Star",
    "filter": "Band",
    **_FLUXES,
    "method": "synthetic: integrated over the bandpass; interpolated: between neighbouring bands",
    "spectrum": "File name of the spectrum",
    "bandpass": "Source of the bandpass curve, or the bands interpolated between",
}


def band_fluxes(spectrum: Path, instrument: Instrument) -> dict[str, u.Quantity]:
    """Return a star's flux density in mJy in each imaging band its spectrum covers.

    The photon-weighted mean F_lambda = int(lambda B F) / int(lambda B), then
    F_nu = F_lambda lambda_p^2 / c at the pivot wavelength.

    Parameters
    ----------
    spectrum : Path
        A CALSPEC file, see `mirical.tables.spectrum_files.read_spectrum`.
    instrument : Instrument
        Whose bands.

    Raises
    ------
    InputError
        If the file cannot be read, covers no band, or has a negative mean flux in one.
    """
    wavelength, flux = read_spectrum(spectrum)
    source = SourceSpectrum(Empirical1D, points=wavelength, lookup_table=flux, keep_neg=True)
    first, last = wavelength[[0, -1]].to(u.AA)
    fluxes = {}
    for band in instrument.imaging_bands:
        curve = bandpass(band, instrument)
        if curve.waveset[0] < first or curve.waveset[-1] > last:
            continue
        mean = _mean(source, curve, wavelength.to(u.AA))
        fluxes[band] = (mean * curve.pivot() ** 2 / c).to(FLUX)
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
    # comes out 0.9 % high where a curve is cut off.
    observation, grid = Observation(source, bandpass), bandpass.waveset
    mean = observation.effstim("flam", wavelengths=grid).value
    inside = points[(points > grid[0]) & (points < grid[-1])]
    every = np.union1d(inside.value, grid.value) * u.AA
    complete = observation.effstim("flam", wavelengths=every).value
    if np.trapezoid(every.value * observation(every, flux_unit="flam").value, every.value) < 0:
        return -complete * FLAM  # of which effstim gives the size alone
    # The curve's points alone miss the noise between them of a measured spectrum.
    return (mean if abs(mean - complete) <= _RESOLVED * abs(complete) else complete) * FLAM


def band_errors(
    spectrum: Path, instrument: Instrument, bands: Iterable[str]
) -> dict[str, tuple[float, float]]:
    """Return the relative statistical and systematic error of a star's flux in some bands.

    The statistical errors of a band's points go along by an unknown amount: they are averaged as
    if they were one, which errs on the wide side. Empty where the file states none.

    Parameters
    ----------
    spectrum : Path
        A CALSPEC file.
    instrument : Instrument
        Whose bands.
    bands : iterable of str
        Bands that the spectrum covers.

    Raises
    ------
    InputError
        If the file cannot be read.
    """
    stated = read_errors(spectrum)
    if not stated:
        return {}
    wavelength, flux = read_spectrum(spectrum)
    at = wavelength.to_value(u.AA)
    densities = {
        name: column.to_value(FLAM, u.spectral_density(wavelength))
        for name, column in {"flux": flux, **stated}.items()
    }
    found = {}
    for band in bands:
        curve = bandpass(band, instrument)
        grid = curve.waveset.to_value(u.AA)
        every = np.union1d(at[(at > grid[0]) & (at < grid[-1])], grid)
        weight = every * curve(every * u.AA).value
        sums = {
            name: np.trapezoid(weight * np.interp(every, at, density), every)
            for name, density in densities.items()
        }
        errors = (abs(sums[name] / sums["flux"]) for name in (STATISTICAL, SYSTEMATIC))
        found[band] = tuple(map(float, errors))
    return found


def predict(folder: Path, extra: Mapping[str, Path], instrument: Instrument) -> QTable:
    """Return the predicted fluxes of every star that has a spectrum.

    Imaging bands are integrated; others are interpolated in F / F_zero (Table 6)
    linearly in pivot wavelength between the imaging bands on either side, and
    marked so.

    Parameters
    ----------
    folder : Path
        Folder of CALSPEC files; of several of a star one is taken (`choose_series`).
    extra : mapping of {str : Path}
        Spectra of stars of the user's own, by star name.
    instrument : Instrument
        Whose bands.

    Returns
    -------
    QTable
        Columns name, filter, model_flux, model_flux_unc and model_flux_sys [mJy; errors NaN where
        the spectrum states none], method, spectrum, bandpass. Its metadata's ``notes``, where
        there are any: which files were passed over, which names resemble others.

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
    records = []
    for name, path in spectra.items():
        fluxes = band_fluxes(path, instrument)
        errors = band_errors(path, instrument, fluxes)
        for band in instrument.bands:
            imaging = band in instrument.imaging_bands
            made = None if imaging else _interpolated(band, fluxes, instrument)
            flux = fluxes.get(band, made)
            if flux is None:
                continue
            method = SYNTHETIC if made is None else INTERPOLATED
            source = (
                bandpass_source(band, instrument)
                if made is None
                else "between {} and {}".format(*instrument.neighbours(band))
            )
            rounded = float(f"{flux.to_value(FLUX):.6g}")
            beside = (band,) if imaging else instrument.neighbours(band)
            stated = np.max([errors.get(b, (np.nan, np.nan)) for b in beside], axis=0)
            unc, common = (float(f"{part * rounded:.3g}") for part in stated)
            made_from = method, one_line(path.name), source
            records.append((name, band, rounded, unc, common, *made_from))
    table = QTable(rows=records, names=list(_COLUMNS), units=dict.fromkeys(_FLUXES, FLUX))
    for column, text in _COLUMNS.items():
        table[column].info.description = text
    table.meta["title"] = "Predicted flux densities of standard stars"
    table.meta["origin"] = (
        f"photon-weighted synthetic photometry of CALSPEC spectra (STScI) through the "
        f"{instrument.title} bandpasses; interpolated bands: F / F_zero(Table 6) linear in pivot "
        "wavelength"
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


def _interpolated(
    band: str, fluxes: dict[str, u.Quantity], instrument: Instrument
) -> u.Quantity | None:
    below, above = instrument.neighbours(band)
    if below not in fluxes or above not in fluxes:
        return None
    zero = {b: zero_flux(b, "Vega", instrument) for b in (below, band, above)}
    pivots = [instrument.bands[b].pivot for b in (below, above)]
    ratios = [(fluxes[b] / zero[b]).to_value(1) for b in (below, above)]
    return (np.interp(instrument.bands[band].pivot, pivots, ratios) * zero[band]).to(FLUX)
