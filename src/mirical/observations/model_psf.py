"""Model PSFs: images a user gives, or made by stpsf where it and its data are installed."""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path

import numpy as np
from astropy.io import fits

from mirical.bands import BANDS
from mirical.conventions import PIXEL_SOLID_ANGLE
from mirical.errors import InputError
from mirical.observations.encircled import EnergyCurve, model_curve
from mirical.observations.locating import centre_of_mass

_NOMINAL = float(np.sqrt(PIXEL_SOLID_ANGLE.to_value("arcsec2")))
_PREFERRED = ("DET_DIST", "DET_SAMP", "OVERDIST", "OVERSAMP")
"""Extensions of stpsf's files, best first: on the detector's pixels, its effects included."""

_FIELD = 200  # nominal pixels across the PSF stpsf is asked for: beyond the transition and annulus


def read_model(path: Path, band: str) -> EnergyCurve:
    """Return the encircled energy of a PSF image.

    Parameters
    ----------
    path : Path
        FITS image, as stpsf writes them or of one's own. PIXELSCL [arcsec] is the side of its
        pixels; without it they are nominal ones.
    band : str
        The band it is to serve.

    Raises
    ------
    InputError
        If it is no FITS image of a PSF, or says that it is another band's or holds less than
        the light its optics pass.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; expected a FITS image of a model PSF.")
    try:
        with fits.open(path, memmap=False) as extensions:
            return _curve(extensions, path.name, band)
    except OSError as error:
        raise InputError(
            f"{path.name}: cannot be read as FITS; expected an image of a model PSF."
        ) from error


def _curve(extensions: fits.HDUList, where: str, band: str) -> EnergyCurve:
    named = [extensions[name] for name in _PREFERRED if name in extensions]
    images = [hdu for hdu in (*named, *extensions) if getattr(hdu, "data", None) is not None]
    images = [hdu for hdu in images if hdu.is_image and hdu.data.ndim == 2]
    if not images:
        raise InputError(f"{where}: holds no image of two dimensions; expected a model PSF.")
    # The primary header describes the optics, of whichever extension.
    _refuse_other_optics(extensions[0].header, where, band)
    psf = np.asarray(images[0].data, dtype=float)
    if not np.all(np.isfinite(psf)):
        raise InputError(f"{where}: has pixels without a number; expected a whole PSF.")
    if not psf.sum() > 0:
        raise InputError(f"{where}: its sum is not positive, so it is no PSF.")
    scale = _scale(images[0].header, where)
    row, column = np.unravel_index(np.argmax(psf), psf.shape)
    x, y = centre_of_mass(psf, (int(column), int(row)), 3.0 / scale)
    return model_curve(psf, x, y, scale)


def _scale(header: fits.Header, where: str) -> float:
    """Return the side of the image's pixels over a nominal one's."""
    stated = header.get("PIXELSCL", _NOMINAL)
    if not (isinstance(stated, int | float) and 0 < stated < np.inf):
        raise InputError(f"{where}: PIXELSCL is {stated!r}; expected the pixel's side in arcsec.")
    return float(stated) / _NOMINAL


def _refuse_other_optics(header: fits.Header, where: str, band: str) -> None:
    """Refuse what the header of stpsf's files betrays and the image does not.

    By default stpsf gives the telescope's aperture the flux of one, so what a
    Lyot stop takes away is missing from the sum and would pass for light
    beyond the image.
    """
    stated = str(header.get("FILTER", band)).strip()
    if stated != band and stated in BANDS:
        raise InputError(f"{where}: is a PSF of {stated} by its header; expected one of {band}.")
    if header.get("PUPIL") and str(header.get("NORMALIZ", "")).strip() == "first":
        raise InputError(
            f"{where}: lacks the light its pupil mask {header['PUPIL']} stops, which would pass "
            "for light beyond the image; make it with normalize='exit_pupil'."
        )


def make_model(band: str) -> EnergyCurve:
    """Return the encircled energy of the PSF stpsf makes for a band.

    Raises
    ------
    InputError
        If stpsf or its data files are not installed.
    """
    try:
        stpsf = import_module("stpsf")
        os.environ["STPSF_PATH"]  # without it stpsf would begin a large download
        miri = stpsf.MIRI()
    except (ImportError, KeyError, OSError) as error:
        raise InputError(
            f"apertures: no model PSF is given for {band}, and stpsf cannot make one (it is not "
            "installed, or STPSF_PATH does not name its data files); give --psf BAND=FILE."
        ) from error
    miri.filter = band  # and with it the pupil mask
    # Whatever masks stop, all the light of the PSF together is one: see `_refuse_other_optics`.
    options = {"fov_pixels": _FIELD + 1, "oversample": 4, "normalize": "exit_pupil"}
    with miri.calc_psf(**options) as made:
        return _curve(made, f"stpsf's PSF of {band}", band)
