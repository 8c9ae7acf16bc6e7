"""FITS files of JWST images: opened, damaged ones told apart, names and fingerprints.

A damaged file makes astropy, asdf, stdatamodels and gwcs raise nearly everything.
`reading` turns what they raise into a reason; it stands round calls of these libraries
alone, and lets through what our own code raises.
"""

from __future__ import annotations

import hashlib
import logging
import stat
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from asdf.exceptions import AsdfWarning
from astropy.io import fits
from numpy.typing import NDArray
from stdatamodels.jwst import datamodels

from mirical.errors import raised_by_a_library, reason_of
from mirical.storage.fits_files import endless_header
from mirical.text import one_line

_FITS_BLOCK = 2880  # bytes every FITS file is a multiple of
_LARGEST_NUMBER = 1e30  # of a pixel: beyond it sums of squares overflow
_LONGEST = 160  # characters of a warning
_MOST_PIXELS = 500_000_000  # of an array: ten times the largest mosaic of the imager
_EXPECTED = (AsdfWarning, "was created with|is not compatible with|unsupported version")
"""Warnings of files that other versions of the pipeline wrote: they tell nothing of the file."""
_DIGITS = 16


class Unmeasurable(Exception):
    """Why one file yields no photometry; the others go on."""


@contextmanager
def reading() -> Iterator[list[str]]:
    """Turn what the libraries raise into a reason, and their warnings into the texts given.

    Only calls of the libraries belong under it.

    Raises
    ------
    Unmeasurable
        If a library raised.
    """
    warned: list[str] = []
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            warnings.filterwarnings("ignore", f".*({_EXPECTED[1]})", _EXPECTED[0])
            yield warned
        warned += [" ".join(str(one.message).split("\n", 2)[:2]) for one in caught]
    except Unmeasurable:
        raise
    except Exception as error:
        if not raised_by_a_library(error):  # a fault of our own stays what it is
            raise
        raise Unmeasurable(f"cannot be read as a JWST image ({reason_of(error)})") from error


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
    with open_with_warnings(path) as (model, _):
        yield model


@contextmanager
def open_with_warnings(path: Path) -> Iterator[tuple[Any, list[str]]]:
    """Give the data model of a FITS file, and what the libraries warned of; see `open_model`."""
    logging.getLogger("stdatamodels").setLevel(logging.ERROR)
    _refuse_other_files(path)
    with ExitStack() as opened:
        with reading() as warned:
            file = opened.enter_context(path.open("rb"))
            extensions = opened.enter_context(fits.open(file, memmap=False, checksum=True))
            shapes = [
                (hdu.name, hdu.shape)
                for hdu in extensions  # looks at all of them
                if isinstance(hdu, fits.PrimaryHDU | fits.ImageHDU | fits.CompImageHDU)
            ]
        if any("truncated" in text for text in warned):
            raise Unmeasurable("not a whole FITS file (truncated)")
        kind = _model_class(shapes)
        with reading() as more:
            model = opened.enter_context(kind(extensions))
        told = [one_line(text)[:_LONGEST] for text in warned + more]
        yield model, list(dict.fromkeys(told))


def _refuse_other_files(path: Path) -> None:
    """Refuse what is no FITS file at a glance: reading a pipe would wait for ever."""
    with reading():
        about = path.stat()
        if not stat.S_ISREG(about.st_mode):
            raise Unmeasurable("not a file but a folder or a device")
        with path.open("rb") as file:
            head = file.read(6)
    if not head:
        raise Unmeasurable("not a whole FITS file (empty)")
    if head.startswith(b"\x1f\x8b"):
        raise Unmeasurable("is compressed with gzip; unpack it first")
    if about.st_size % _FITS_BLOCK or head != b"SIMPLE":
        broken = "truncated" if head == b"SIMPLE" else "text or another format"
        raise Unmeasurable(f"not a whole FITS file ({broken})")
    with reading():
        endless = endless_header(path)
    if endless:
        raise Unmeasurable(f"its header is damaged: {endless}")


def _model_class(shapes: list[tuple[str, tuple[int, ...]]]) -> Any:
    for name, shape in shapes:
        if np.prod([float(n) for n in shape]) > _MOST_PIXELS:
            raise Unmeasurable(f"extension {name or 'PRIMARY'} claims {shape} pixels: no image")
    dimensions = next((len(shape) for name, shape in shapes if name == "SCI"), 2)
    if dimensions not in (2, 3):
        raise Unmeasurable(f"holds an array of {dimensions} dimensions, no image")
    return datamodels.CubeModel if dimensions == 3 else datamodels.ImageModel


def stated(model: Any, place: str) -> Any:
    """Return what the header says at a place such as ``exposure.mid_time``; None if nothing.

    Raises
    ------
    Unmeasurable
        If that part of the file is damaged.
    """
    with reading():
        node = model.meta
        for part in place.split("."):
            node = getattr(node, part, None)
            if node is None:
                return None
        return node


def stated_text(model: Any, place: str) -> str:
    """Return a text of the header without outer blanks; empty if it is not stated."""
    found = stated(model, place)
    return "" if found is None else one_line(str(found))


def stated_number(model: Any, place: str, keyword: str) -> float | None:
    """Return a number of the header; None if it is not stated.

    Parameters
    ----------
    model : JwstDataModel
        Open.
    place : str
        Where, such as ``exposure.mid_time``.
    keyword : str
        What FITS calls it, for the reason.

    Raises
    ------
    Unmeasurable
        If something else stands there.
    """
    found = stated(model, place)
    if found is None:
        return None
    number = isinstance(found, int | float | np.number) and not isinstance(found, bool)
    if not number or not np.isfinite(found):
        raise Unmeasurable(f"keyword {keyword} is {found!r}; expected a number")
    return float(found)


def array_of(model: Any, name: str) -> np.ndarray:
    """Return an array of a data model; one of no pixels where it has none.

    Raises
    ------
    Unmeasurable
        If that part of the file is damaged, or holds other things than numbers.
    """
    with reading():
        found = getattr(model, name) if model.hasattr(name) else None
        values = np.zeros((0, 0)) if found is None else np.asarray(found)
    if values.dtype.kind not in "biuf":
        raise Unmeasurable(f"its {name} array holds no numbers")
    return values


def numbers_of(model: Any, name: str) -> NDArray[np.float64]:
    """Return an array of a data model in double precision; NaN for what no pixel can hold.

    Raises
    ------
    Unmeasurable
        As `array_of`.
    """
    with np.errstate(invalid="ignore", over="ignore"):  # a damaged number may be any
        values = array_of(model, name).astype(float)
        return np.where(np.abs(values) < _LARGEST_NUMBER, values, np.nan)


def distinct_names(paths: Sequence[Path]) -> list[str]:
    """Return the files' names, each with as many of its folders as tell it from the others.

    Parameters
    ----------
    paths : sequence of Path
        No file twice.
    """
    places = [path.resolve().parts for path in paths]
    depths = [1] * len(paths)

    def names() -> list[str]:
        return ["/".join(place[-n:]) for place, n in zip(places, depths, strict=True)]

    while True:
        found = names()
        counts = Counter(found)
        alike = [
            i for i, name in enumerate(found) if counts[name] > 1 and depths[i] < len(places[i])
        ]
        if not alike:
            return found
        for i in alike:
            depths[i] += 1


def file_hash(path: Path) -> str:
    """Return the first digits of a file's SHA-256; empty if it is no file that can be read."""
    try:
        if not path.is_file():  # a pipe would be waited for
            return ""
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:_DIGITS]
    except OSError:
        return ""
