"""Calibration of a rate image: the pipeline's photom step with a factor of mirical's.

The factor's own error stays out of ERR. It is one number for all pixels: added to
every pixel's error in quadrature it would pass for noise, which the sum over an
aperture or the mean over a field averages away, and the flux would come out with
too small an error, never too large a one. It goes beside the image, as cards of the
primary header, to be added in quadrature once, to whatever is measured at last:

======== ==========================================================================
CALFRAC  error of the factor over the factor: absolute, or what the history says
CALREL   the same if flux scale and types of star were exact: to compare fluxes of one
         instrument
CALAPER  the same of the band's aperture correction, where known: for an extended
         source, or an aperture the calibration was not made in; for a point source in
         the calibration's own aperture it cancels
CALNAME  which calibration
CALSW    version of mirical
CALSIM   whether the calibration rests on simulated rows
======== ==========================================================================

As in the pipeline the factor holds for flat-fielded rates: where the flat field was
not divided out, the image says so. The AREA extension of pixel areas, which the
pipeline takes from a reference file, is not added.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy import units as u

from mirical.calibration.calibration import Calibration, errors_hold
from mirical.calibration.factors import Query
from mirical.errors import InputError
from mirical.imaging.image_files import Unmeasurable, open_model
from mirical.imaging.image_headers import RATE, SURFACE_BRIGHTNESS, taken
from mirical.instruments.miri import miri
from mirical.storage.files import whole_file
from mirical.storage.fits_files import save_model
from mirical.text import ascii_text
from mirical.version import __version__

CARDS = {
    "CALFRAC": "std of the calibration factor over it",
    "CALREL": "the same, flux scale and star types exact",
    "CALAPER": "relative error of the aperture correction",
    "CALNAME": "calibration applied",
    "CALSW": "mirical version",
    "CALSIM": "calibration rests on simulated rows",
}
"""Cards of the primary header and their comments."""

_VARIANCES = ("var_poisson", "var_rnoise", "var_flat")
_UJY_PER_ARCSEC2 = (u.MJy / u.sr).to(u.uJy / u.arcsec**2)
_REMEDY = "give the imager's rates from before the photom step, such as a _rate file"
_NO_FLAT = (
    "the flat field was not divided out before: the factor holds for flat-fielded rates, so each "
    "pixel is off by its flat."
)


@dataclass(frozen=True)
class CalibratedImage:
    """What was done to an image.

    Attributes
    ----------
    band, subarray : str
        The true ones; see `mirical.imaging.images.true_band`.
    mjd : float
        Middle of the exposure, d.
    factor, factor_std : float
        What it was multiplied by and its standard deviation, (MJy/sr)/(DN/s/pixel).
    out : Path
        The file written.
    cautions : tuple of str
        What its user should know, in sentences.
    """

    band: str
    subarray: str
    mjd: float
    factor: float
    factor_std: float
    out: Path
    cautions: tuple[str, ...] = ()


def calibrate_image(
    calibration: Calibration,
    path: Path,
    out: Path,
    *,
    band: str | None = None,
    provenance: Mapping[str, str] = {},
) -> CalibratedImage:
    """Write an image in DN/s as one in MJy/sr; the file it comes from is left as it is.

    Data and ERR are multiplied by the factor of the exposure's band, subarray
    and middle, variances by its square. The factor's error is written beside:
    see `mirical.exports.calibrated_image`.

    Parameters
    ----------
    calibration : Calibration
        Where the factor comes from.
    path : Path
        FITS file of a JWST image or cube of integrations (``_rate``, ``_rateints``).
    out : Path
        The file to write, ``*.fits``.
    band : str, optional
        The band, where the header's cannot be trusted.
    provenance : mapping of {str : str}
        What else the header's history should tell, such as card, seed and data of a run.

    Raises
    ------
    InputError
        If the file is no rate image of the imager or was calibrated already,
        the calibration has no factor for it, or `out` cannot be written.
    """
    _check_names(path, out)
    with _refusing(path), open_model(path) as model:
        _check_rates(model, path)
        # No PHOTMJSR to ask: rates have none, and FILTER is still the instrument's own.
        query = Query.of(miri(), *taken(model, band), where=path.name)
        try:
            found = calibration.at(query)
        except InputError as error:
            raise InputError(f"{path.name}: {error}") from error
        factor, std = float(found.mean[0]), float(found.std[0])
        aperture = np.nan if found.aperture is None else float(found.aperture[0])
        cautions = tuple(calibration.cautions(query))
        if model.meta.cal_step.flat_field != "COMPLETE":
            cautions += (_NO_FLAT,)
        made = CalibratedImage(
            query.filters[0],
            query.subarrays[0],
            float(query.mjd[0]),
            factor,
            std,
            out,
            cautions,
        )
        _multiply(model, factor)
        relative = float(found.relative_std[0])
        _add_cards(model, calibration, (std / factor, relative / factor), aperture)
        for line in _history(made, calibration, provenance):
            model.add_history_entry(ascii_text(line))
        with whole_file(out) as beside:
            save_model(model, beside)
    return made


def _check_names(path: Path, out: Path) -> None:
    if not path.is_file():
        raise InputError(f"{path}: no such file; {_REMEDY}.")
    if out.suffix != ".fits":
        raise InputError(f"{out}: not a name of a FITS file; expected FILE_cal.fits.")
    if out.exists() and out.samefile(path):
        raise InputError(f"{out}: is the image to be calibrated itself; choose another --out.")


@contextmanager
def _refusing(path: Path) -> Iterator[None]:
    """Turn what makes an image unfit into the user's mistake."""
    try:
        yield
    except Unmeasurable as error:
        raise InputError(f"{path.name}: {error}; {_REMEDY}.") from error


