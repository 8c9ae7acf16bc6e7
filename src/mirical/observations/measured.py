"""One row a file: images measured side by side, those that cannot be kept with their reasons."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from astropy import units as u
from astropy.table import QTable

from mirical.bands import BANDS
from mirical.conventions import COUNT_RATE, FLUX, PIXEL_SOLID_ANGLE
from mirical.observations.apertures import Aperture
from mirical.observations.images import Image, Unmeasurable, read_image
from mirical.observations.photometry import Measurement, measure
from mirical.stars import STARS

Draw = Callable[[Image, Aperture, Measurement, str], None]
"""Draws what was measured; the last argument is the file's name without its ending."""

_TEXTS = ("name", "PID", "srctype", "filter", "subarray", "flag", "reason", "note", "file")
_UNITS = {
    "time": u.d,
    "pixrate": COUNT_RATE,
    "pixwelldepth": u.DN,
    "inttime": u.s,
    "iflux": COUNT_RATE,
    "ifluxunc": COUNT_RATE,
    "ibkg": COUNT_RATE / u.pix,
    "flux": FLUX,
    "fluxunc": FLUX,
    "bkg": u.MJy / u.sr,
    "aperture_sum": COUNT_RATE,
    "noise_unc": COUNT_RATE,
    "background_unc": COUNT_RATE,
    "structure_unc": COUNT_RATE,
    "x": u.pix,
    "y": u.pix,
    "offset": u.pix,
}
_DESCRIPTIONS = {
    "name": "Star",
    "PID": "JWST program",
    "srctype": "Star type",
    "filter": "Band",
    "subarray": "Subarray",
    "time": "Mid-exposure time, MJD",
    "pixrate": "Count rate of the central pixel, background included",
    "pixwelldepth": "What the central pixel collected in an integration",
    "inttime": "Integration time",
    "iflux": "Count rate of the star in the aperture",
    "ifluxunc": "Its error: the three parts below in quadrature",
    "ibkg": "Background rate, mean of the annulus",
    "flux": "iflux to infinite aperture by the image's own PHOTMJSR",
    "fluxunc": "Its error",
    "bkg": "ibkg by the image's own PHOTMJSR",
    "aperture_sum": "Sum over the aperture, exact partial pixels, background included",
    "noise_unc": "From the pipeline's ERR in the aperture",
    "background_unc": "From the noise of the annulus's mean",
    "structure_unc": "From structure of the background on the aperture's scale",
    "x": "Centroid, first pixel 0",
    "y": "Centroid, first pixel 0",
    "offset": "Distance of the centroid from the expected position",
    "interpolated": "Pixels of the aperture that were filled in",
    "flag": "Why the row is not to be fitted; empty if it is",
    "reason": "The same in words",
    "note": "Worth knowing",
    "file": "Image",
}
_ORDER = (
    "name PID srctype filter subarray time pixrate pixwelldepth inttime iflux ifluxunc ibkg flux "
    "fluxunc bkg aperture_sum noise_unc background_unc structure_unc x y offset interpolated flag "
    "reason note file"
).split()


@dataclass(frozen=True)
class Settings:
    """How every file is measured.

    Attributes
    ----------
    apertures : dict of {str : Aperture}
        By band, in nominal pixels.
    types : dict of {str : str}
        Star types of stars that are not the program's.
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
    """
    one = partial(row_of, settings=settings)
    if workers == 1 or len(paths) == 1:
        yield from ((i, one(path)) for i, path in enumerate(paths))
        return
    # Workers start afresh: a fork would copy threads' locks.
    with ProcessPoolExecutor(min(workers, len(paths)), get_context("spawn")) as pool:
        left = iter(enumerate(paths))
        running: dict[Future[dict[str, Any]], int] = {}
        try:
            while True:
                for i, path in left:
                    running[pool.submit(one, path)] = i
                    if len(running) >= 2 * workers:
                        break
                if not running:
                    return
                for done in wait(running, return_when=FIRST_COMPLETED).done:
                    yield running.pop(done), done.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def row_of(path: Path, settings: Settings) -> dict[str, Any]:
    """Measure one file; return its row, flagged with the reason if it cannot be measured."""
    row: dict[str, Any] = {"file": path.name, "flag": "", "reason": "", "note": ""}
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
            settings.draw(image, aperture, found, path.stem)
    except Unmeasurable as why:
        row |= {"flag": "unmeasured", "reason": str(why)}
    return row


def _described(image: Image, settings: Settings) -> dict[str, Any]:
    exposure = image.exposure
    known = STARS.get(exposure.name)
    return {
        "name": exposure.name,
        "PID": exposure.program,
        "srctype": settings.types.get(exposure.name, known.srctype if known else ""),
        "filter": exposure.band,
        "subarray": exposure.subarray,
        "time": exposure.mjd,
        "inttime": exposure.integration_time,
        "simulated": exposure.simulated,
    }


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
        "x": found.place.x,
        "y": found.place.y,
        "offset": found.place.offset,
        "interpolated": found.interpolated,
        "flag": found.flag,
        "reason": found.reason,
        "note": found.place.note,
    }


def photometry_table(rows: Sequence[dict[str, Any]], apertures: Mapping[str, Aperture]) -> QTable:
    """Return rows as a photometry table (columns of Table 5 and how they came about).

    It says what it was measured in, so that no run corrects for other apertures.
    """
    table = QTable()
    for name in _ORDER:
        if name in _TEXTS:
            table[name] = [str(row.get(name, "")) for row in rows]
        elif name == "interpolated":
            table[name] = [int(row.get(name, 0)) for row in rows]
        else:
            table[name] = np.array([row.get(name, np.nan) for row in rows]) * _UNITS[name]
        table[name].info.description = _DESCRIPTIONS[name]
    simulated = any(row.get("simulated") for row in rows)
    table.meta["title"] = f"{'SIMULATED p' if simulated else 'P'}hotometry of JWST images"
    table.meta["origin"] = "mirical photometry: method of Gordon et al. 2025, section 2.2"
    used = [band for band in BANDS if band in set(table["filter"]) and band in apertures]
    table.meta["apertures_pix"] = {band: list(apertures[band].radii) for band in used}
    if simulated:
        table.meta["simulated"] = True
    return table
