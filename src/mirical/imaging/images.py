"""JWST images of a standard star: pixels in DN/s with errors, and facts of the exposure."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.time import Time
from numpy.typing import NDArray
from stdatamodels.jwst.datamodels import dqflags

from mirical.imaging.image_files import (
    Unmeasurable,
    array_of,
    numbers_of,
    open_with_warnings,
    reading,
    stated,
    stated_number,
    stated_text,
)
from mirical.imaging.image_headers import Exposure, exposure_of, per_rate
from mirical.imaging.missing_errors import known_errors
from mirical.instruments.miri import miri

Floats = NDArray[np.float64]

_SCALES = 0.1, 10.0  # side of a pixel over a nominal one: others are no image of the imager


@dataclass(frozen=True)
class Image:
    """One image, calibration undone.

    Attributes
    ----------
    data, err : (y, x) array
        Count rate and its error, DN/s in a nominal pixel; NaN where there is none. An
        error beside data that is zero, negative or no number is none.
    saturated : (y, x) array of bool
        Pixels whose DQ says so.
    exposure : Exposure
        What the header says.
    expected : tuple of (float, float)
        Where the target should be, pixel (x, y), best guess first; may lie outside.
    scale : float
        Side of a pixel over that of a nominal one, 0.11032 arcsec.
    warned : tuple of str
        What the libraries that read the file warned of.
    """

    data: Floats
    err: Floats
    saturated: NDArray[np.bool_]
    exposure: Exposure
    expected: tuple[tuple[float, float], ...]
    scale: float
    warned: tuple[str, ...] = ()


def read_image(path: Path, band: str | None = None) -> Image:
    """Read a MIRI mosaic (i2d) or exposure (cal), background-subtracted or not.

    Parameters
    ----------
    path : Path
        FITS file of a JWST data model.
    band : str, optional
        The band, where the header's cannot be trusted and nothing else tells.

    Raises
    ------
    Unmeasurable
        If the file is broken, is no MIRI image or lacks what photometry needs.
    """
    with open_with_warnings(path) as (model, warned):
        return image_of(model, band, tuple(warned))


def image_of(model: Any, band: str | None = None, warned: tuple[str, ...] = ()) -> Image:
    """Return the image of a data model that is open already; see `read_image`."""
    instrument = stated(model, "instrument.name")
    if instrument != "MIRI":
        raise Unmeasurable(f"not a MIRI image but of {instrument or 'an unknown instrument'}")
    if stated(model, "wcs") is None:
        raise Unmeasurable("has no WCS to find the star by; is the file cut short?")
    data = numbers_of(model, "data")
    if data.ndim != 2:
        raise Unmeasurable(f"holds an array of {data.ndim} dimensions; expected an image of two")
    if not np.any(np.isfinite(data)):
        raise Unmeasurable("has no valid pixel")
    factor = stated_number(model, "photometry.conversion_megajanskys", "PHOTMJSR") or np.nan
    unit = per_rate(stated_text(model, "bunit_data"), factor)
    err = numbers_of(model, "err")
    if err.shape != data.shape or not np.any(err > 0):
        raise Unmeasurable("has no ERR array, so its photometry would have no error")
    err, dq = known_errors(err), _quality(model, data.shape)
    # Pixels no exposure reached are NaN in a mosaic, exactly zero in older ones.
    gone = (dq & dqflags.pixel["DO_NOT_USE"] > 0) | ((data == 0) & np.isnan(err))
    gone |= ~np.isfinite(data)
    exposure = exposure_of(model, band, factor, unit)
    scale, area = _pixel_sizes(model, data.shape)
    return Image(
        data=np.where(gone, np.nan, data) / unit * area,
        err=np.where(gone, np.nan, err) / unit * area,
        saturated=(dq & dqflags.pixel["SATURATED"]) > 0,
        exposure=exposure,
        expected=_expected(model, exposure.mjd),
        scale=scale,
        warned=warned,
    )


def _quality(model: Any, shape: tuple[int, ...]) -> NDArray[np.uint32]:
    dq = array_of(model, "dq")
    if not dq.size:
        return np.zeros(shape, np.uint32)
    if dq.shape != shape or dq.dtype.kind not in "iu":
        raise Unmeasurable(
            f"its DQ array ({dq.dtype}, {dq.shape}) does not go with its image of {shape} pixels"
        )
    return dq.astype(np.uint32)


def _expected(model: Any, mjd: float) -> tuple[tuple[float, float], ...]:
    """Return the pixels of the target's coordinates: moved here to the epoch, then as stated."""
    places = []
    start = _coordinates(model, "target.proposer_ra", "PROP_RA", "target.proposer_dec", "PROP_DEC")
    years = _years_since(stated(model, "target.proper_motion_epoch"), mjd)
    if start is not None and years is not None:
        motions = ("target.proper_motion_ra", "MU_RA"), ("target.proper_motion_dec", "MU_DEC")
        east, north = (
            (stated_number(model, *motion) or 0.0) * years * u.arcsec for motion in motions
        )
        moved = SkyCoord(*start, unit="deg").spherical_offsets_by(east, north)
        places.append((moved.ra.deg, moved.dec.deg))
    there = _coordinates(model, "target.ra", "TARG_RA", "target.dec", "TARG_DEC")
    if there is not None:
        places.append(there)
    wcs = stated(model, "wcs")
    pixels = []
    for place in places:
        with reading():
            x, y = (float(n) for n in wcs.invert(*place, with_bounding_box=False))
        if np.isfinite(x) and np.isfinite(y):
            pixels.append((x, y))
    return tuple(pixels)