def _check_rates(model: Any, path: Path) -> None:
    meta, name = model.meta, path.name
    instrument, detector = meta.instrument.name, meta.instrument.detector
    if instrument != "MIRI":
        raise Unmeasurable(f"not a MIRI image but of {instrument or 'an unknown instrument'}")
    if detector not in (None, "MIRIMAGE"):
        raise Unmeasurable(f"not of MIRI's imager but of detector {detector}")
    if meta.instrument.filter == "P750L":
        raise InputError(
            f"{name}: is spectroscopic (P750L), and a calibration factor holds for images; give "
            "an image taken through a filter."
        )
    for array, extension in (("data", "SCI"), ("err", "ERR")):
        if not model.hasattr(array):
            raise Unmeasurable(f"has no {extension} array (is the file cut short?)")
    ours = {keyword for keyword, *_ in _primary(model)} & CARDS.keys()
    unit = str(meta.bunit_data or "").strip().casefold()
    if ours or unit in SURFACE_BRIGHTNESS or meta.cal_step.photom == "COMPLETE":
        raise InputError(f"{name}: is calibrated already, and once more would be wrong; {_REMEDY}.")
    if unit not in RATE:
        stated = f"is in {meta.bunit_data!r}" if unit else "has no unit (BUNIT)"
        raise InputError(f"{name}: {stated}; expected DN/s: {_REMEDY}.")


def _extra(model: Any) -> dict[str, Any]:
    """Return what the file holds beyond the data model's own, by extension."""
    return dict(model.extra_fits.instance) if model.hasattr("extra_fits") else {}


def _primary(model: Any) -> list[list[Any]]:
    return list(_extra(model).get("PRIMARY", {}).get("header", []))


def _multiply(model: Any, factor: float) -> None:
    for names, by in ((("data", "err"), factor), (_VARIANCES, factor**2)):
        for name in names:
            if model.hasattr(name):
                setattr(model, name, getattr(model, name) * by)
    meta = model.meta
    if meta.background.level is not None:
        meta.background.level *= factor
    meta.bunit_data = meta.bunit_err = "MJy/sr"
    photometry = meta.photometry
    photometry.conversion_megajanskys = factor
    photometry.conversion_microjanskys = factor * _UJY_PER_ARCSEC2
    if not photometry.pixelarea_steradians:  # a mosaic has pixels of its own
        photometry.pixelarea_steradians = float(miri().pixel_solid_angle.to_value("sr"))
        photometry.pixelarea_arcsecsq = float(miri().pixel_solid_angle.to_value("arcsec2"))
    meta.cal_step.photom = "COMPLETE"


def _add_cards(
    model: Any, calibration: Calibration, errors: tuple[float, float], aperture: float
) -> None:
    """Add the cards; errors are that of the factor and the relative one, as fractions of it."""
    values = {
        "CALFRAC": errors[0],
        "CALREL": errors[1],
        "CALAPER": aperture,
        "CALNAME": ascii_text(calibration.name),
        "CALSW": __version__,
        "CALSIM": bool(calibration.simulated),
    }
    if not np.isfinite(aperture):
        del values["CALAPER"]
    cards = [[keyword, value, CARDS[keyword]] for keyword, value in values.items()]
    model.extra_fits = _extra(model) | {"PRIMARY": {"header": [*_primary(model), *cards]}}


def _history(
    made: CalibratedImage, calibration: Calibration, provenance: Mapping[str, str]
) -> list[str]:
    return [
        f"mirical {__version__}: rates multiplied by {made.factor:.7g} {miri().factor_text}",
        f"of {made.band} in {made.subarray} at MJD {made.mjd:.4f}; calibration {calibration.name}",
        f"CALFRAC: {errors_hold(calibration)} (CALREL)",
        *(f"{key}: {value}" for key, value in provenance.items()),
        *(f"caution: {sentence}" for sentence in made.cautions),
    ]
