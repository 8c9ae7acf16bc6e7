"""Dithered level-2 exposures of one observation, opened and checked to belong together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from stdatamodels.jwst import datamodels
from stdatamodels.jwst.datamodels import dqflags

from mirical.errors import InputError
from mirical.imaging.image_files import Unmeasurable, array_of, open_model, reading
from mirical.imaging.image_headers import true_band
from mirical.imaging.images import image_of
from mirical.imaging.star_finding import NoSource, locate
from mirical.instruments.card_entries import Band
from mirical.instruments.miri import miri
from mirical.tables.apertures import published_apertures
from mirical.text import ascii_text

_DO_NOT_USE = dqflags.pixel["DO_NOT_USE"]

_SHARED = {
    "instrument.detector": "detector",
    "instrument.filter": "filter",
    "subarray.name": "subarray",
    "target.catalog_name": "target",
    "bunit_data": "unit",
}
"""What exposures of one observation have in common, and how a sentence calls it."""


def open_exposures(paths: Sequence[Path]) -> list[datamodels.ImageModel]:
    """Return the exposures of one observation.

    Parameters
    ----------
    paths : sequence of Path
        Level-2 "cal" files of one target, band and subarray.

    Raises
    ------
    InputError
        If one cannot be read, is not a level-2 image of the MIRI imager with a
        sky WCS, or is not of the same observation as the first.
    """
    models = [_open(path) for path in paths]
    check_together(models)
    return models


def check_together(models: Sequence[datamodels.ImageModel]) -> None:
    """Refuse exposures that are not of one observation.

    Raises
    ------
    InputError
        If there are none, or one differs from the first in shape, detector,
        filter, subarray, target or unit.
    """
    if not models:
        raise InputError("exposures: none given; expected the level-2 files of one observation.")
    first = models[0]
    for model in models[1:]:
        if model.data.shape != first.data.shape:
            raise InputError(
                f"{name(model)}: has {model.data.shape} pixels but {name(first)} has "
                f"{first.data.shape}; give exposures of one subarray."
            )
        for key, noun in _SHARED.items():
            got, expected = model[f"meta.{key}"], first[f"meta.{key}"]
            if got != expected:
                raise InputError(
                    f"{name(model)}: {noun} is {got!r} but that of {name(first)} is {expected!r}; "
                    "give the exposures of one observation."
                )


def name(model: datamodels.ImageModel) -> str:
    """Return what sentences call an exposure: its file name."""
    return model.meta.filename or "exposure without a file name"


def band_of(model: datamodels.ImageModel) -> Band:
    """Return the true band of an exposure (`true_band`), whatever FILTER says.

    An odd PHOTMJSR does not matter here: the band only sets the size of a mask.
    """
    meta = model.meta
    factor = float(meta.photometry.conversion_megajanskys or np.nan)
    keyword, subarray = str(meta.instrument.filter or ""), str(meta.subarray.name or "")
    mask = meta.instrument.coronagraph
    try:
        return miri().bands[true_band(keyword, subarray, mask, factor)]
    except Unmeasurable:
        try:
            return miri().bands[true_band(keyword, subarray, mask, np.nan)]
        except Unmeasurable as why:
            raise InputError(f"{name(model)}: {why}.") from why


def good_pixels(model: datamodels.ImageModel) -> NDArray[np.bool_]:
    """Return which pixels are finite and not flagged DO_NOT_USE, (row, column)."""
    return np.isfinite(model.data) & (model.dq & _DO_NOT_USE == 0)


def flag_pixels(model: datamodels.ImageModel, bad: NDArray[np.bool_]) -> None:
    """Blank pixels and flag them DO_NOT_USE, in place."""
    model.data[bad] = np.nan
    model.dq[bad] |= _DO_NOT_USE


def star_position(model: datamodels.ImageModel) -> tuple[float, float]:
    """Return the pixel ``(x, y)`` of the star, or of its coordinates where nothing stands out.

    Raises
    ------
    InputError
        If the star lies off the image.
    """
    band = band_of(model).name
    usual = published_apertures(miri())[band]
    try:
        image = image_of(model, band)
        found = locate(image, usual.r_a / image.scale, usual.r_b2 / image.scale)
    except NoSource:
        return image.expected[0]
    except Unmeasurable as why:
        raise InputError(f"{name(model)}: {why}; leave the exposure out.") from why
    return found.x, found.y


def _open(path: Path) -> datamodels.ImageModel:
    remedy = "expected a level-2 file (_cal.fits) of the MIRI imager."
    if not path.is_file():
        raise InputError(f"{path}: does not exist; {remedy}")
    try:
        with open_model(path) as opened:
            array_of(opened, "data")
            with reading():
                model = opened.copy()  # outlives the file
    except Unmeasurable as why:
        raise InputError(f"{path.name}: not a JWST image ({why}); {remedy}") from why
    meta = model.meta
    if meta.instrument.detector != "MIRIMAGE" or meta.wcs is None or model.data.ndim != 2:
        raise InputError(f"{path.name}: no image of MIRIMAGE with a sky WCS; {remedy}")
    if meta.cal_step.resample == "COMPLETE":
        raise InputError(f"{path.name}: is a mosaic already; {remedy}")
    if meta.target.ra is None or meta.target.dec is None:
        raise InputError(f"{path.name}: keywords TARG_RA and TARG_DEC are missing; {remedy}")
    if meta.instrument.filter is None:
        raise InputError(f"{path.name}: keyword FILTER is missing; {remedy}")
    meta.filename = ascii_text(path.name)  # mosaics list it in a FITS table
    band_of(model)
    return model