def _coordinates(model: Any, *place: str) -> tuple[float, float] | None:
    """Return right ascension and declination the header states, deg; None if it does not."""
    ra, dec = stated_number(model, *place[:2]), stated_number(model, *place[2:])
    if ra is None or dec is None:
        return None
    if not (-360 <= ra <= 360 and -90 <= dec <= 90):
        raise Unmeasurable(f"keywords {place[1]} and {place[3]} are {ra:g} and {dec:g}: no place")
    return ra, dec


def _years_since(epoch: Any, mjd: float) -> float | None:
    """Return the years from the epoch of coordinates, 0 if none is stated, None if unreadable."""
    if not epoch:
        return 0.0
    text = str(epoch).strip()
    try:
        start = Time(float(text), format="jyear")
    except ValueError:
        try:
            start = Time(text)
        except ValueError:
            return None
    years = float((mjd - start.mjd) / 365.25)
    return years if abs(years) < 1000 else None


def _pixel_sizes(model: Any, shape: tuple[int, ...]) -> tuple[float, float | Floats]:
    """Return the pixel's side over the nominal one's, and each pixel's area over the nominal.

    Surface brightness times nominal area is what a nominal pixel would count;
    an exposure's distorted pixels come with a map of their areas.
    """
    middle = (shape[1] - 1) / 2, (shape[0] - 1) / 2
    points = [(middle[0] + dx, middle[1] + dy) for dx, dy in ((0, 0), (1, 0), (0, 1))]
    with reading():
        wcs = model.meta.wcs
        sky = [SkyCoord(*wcs(*point), unit="deg") for point in points]
        solid = sky[0].separation(sky[1]) * sky[0].separation(sky[2])
        ratio = float(
            (solid / miri().pixel_solid_angle.to("arcsec2")).to_value(u.dimensionless_unscaled)
        )
    side = float(np.sqrt(ratio))
    if not _SCALES[0] < side < _SCALES[1]:
        raise Unmeasurable(
            f"its WCS makes pixels {side:.3g} times as large as the imager's of 0.11 arcsec"
        )
    area = numbers_of(model, "area")
    mapped = area.shape == shape and np.any(area != 1)
    return side, np.where(area > 0, area, np.nan) if mapped else ratio
