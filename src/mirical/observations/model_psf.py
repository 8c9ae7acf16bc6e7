"""Model PSFs: images a user gives, or made by stpsf where it and its data are installed."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import numpy as np
from astropy.io import fits

from mirical.conventions import PIXEL_SOLID_ANGLE
from mirical.errors import InputError
from mirical.observations.encircled import EnergyCurve, model_curve
from mirical.observations.locating import centre_of_mass

_NOMINAL = float(np.sqrt(PIXEL_SOLID_ANGLE.to_value("arcsec2")))
_PREFERRED = ("DET_DIST", "DET_SAMP", "OVERDIST", "OVERSAMP")
"""Extensions of stpsf's files, best first: on the detector's pixels, its effects included."""

_FIELD = 200  # nominal pixels across the PSF stpsf is asked for: beyond the transition and annulus


def read_model(path: Path) -> EnergyCurve:
    """Return the encircled energy of a PSF image.

    Parameters
    ----------
    path : Path
        FITS image, as stpsf writes them or of one's own. PIXELSCL [arcsec] is the side of its
        pixels; without it they are nominal ones.

    Raises
    ------
    InputError
        If it is no FITS image of a PSF.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; expected a FITS image of a model PSF.")
    try:
        with fits.open(path, memmap=False) as extensions:
            return _curve(extensions, path.name)
    except OSError as error:
        raise InputError(
            f"{path.name}: cannot be read as FITS; expected an image of a model PSF."
        ) from error


def _curve(extensions: fits.HDUList, where: str) -> EnergyCurve:
    named = [extensions[name] for name in _PREFERRED if name in extensions]
    images = [hdu for hdu in (*named, *extensions) if getattr(hdu, "data", None) is not None]
    images = [hdu for hdu in images if hdu.is_image and hdu.data.ndim == 2]
    if not images:
        raise InputError(f"{where}: holds no image of two dimensions; expected a model PSF.")
    psf = np.asarray(images[0].data, dtype=float)
    if not np.nansum(psf) > 0:
        raise InputError(f"{where}: its sum is not positive, so it is no PSF.")
    scale = float(images[0].header.get("PIXELSCL", _NOMINAL)) / _NOMINAL
    row, column = np.unravel_index(np.nanargmax(psf), psf.shape)
    x, y = centre_of_mass(psf, (int(column), int(row)), 3.0 / scale)
    return model_curve(psf, x, y, scale)


def make_model(band: str) -> EnergyCurve:
    """Return the encircled energy of the PSF stpsf makes for a band.

    Raises
    ------
    InputError
        If stpsf or its data files are not installed.
    """
    try:
        miri = import_module("stpsf").MIRI()
    except (ImportError, OSError) as error:
        raise InputError(
            f"apertures: no model PSF is given for {band}, and stpsf cannot make one (it or its "
            "data files are not installed, see STPSF_PATH); give --psf BAND=FILE."
        ) from error
    miri.filter = band
    with miri.calc_psf(fov_pixels=_FIELD + 1, oversample=4) as made:
        return _curve(made, f"stpsf's PSF of {band}")
