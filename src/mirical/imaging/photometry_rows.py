"""Photometry of many images, one row a file, with reasons for those left out."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from mirical.bands import assumptions
from mirical.conventions import PIXEL_SOLID_ANGLE
from mirical.errors import InputError
from mirical.imaging.aperture_photometry import Measurement, measure
from mirical.imaging.image_files import Unmeasurable, distinct_names, file_hash
from mirical.imaging.images import Image, read_image
from mirical.many.processes import worker_pool
from mirical.stars import STARS, star_key
from mirical.tables.apertures import Aperture
from mirical.text import one_line
from mirical.version import __version__

Draw = Callable[[Image, Aperture, Measurement, str, Mapping[str, Any]], None]
"""Draws what was measured; the last two arguments are the file's name without its ending, which
no other file of the call has (folders in it, if need be), and the provenance of the picture."""


@dataclass(frozen=True)
class Settings:
    """How every file is measured.

    Attributes
    ----------
    apertures : dict of {str : Aperture}
        By band, in nominal pixels.
    types : dict of {str : str}
        Star types of stars that are not the program's, by `star_key`.
    band : str or None
        The band of all files, where headers cannot be trusted.
    draw : callable or None
        Draws a picture of each; must be picklable.
    """

    apertures: dict[str, Aperture]
    types: dict[str, str] = field(default_factory=dict)
    band: str | None = None
    draw: Draw | None = None


def measure_files(
    paths: Sequence[Path], settings: Settings, workers: int
) -> Generator[tuple[int, dict[str, Any]]]:
    """Measure files side by side; yield each one's number and row as it is done.

    At most two files a worker are under way, so memory does not grow with
    their number.

    Parameters
    ----------
    paths : sequence of Path
        Images.
    settings : Settings
        How to measure them.
    workers : int
        Processes; with one the files are measured here.

    Raises
    ------
    InputError
        If a process was ended from outside.
    """
    one = partial(row_of, settings=settings)
    named = list(zip(paths, distinct_names(paths), strict=True))
    if workers == 1 or len(paths) == 1:
        yield from ((i, one(path, name=name)) for i, (path, name) in enumerate(named))
        return
    with worker_pool(min(workers, len(paths))) as pool:
        left = iter(enumerate(named))
        running: dict[Future[dict[str, Any]], int] = {}
        try:
            while True:
                for i, (path, name) in left:
                    running[pool.submit(one, path, name=name)] = i
                    if len(running) >= 2 * workers:
                        break
                if not running:
                    return
                for done in wait(running, return_when=FIRST_COMPLETED).done:
                    yield running.pop(done), done.result()
        except BrokenProcessPool as error:
            raise InputError(
                "photometry: a worker process was ended from outside, perhaps for want of memory; "
                "give --workers 1, or fewer images at a time."
            ) from error
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def row_of(path: Path, settings: Settings, name: str = "") -> dict[str, Any]:
    """Measure one file; return its row, flagged with the reason if it cannot be measured.

    Parameters
    ----------
    path : Path
        The image.
    settings : Settings
        How to measure it.
    name : str
        What to call it where its file name does not tell it from others.
    """
    name = name or path.name
    row: dict[str, Any] = {"flag": "", "reason": "", "note": ""}
    row |= {"file": one_line(name), "file_hash": file_hash(path)}
    try:
        image = read_image(path, settings.band)
        row |= _described(image, settings)
        aperture = settings.apertures.get(image.exposure.band)
        if aperture is None:
            raise Unmeasurable(f"no aperture is given for {image.exposure.band}")
        found = measure(image, aperture)
        row |= _measured(image, aperture, found)
        if not found.iflux > 0:
            raise Unmeasurable(f"the star is not brighter than its background ({found.iflux:.3g})")
        if not row["flag"] and not row["srctype"]:
            row["flag"] = "unknown_type"
            row["reason"] = f"no type is known of {row['name']!r}: give --star NAME=TYPE"
        if settings.draw is not None:
            stem = name.removesuffix(path.suffix)
            settings.draw(image, aperture, found, stem, _provenance(row))
    except Unmeasurable as why:
        row |= {"flag": "unmeasured", "reason": str(why)}
    return row


def _described(image: Image, settings: Settings) -> dict[str, Any]:
    exposure = image.exposure
    known = STARS.get(exposure.name)
    return {
        "name": exposure.name,
        "PID": exposure.program,
        "srctype": settings.types.get(star_key(exposure.name), known.srctype if known else ""),
        "filter": exposure.band,
        "subarray": exposure.subarray,
        "time": exposure.mjd,
        "inttime": exposure.integration_time,
        "simulated": exposure.simulated,
    }


def _provenance(row: Mapping[str, Any]) -> dict[str, Any]:
    kept = ("file", "file_hash", "name", "PID", "filter", "subarray", "time", "simulated")
    return {key: row[key] for key in kept} | {"mirical": __version__}


def _measured(image: Image, aperture: Aperture, found: Measurement) -> dict[str, Any]:
    factor = image.exposure.factor
    # MJy/sr times sr, in mJy.
    total = factor * aperture.correction * PIXEL_SOLID_ANGLE.value * 1e9
    ibkg = found.background.level + image.exposure.subtracted
    return {
        "pixrate": found.pixrate,
        "pixwelldepth": found.pixrate * image.exposure.integration_time,
        "iflux": found.iflux,
        "ifluxunc": found.ifluxunc,
        "ibkg": ibkg,
        "flux": found.iflux * total,
        "fluxunc": found.ifluxunc * total,
        "bkg": ibkg * factor,
        "aperture_sum": found.aperture_sum,
        "noise_unc": found.noise_unc,
        "background_unc": found.background_unc,
        "structure_unc": found.structure_unc,
        "x": found.position.x,
        "y": found.position.y,
        "offset": found.position.offset,
        "interpolated": found.interpolated,
        "without_error": found.without_error,
        "flag": found.flag,
        "reason": found.reason,
        "note": "; ".join(filter(None, _notes(image, found))),
    }


def _notes(image: Image, found: Measurement) -> list[str]:
    """Return what is worth knowing of a measurement."""
    notes = [found.position.note]
    notes += [sentence.rstrip(".") for sentence in assumptions([image.exposure.subarray])]
    if found.without_error:
        notes.append(
            f"{found.without_error} pixels of the aperture have no error in ERR: that of pixels of "
            "like brightness taken"
        )
    if image.warned:
        first, *others = image.warned
        more = f" (and {len(others)} more)" if others else ""
        notes.append(f"its reader warned: {first}{more}")
    return notes
