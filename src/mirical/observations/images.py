"""JWST images of a standard star: pixels in DN/s, and what the header says of the exposure."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import Table
from astropy.time import Time
from numpy.typing import NDArray
from stdatamodels.jwst import datamodels
from stdatamodels.jwst.datamodels import dqflags

from mirical.bands import BANDS, SUBARRAYS, UNIT_SUBARRAYS
from mirical.conventions import PIXEL_SOLID_ANGLE
from mirical.shipped import data_file
from mirical.stars import STARS, canonical_star
from mirical.text import one_line

Floats = NDArray[np.float64]

SURFACE_BRIGHTNESS, RATE = ("mjy/sr",), ("dn/s", "dn/s/pix", "dn/s/pixel", "dn / s")
"""What BUNIT may be, without regard to capitals."""

_SAME_FACTOR = 1.4
"""Response loss (22 %) and subarray terms leave PHOTMJSR within this ratio of its band's."""
_BAND_OF_MASK = {band.mask: band.name for band in BANDS.values() if band.mask}
_ACQUISITION = ("MIR_TACQ", "MIR_TACONFIRM")
_FITS_BLOCK = 2880  # bytes every FITS file is a multiple of
_SIMULATED = "SIMULATED"  # begins the program title of simulated files


class Unmeasurable(Exception):
    """Why one file yields no photometry; the others go on."""


@dataclass(frozen=True)
class Exposure:
    """What the header says.

    Attributes
    ----------
    name : str
        Star, in the program's spelling where it is one of its stars.
    program : str
        JWST program number without leading zeros.
    band, subarray : str
        The true ones: see `true_band`.
    mjd : float
        Middle of the exposure, d.
    integration_time : float
        Of one integration, s.
    factor : float
        PHOTMJSR, (MJy/sr)/(DN/s/pixel); NaN where the image was never calibrated.
    subtracted : float
        Background level the image no longer holds, DN/s/pixel.
    simulated : bool
        Whether the file says of itself that it is simulated.
    """

    name: str
    program: str
    band: str
    subarray: str
    mjd: float
    integration_time: float
    factor: float
    subtracted: float
    simulated: bool


@dataclass(frozen=True)
class Image:
    """One image, calibration undone.

    Attributes
    ----------
    data, err : (y, x) array
        Count rate and its error, DN/s in a nominal pixel; NaN where there is none.
    saturated : (y, x) array of bool
        Pixels whose DQ says so.
    exposure : Exposure
        What the header says.
    expected : tuple of (float, float)
        Where the target should be, pixel (x, y), best guess first; may lie outside.
    scale : float
        Side of a pixel over that of a nominal one, 0.11032 arcsec.
    """

    data: Floats
    err: Floats
    saturated: NDArray[np.bool_]
    exposure: Exposure
    expected: tuple[tuple[float, float], ...]
    scale: float


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
    with _telling_why(), open_model(path) as model:
        return image_of(model, band)


@contextmanager
def open_model(path: Path) -> Iterator[Any]:
    """Give the data model of a FITS file: an image, or a cube where the array is one.

    Parameters
    ----------
    path : Path
        FITS file of a JWST data model; read, never written.

    Raises
    ------
    Unmeasurable
        If the file is broken or holds neither.
    """
    logging.getLogger("stdatamodels").setLevel(logging.ERROR)
    if path.stat().st_size % _FITS_BLOCK:
        broken = "text or another format" if not _begins_as_fits(path) else "truncated"
        raise Unmeasurable(f"not a whole FITS file ({broken})")
    with ExitStack() as opened:
        with _telling_why() as warned:
            file = opened.enter_context(path.open("rb"))
            extensions = opened.enter_context(fits.open(file, memmap=False))
            len(extensions)  # looks at all of them
            if any("truncated" in str(warning.message) for warning in warned):
                raise Unmeasurable("not a whole FITS file (truncated)")
            model = opened.enter_context(_model_class(extensions)(extensions))
        yield model


@contextmanager
def _telling_why() -> Iterator[list[warnings.WarningMessage]]:
    """Turn any failure into a reason, and keep the warnings: headers are other software's."""
    try:
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            yield warned
    except Unmeasurable:
        raise
    except Exception as error:  # a broken file fails in as many ways as it can be broken
        reason = (str(error).strip() or type(error).__name__).splitlines()[0].split(". ")[0]
        raise Unmeasurable(f"cannot be read as a JWST image ({reason})") from error


def _model_class(extensions: fits.HDUList) -> Any:
    dimensions = extensions["SCI"].header["NAXIS"] if "SCI" in extensions else 2
    if dimensions not in (2, 3):
        raise Unmeasurable(f"holds an array of {dimensions} dimensions, no image")
    return datamodels.CubeModel if dimensions == 3 else datamodels.ImageModel


