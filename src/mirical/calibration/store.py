"""Stored runs opened: posterior and verdict, validated; imports no sampler."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import xarray as xr

from mirical.calibration.calibration import UNBELIEVABLE, Calibration
from mirical.calibration.manifest import check_manifest, read_json
from mirical.calibration.posterior import PosteriorCalibration
from mirical.calibration.posterior_check import refuse_impossible
from mirical.calibration.published import PublishedCalibration
from mirical.errors import InputError, reading
from mirical.storage.files import settle
from mirical.text import one_line

POSTERIOR, DIAGNOSTICS = "posterior.nc", "diagnostics.json"
_UNJUDGED = (
    "this run must not be believed: nothing says that its chains agree ({reason}); run the job "
    "again."
)


@dataclass(frozen=True)
class StoredRun:
    """What a run's folder holds.

    Attributes
    ----------
    folder : Path
        The folder.
    posterior : DataTree
        As `mirical.inference.posterior` builds it.
    believable : bool
        Whether its diagnostics say that it may be used.
    doubts : tuple of str
        What a user of it should know, in sentences.
    """

    folder: Path
    posterior: xr.DataTree
    believable: bool
    doubts: tuple[str, ...]


def run_folder(name: str) -> Path:
    """Return a run's folder, given as a path or by its name under ``reports/``.

    Raises
    ------
    InputError
        If there is none.
    """
    folder = Path(name)
    for place in (folder, Path("reports") / name):
        settle(place)  # what a command was killed over is finished first
    if not folder.is_dir() and (Path("reports") / name).is_dir():
        folder = Path("reports") / name
    if not folder.is_dir():
        raise InputError(
            f"run {name!r} does not exist; give a run's folder (as in reports/table5), the name "
            "of one under reports/, or 'published'."
        )
    return folder


def read_run(folder: Path) -> StoredRun:
    """Read a run's folder, and check that it is whole and of one run.

    Raises
    ------
    InputError
        If there is no posterior, it cannot be read or be one, or its files are not of one run.
    """
    path = folder / POSTERIOR
    if not path.is_file():
        raise InputError(
            f"{folder}: no posterior.nc there; run the job first "
            "(`mirical run` writes the default one to reports/table5)."
        )
    doubts = check_manifest(folder)
    with reading(str(path), "a posterior", "run the job again"):
        raw = io.BytesIO(path.read_bytes())
        # Where h5netcdf meets damage first, it prints a traceback beside its exception.
        with h5py.File(raw, "r") as file:
            file.visititems(_read_attributes)
            _read_attributes("/", file)
        with xr.open_datatree(raw, engine="h5netcdf") as tree:
            posterior = tree.load()
    refuse_impossible(posterior, str(path))
    believable, reason = _verdict(folder / DIAGNOSTICS, posterior)
    return StoredRun(folder, posterior, believable, (*reason, *doubts))


def open_calibration(name: str) -> Calibration:
    """Return the calibration of a run's folder, or the published one for ``published``.

    Raises
    ------
    InputError
        If there is no such run, or its folder cannot be used; see `read_run`.
    """
    if name == "published":
        return PublishedCalibration()
    run = read_run(run_folder(name))
    called = one_line(run.folder.resolve().name)
    return PosteriorCalibration(run.posterior, called, run.believable, run.doubts)


def _read_attributes(_: str, item: h5py.HLObject) -> None:
    dict(item.attrs)


def _verdict(path: Path, posterior: xr.DataTree) -> tuple[bool, tuple[str, ...]]:
    """Return whether diagnostics allow to use a run, and why not."""
    if not path.is_file():
        return False, (_UNJUDGED.format(reason=f"{path.name} is missing"),)
    try:
        found = read_json(path)
    except InputError:
        return False, (_UNJUDGED.format(reason=f"{path.name} is damaged"),)
    _refuse_other_draws(found, posterior, path)
    believable = found.get("believable")
    if not isinstance(believable, bool):
        return False, (_UNJUDGED.format(reason=f"{path.name} has no verdict"),)
    return believable, () if believable else (UNBELIEVABLE,)


def _refuse_other_draws(found: dict[str, Any], posterior: xr.DataTree, path: Path) -> None:
    """Refuse a verdict on more or fewer draws, which is that of another run."""
    sizes = posterior["posterior"].to_dataset().sizes
    for name in ("chain", "draw"):
        stated = found.get(f"{name}s", sizes[name])
        if stated != sizes[name]:
            raise InputError(
                f"{path}: is about {stated} {name}s, and {POSTERIOR} has {sizes[name]}: files of "
                "two runs are mixed; run the job again."
            )
