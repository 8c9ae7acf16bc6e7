"""Photometry of many images, one row a file, with reasons for those left out."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from mirical.imaging.aperture_photometry import Measurement, measure
from mirical.imaging.image_files import Unmeasurable, distinct_names, file_hash
from mirical.imaging.images import Image, read_image
from mirical.instruments.miri import miri
from mirical.many.running import run_here
from mirical.many.tasks import Perform, Recipe, Result, Runner, Task
from mirical.stars import STARS, star_key
from mirical.tables.apertures import Aperture
from mirical.text import one_line
from mirical.version import __version__

PACKAGES = "numpy", "scipy", "astropy", "photutils", "jwst", "stdatamodels", "matplotlib"
"""Libraries on whose versions a measurement and its picture depend."""

Draw = Callable[[Image, Aperture, Measurement, str, Mapping[str, Any]], bytes]
"""Draws what was measured; the last two arguments are the file's name without its ending, which
no other file of the call has (folders in it, if need be), and the provenance of the picture."""

Take = Callable[[int, dict[str, Any], tuple[str, bytes] | None], None]
"""Is given the number and the row of a file, and name and bytes of its picture if there is one."""


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
    paths: Sequence[Path], settings: Settings, take: Take, run: Runner = run_here
) -> None:
    """Measure files side by side, in processes if there are several.

    Parameters
    ----------
    paths : sequence of Path
        Images.
    settings : Settings
        How to measure them.
    take : callable
        Given each file's number, row and picture, in no order.
    run : Runner
        Measures them.
    """
    inputs = {"study": "photometry", "apertures": settings.apertures, "types": settings.types}
    inputs |= {"band": settings.band, "pictures": settings.draw is not None}
    recipe = Recipe(inputs, PACKAGES, partial(_measuring, settings), processes=True)
    names = distinct_names(paths)
    tasks = [
        Task(recipe, [os.path.abspath(path), name, file_hash(path)])
        for path, name in zip(paths, names, strict=True)
    ]

    def give(number: int, result: Result) -> None:
        picture = None
        if "picture" in result:
            stem = names[number].removesuffix(paths[number].suffix)
            picture = f"{stem.replace('/', '__')}.png", result["picture"].tobytes()
        take(number, result["row"], picture)

    run(tasks, give)


def _measuring(settings: Settings) -> Perform:
    """Return the function that measures a file by its path and name."""

    def measure_one(item: Sequence[str], _: threading.Event) -> Result:
        path, name = item[:2]
        row, picture = look_at(Path(path), settings, name)
        drawn = {} if picture is None else {"picture": np.frombuffer(picture, np.uint8)}
        return {"row": row, **drawn}

    return measure_one


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
    return look_at(path, settings, name)[0]


def look_at(path: Path, settings: Settings, name: str = "") -> tuple[dict[str, Any], bytes | None]:
    """Return the same as `row_of`, and the picture if one is drawn."""
    name = name or path.name
    row: dict[str, Any] = {"flag": "", "reason": "", "note": ""}
    row |= {"file": one_line(name), "file_hash": file_hash(path)}
    picture = None
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
            picture = settings.draw(image, aperture, found, stem, _provenance(row))
    except Unmeasurable as why:
        row |= {"flag": "unmeasured", "reason": str(why)}
    return row, picture


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
        "reduction": exposure.reduction,
        "simulated": exposure.simulated,
    }


def _provenance(row: Mapping[str, Any]) -> dict[str, Any]:
    kept = ("file", "file_hash", "name", "PID", "filter", "subarray", "time", "simulated")
    return {key: row[key] for key in kept} | {"mirical": __version__}


def _measured(image: Image, aperture: Aperture, found: Measurement) -> dict[str, Any]:
    factor = image.exposure.factor
    # MJy/sr times sr, in mJy.
    total = factor * aperture.correction * miri().pixel_solid_angle.value * 1e9
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
    notes += [sentence.rstrip(".") for sentence in miri().assumptions([image.exposure.subarray])]
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