def _begins_as_fits(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(6) == b"SIMPLE"


def true_band(keyword: str, subarray: str, mask: str | None, factor: float) -> str:
    """Return the band an exposure was taken in, whatever name it was processed under.

    Mosaicking steps do not know coronagraph bands and FND, so such exposures
    carry the nearest imaging filter's name (section 2). A mask tells its band;
    FND betrays itself by its calibration factor, a hundred times any other.

    Parameters
    ----------
    keyword : str
        The header's FILTER.
    subarray : str
        The header's SUBARRAY.
    mask : str or None
        The header's CORONMSK, such as ``4QPM_1140``.
    factor : float
        The header's PHOTMJSR, or NaN.

    Raises
    ------
    Unmeasurable
        If that is no MIRI band, or the factor belongs to another one.
    """
    of_subarray = _BAND_OF_MASK.get(subarray)
    if of_subarray is not None:
        return of_subarray
    for name in _BAND_OF_MASK.values():
        if mask and name[1:5] in mask:
            return name
    if keyword not in BANDS:
        raise Unmeasurable(f"filter {keyword!r} is not a MIRI band")
    usual = _usual_factors()
    if np.isfinite(factor) and not _alike(factor, usual[keyword]):
        if _alike(factor, usual["FND"]):
            return "FND"
        raise Unmeasurable(
            f"PHOTMJSR is {factor:.4g}, but {keyword}'s is near {usual[keyword]:.4g}: processed "
            "under another filter's name? State the band with --filter"
        )
    return keyword


@cache
def _usual_factors() -> dict[str, float]:
    table = Table.read(data_file("table8"), format="ascii.ecsv")
    return {str(row["filter"]): float(row["A"]) for row in table}


def _alike(one: float, two: float) -> bool:
    return 1 / _SAME_FACTOR < one / two < _SAME_FACTOR


def image_of(model: Any, band: str | None = None) -> Image:
    """Return the image of a data model that is open already; see `read_image`."""
    instrument = model.meta.instrument.name
    if instrument != "MIRI":
        raise Unmeasurable(f"not a MIRI image but of {instrument or 'an unknown instrument'}")
    if not model.meta.hasattr("wcs") or model.meta.wcs is None:
        raise Unmeasurable("has no WCS to find the star by; is the file cut short?")
    data = np.asarray(model.data, dtype=float)
    if data.ndim != 2:
        raise Unmeasurable(f"holds an array of {data.ndim} dimensions; expected an image of two")
    if not np.any(np.isfinite(data)):
        raise Unmeasurable("has no valid pixel")
    factor = float(model.meta.photometry.conversion_megajanskys or np.nan)
    unit = _per_rate(model.meta.bunit_data, factor)
    err = np.asarray(model.err, dtype=float)
    if err.shape != data.shape or not np.any(err > 0):
        raise Unmeasurable("has no ERR array, so its photometry would have no error")
    dq = np.asarray(model.dq) if model.hasattr("dq") and model.dq is not None else np.zeros(1, int)
    dq = dq if dq.shape == data.shape else np.zeros(data.shape, np.uint32)
    # Pixels no exposure reached are NaN in a mosaic, exactly zero in older ones.
    gone = (dq & dqflags.pixel["DO_NOT_USE"] > 0) | ((data == 0) & ~(err > 0))
    exposure = _exposure(model, band, factor, unit)
    scale, area = _pixel_sizes(model, data.shape)
    return Image(
        data=np.where(gone, np.nan, data / unit * area),
        err=np.where(gone, np.nan, err / unit * area),
        saturated=(dq & dqflags.pixel["SATURATED"]) > 0,
        exposure=exposure,
        expected=_expected(model, exposure.mjd),
        scale=scale,
    )


def _per_rate(bunit: str | None, factor: float) -> float:
    """Return what one DN/s is in the image's unit."""
    stated = str(bunit or "").strip().casefold()
    if stated in RATE:
        return 1.0
    if stated not in SURFACE_BRIGHTNESS:
        raise Unmeasurable(f"is in {bunit!r}; expected MJy/sr or DN/s")
    if not factor > 0:
        raise Unmeasurable("is in MJy/sr but has no PHOTMJSR to undo")
    return factor


def _exposure(model: Any, band: str | None, factor: float, unit: float) -> Exposure:
    meta = model.meta
    true, subarray, mjd = taken(model, band, factor)
    time = meta.exposure.integration_time
    if not time and meta.exposure.ngroups and meta.exposure.group_time:
        time = meta.exposure.ngroups * meta.exposure.group_time
    level = meta.background.level if meta.background.subtracted else None
    given = (meta.target.catalog_name, meta.target.proposer_name)
    names = [name for name in (one_line(str(n or "")) for n in given) if name]
    if not names:
        raise Unmeasurable("names no target (TARGNAME)")
    known = [canonical_star(name) for name in names if canonical_star(name) in STARS]
    return Exposure(
        name=known[0] if known else canonical_star(names[0]),
        program=str(meta.observation.program_number or "").lstrip("0"),
        band=true,
        subarray=subarray,
        mjd=mjd,
        integration_time=float(time or np.nan),
        factor=factor,
        subtracted=float(level or 0.0) / unit,
        simulated=str(meta.program.title or "").startswith(_SIMULATED),
    )


def taken(
    model: Any,
    band: str | None = None,
    factor: float = np.nan,
    subarrays: Sequence[str] = SUBARRAYS + UNIT_SUBARRAYS,
) -> tuple[str, str, float]:
    """Return the true band, the subarray and the middle (MJD) of an exposure.

    Parameters
    ----------
    model : JwstDataModel
        Open.
    band : str, optional
        The band, where the header's is not asked.
    factor : float
        PHOTMJSR, or NaN; see `true_band`.
    subarrays : sequence of str
        Those it may be in.

    Raises
    ------
    Unmeasurable
        If the header does not tell one of them.
    """
    meta = model.meta
    subarray = str(meta.subarray.name or "")
    if subarray not in subarrays:
        raise Unmeasurable(f"subarray {subarray!r} is none of the imager's")
    mjd = meta.exposure.mid_time or meta.exposure.mid_time_mjd
    if mjd is None and meta.exposure.start_time and meta.exposure.end_time:
        mjd = (meta.exposure.start_time + meta.exposure.end_time) / 2
    if mjd is None:
        raise Unmeasurable("has no exposure time (EXPMID)")
    keyword, place = str(meta.instrument.filter or ""), (subarray, meta.instrument.coronagraph)
    if meta.exposure.type in _ACQUISITION:
        # A target is acquired in an imaging band or FND, beside a mask that tells nothing.
        place = ("FULL", None)
    return band or true_band(keyword, *place, factor), subarray, float(mjd)


def _expected(model: Any, mjd: float) -> tuple[tuple[float, float], ...]:
    """Return the pixels of the target's coordinates: moved here to the epoch, then as stated."""
    target = model.meta.target
    places = []
    if None not in (target.proposer_ra, target.proposer_dec):
        start = SkyCoord(target.proposer_ra, target.proposer_dec, unit="deg")
        years = _years_since(target.proper_motion_epoch, mjd)
        east, north = (
            (motion or 0.0) * years * u.arcsec
            for motion in (target.proper_motion_ra, target.proper_motion_dec)
        )
        moved = start.spherical_offsets_by(east, north)
        places.append((moved.ra.deg, moved.dec.deg))
    if None not in (target.ra, target.dec):
        places.append((target.ra, target.dec))
    pixels = [model.meta.wcs.invert(*place, with_bounding_box=False) for place in places]
    return tuple((float(x), float(y)) for x, y in pixels if np.isfinite(x) and np.isfinite(y))


def _years_since(epoch: str | None, mjd: float) -> float:
    try:
        start = Time(float(epoch), format="jyear") if epoch else None
    except ValueError:
        start = Time(str(epoch).strip())
    return 0.0 if start is None else (mjd - start.mjd) / 365.25


def _pixel_sizes(model: Any, shape: tuple[int, ...]) -> tuple[float, float | Floats]:
    """Return the pixel's side over the nominal one's, and each pixel's area over the nominal.

    Surface brightness times nominal area is what a nominal pixel would count;
    an exposure's distorted pixels come with a map of their areas.
    """
    middle = (shape[1] - 1) / 2, (shape[0] - 1) / 2
    points = [(middle[0] + dx, middle[1] + dy) for dx, dy in ((0, 0), (1, 0), (0, 1))]
    sky = [SkyCoord(*model.meta.wcs(*point), unit="deg") for point in points]
    solid = sky[0].separation(sky[1]) * sky[0].separation(sky[2])
    ratio = float((solid / PIXEL_SOLID_ANGLE.to("arcsec2")).to_value(u.dimensionless_unscaled))
    area = np.asarray(model.area, dtype=float) if model.hasattr("area") else np.zeros(1)
    mapped = area.shape == shape and np.any(area != 1)
    return float(np.sqrt(ratio)), area if mapped else ratio
