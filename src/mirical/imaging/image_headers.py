"""Headers of JWST images: star, true band, subarray, time and unit of an exposure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from mirical.imaging.image_files import (
    Unmeasurable,
    stated,
    stated_number,
    stated_text,
)
from mirical.instruments.miri import miri
from mirical.instruments.published import published_coefficients
from mirical.stars import STARS, canonical_star

SURFACE_BRIGHTNESS, RATE = ("mjy/sr",), ("dn/s", "dn/s/pix", "dn/s/pixel", "dn / s")
"""What BUNIT may be, without regard to capitals."""

_SAME_FACTOR = 1.4
"""Response loss (22 %) and subarray terms leave PHOTMJSR within this ratio of its band's."""
_ACQUISITION = ("MIR_TACQ", "MIR_TACONFIRM")
_LAUNCH, _LATEST = 59573, 70000  # MJD: no image of MIRI is from before or after
_SIMULATED = "SIMULATED"  # begins the program title of simulated files


_REDUCTION = "calibration_software_version", "ref_file.crds.context_used"


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
    reduction : str
        Version of the pipeline (CAL_VER) and reference files (CRDS_CTX), empty if not stated.
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
    reduction: str


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
    of_mask = _band_of_mask()
    of_subarray = of_mask.get(subarray)
    if of_subarray is not None:
        return of_subarray
    for name in of_mask.values():
        if mask and name[1:5] in mask:
            return name
    if keyword not in miri().bands:
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


def _band_of_mask() -> dict[str, str]:
    return {band.mask: band.name for band in miri().bands.values() if band.mask}


@cache
def _usual_factors() -> dict[str, float]:
    table = published_coefficients(miri())
    return {str(row["filter"]): float(row["A"].value) for row in table}


def _alike(one: float, two: float) -> bool:
    return 1 / _SAME_FACTOR < one / two < _SAME_FACTOR


def per_rate(bunit: str, factor: float) -> float:
    """Return what one DN/s is in the image's unit.

    Parameters
    ----------
    bunit : str
        The header's BUNIT.
    factor : float
        The header's PHOTMJSR, or NaN.

    Raises
    ------
    Unmeasurable
        If the unit is another one, or the factor is missing.
    """
    unit = bunit.casefold()
    if unit in RATE:
        return 1.0
    if unit not in SURFACE_BRIGHTNESS:
        raise Unmeasurable(
            f"is in {bunit!r}; expected MJy/sr or DN/s"
            if bunit
            else "has no unit (BUNIT); expected MJy/sr or DN/s"
        )
    if not factor > 0:
        raise Unmeasurable("is in MJy/sr but has no PHOTMJSR to undo")
    return factor


def exposure_of(model: Any, band: str | None, factor: float, unit: float) -> Exposure:
    """Return what the header says of an exposure.

    Parameters
    ----------
    model : JwstDataModel
        Open.
    band : str or None
        The band, where the header's is not asked.
    factor, unit : float
        PHOTMJSR or NaN, and what one DN/s is in the image's unit.

    Raises
    ------
    Unmeasurable
        If the header lacks what photometry needs.
    """
    true, subarray, mjd = taken(model, band, factor)
    if not _LAUNCH <= mjd <= _LATEST:
        raise Unmeasurable(
            f"was exposed at MJD {mjd:.10g} (EXPMID); expected {_LAUNCH} (launch) to {_LATEST}"
        )
    level = None
    if stated(model, "background.subtracted"):
        level = stated_number(model, "background.level", "BKGLEVEL")
    places = "target.catalog_name", "target.proposer_name"
    names = [name for place in places if (name := stated_text(model, place))]
    if not names:
        raise Unmeasurable("names no target (TARGNAME)")
    known = [canonical_star(name) for name in names if canonical_star(name) in STARS]
    return Exposure(
        name=known[0] if known else canonical_star(names[0]),
        program=stated_text(model, "observation.program_number").lstrip("0"),
        band=true,
        subarray=subarray,
        mjd=mjd,
        integration_time=_integration_time(model),
        factor=factor,
        subtracted=(level or 0.0) / unit,
        simulated=stated_text(model, "program.title").startswith(_SIMULATED),
        reduction=" ".join(filter(None, (stated_text(model, place) for place in _REDUCTION))),
    )


def _integration_time(model: Any) -> float:
    time = stated_number(model, "exposure.integration_time", "EFFINTTM")
    if not time:
        groups = stated_number(model, "exposure.ngroups", "NGROUPS")
        of_one = stated_number(model, "exposure.group_time", "TGROUP")
        time = groups * of_one if groups and of_one else None
    return time if time and time > 0 else np.nan


def taken(
    model: Any,
    band: str | None = None,
    factor: float = np.nan,
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

    Raises
    ------
    Unmeasurable
        If the header does not tell one of them.
    """
    subarray = stated_text(model, "subarray.name")
    if subarray not in miri().known_readouts:
        raise Unmeasurable(f"subarray {subarray!r} is none of the imager's")
    keyword = stated_text(model, "instrument.filter")
    place = subarray, stated_text(model, "instrument.coronagraph")
    if stated(model, "exposure.type") in _ACQUISITION:
        # A target is acquired in an imaging band or FND, beside a mask that tells nothing.
        place = ("FULL", None)
    return band or true_band(keyword, *place, factor), subarray, _middle(model)


def _middle(model: Any) -> float:
    """Return the middle of the exposure, MJD."""
    times = {
        place: stated_number(model, f"exposure.{place}", keyword)
        for place, keyword in (
            ("mid_time", "EXPMID"),
            ("mid_time_mjd", "MJD-AVG"),
            ("start_time", "EXPSTART"),
            ("end_time", "EXPEND"),
        )
    }
    mjd = times["mid_time"] or times["mid_time_mjd"]
    if mjd is None and times["start_time"] and times["end_time"]:
        mjd = (times["start_time"] + times["end_time"]) / 2
    if mjd is None:
        raise Unmeasurable("has no exposure time (EXPMID)")
    return mjd
