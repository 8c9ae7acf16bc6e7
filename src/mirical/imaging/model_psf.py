"""Model PSFs: a user's images, or made by stpsf where it is installed."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.utils.exceptions import AstropyWarning
from numpy.typing import NDArray

from mirical.errors import InputError, reading
from mirical.imaging.encircled_energy import EnergyCurve, model_curve
from mirical.imaging.star_finding import centre_of_mass
from mirical.instruments.miri import miri
from mirical.storage.fits_files import endless_header
from mirical.tables.apertures import ANNULUS_FRACTIONS, published_apertures

_PREFERRED = ("DET_DIST", "DET_SAMP", "OVERDIST", "OVERSAMP")
"""Extensions of stpsf's files, best first: on the detector's pixels, its effects included."""

_GZIP = b"\x1f\x8b"
_LARGEST = 4096  # pixels a side: stpsf's finest is half of it
_SCALES = 0.001, 0.5  # arcsec: a hundred times finer than the imager's, five times coarser
_HIGHEST = 1e30  # of a pixel: sums of squares stay numbers
_MOST_NEGATIVE = 0.01  # of the sum
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
    with reading(path.name, "FITS", "expected an image of a model PSF"):
        endless = endless_header(path)
        with path.open("rb") as file:
            head = file.read(6)
    if head != b"SIMPLE" and not head.startswith(_GZIP):
        raise InputError(f"{path.name}: cannot be read as FITS; expected an image of a model PSF.")
    if endless:
        raise InputError(f"{path.name}: {endless}; expected an image of a model PSF.")
    with reading(path.name, "FITS", "expected an image of a model PSF"), _warnings_refuse():
        with path.open("rb") as file, fits.open(file, memmap=False) as extensions:
            read = [_read(hdu) for hdu in extensions]
            optics = _optics(extensions[0].header) if len(extensions) else {}
    return _curve([image for image in read if image], optics, path.name, band)


def _optics(header: fits.Header) -> dict[str, object]:
    """Return what a header says of the optics; read under the guard, as a card may be damaged."""
    return {key: header[key] for key in ("FILTER", "PUPIL", "NORMALIZ") if key in header}


@dataclass(frozen=True)
class _PsfImage:
    """One image of a PSF file: extension's name, pixels, and what PIXELSCL says."""

    name: str
    pixels: NDArray[np.generic]
    scale: object


def _read(hdu: Any) -> _PsfImage | None:
    """Return an image of a FITS file; None for what is none or has too many pixels."""
    if not isinstance(hdu, fits.PrimaryHDU | fits.ImageHDU | fits.CompImageHDU):
        return None
    if len(hdu.shape) != 2 or not 0 < max(hdu.shape) <= _LARGEST or hdu.data is None:
        return None
    return _PsfImage(hdu.name, np.asarray(hdu.data), hdu.header.get("PIXELSCL", miri().pixel_scale))


@contextmanager
def _warnings_refuse() -> Iterator[None]:
    """Raise what astropy warns of (a file cut short), but for remarks on a header's form."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", AstropyWarning)
        warnings.simplefilter("ignore", fits.verify.VerifyWarning)
        warnings.filterwarnings("ignore", "non-ASCII characters are present", AstropyWarning)
        yield


def _curve(
    images: Sequence[_PsfImage], optics: Mapping[str, object], where: str, band: str
) -> EnergyCurve:
    """Return the encircled energy of the best image; `optics` is the primary header, of all."""
    ranks = {name: rank for rank, name in enumerate(_PREFERRED)}
    images = sorted(images, key=lambda image: ranks.get(image.name, len(ranks)))
    if not images:
        raise InputError(
            f"{where}: holds no image of two dimensions and up to {_LARGEST} pixels a side; "
            "expected a model PSF."
        )
    _refuse_other_optics(optics, where, band)
    psf = _checked(images[0].pixels, where)
    scale = _scale(images[0].scale, where)
    row, column = np.unravel_index(np.argmax(psf), psf.shape)
    x, y = centre_of_mass(psf, (int(column), int(row)), 3.0 / scale)
    room = scale * (min(x, y, psf.shape[1] - 1 - x, psf.shape[0] - 1 - y) + 0.5)
    least = published_apertures(miri())[band].r_b2
    if not room > least:
        raise InputError(
            f"{where}: reaches {max(room, 0.0):.1f} pixels of the imager from its centre, less "
            f"than the {least:g} of {band}'s annulus; expected a larger PSF, or the right PIXELSCL."
        )
    made = model_curve(psf, x, y, scale)
    inside, needed = float(np.max(made.energy)), max(ANNULUS_FRACTIONS)
    if not inside > needed:
        raise InputError(
            f"{where}: has {100 * inside:.0f} % of its sum within {room:.1f} pixels of its "
            f"brightest; expected more than {100 * needed:.0f} %, as of a star in the middle."
        )
    return made


def _checked(pixels: NDArray[np.generic], where: str) -> NDArray[np.float64]:
    """Return the pixels of a PSF, normalised where they are no shares, or refuse them."""
    if pixels.dtype.kind not in "biuf":
        raise InputError(f"{where}: its pixels are no numbers; expected a model PSF.")
    psf = pixels.astype(float)
    if not np.all(np.isfinite(psf)):
        raise InputError(f"{where}: has pixels without a number; expected a whole PSF.")
    largest = float(np.max(np.abs(psf)))
    if not psf.sum() > 0 or largest > _HIGHEST:
        raise InputError(
            f"{where}: its sum is not positive, so it is no PSF."
            if largest <= _HIGHEST
            else f"{where}: has a pixel of {largest:.3g}; expected shares of the flux."
        )
    negative = float(-psf[psf < 0].sum() / psf.sum())
    if negative > _MOST_NEGATIVE:
        raise InputError(
            f"{where}: its negative pixels make {100 * negative:.0f} % of its sum; expected a "
            "model PSF, background subtracted."
        )
    return psf


def _scale(stated: object, where: str) -> float:
    """Return the side of the image's pixels over a nominal one's."""
    low, high = _SCALES
    if isinstance(stated, int | float) and not isinstance(stated, bool) and low <= stated <= high:
        return float(stated) / miri().pixel_scale
    raise InputError(
        f"{where}: PIXELSCL is {stated!r}; expected the pixel's side in arcsec, {low:g} to "
        f"{high:g}."
    )


def _refuse_other_optics(header: Mapping[str, object], where: str, band: str) -> None:
    """Refuse what the header of stpsf's files betrays and the image does not.

    By default stpsf gives the telescope's aperture the flux of one, so what a
    Lyot stop takes away is missing from the sum and would pass for light
    beyond the image.
    """
    stated = str(header.get("FILTER", band)).strip()
    if stated != band and stated in miri().bands:
        raise InputError(f"{where}: is a PSF of {stated} by its header; expected one of {band}.")
    if str(header.get("PUPIL", "")).strip() and str(header.get("NORMALIZ", "")).strip() == "first":
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
        read = [_read(hdu) for hdu in made]
        optics = _optics(made[0].header)
    return _curve([image for image in read if image], optics, f"stpsf's PSF of {band}", band)
