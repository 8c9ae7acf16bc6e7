"""Stored runs opened: posterior and verdict, validated; imports no sampler."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from mirical.calibration.calibration import UNBELIEVABLE, Calibration
from mirical.calibration.draws import DRAWN, PRIOR, ROWS, Draws, read_draws, refuse_impossible
from mirical.calibration.manifest import check_manifest, read_json
from mirical.calibration.posterior import PosteriorCalibration
from mirical.calibration.published import PublishedCalibration
from mirical.calibration.zero_point_table import read_zero_points
from mirical.errors import InputError, reading
from mirical.inference.schema import SAMPLE
from mirical.instruments.cards import DEFAULT, load_instrument
from mirical.instruments.instrument import Instrument
from mirical.storage.files import settle
from mirical.storage.shipped import shipped_names
from mirical.text import one_line

if TYPE_CHECKING:
    import h5py
    import xarray as xr

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
    instrument : Instrument
        Whose rows it is of.
    believable : bool
        Whether its diagnostics say that it may be used.
    doubts : tuple of str
        What a user of it should know, in sentences.
    fewest_ess : float
        Effective draws of the reported quantity that has fewest, as its diagnostics have it;
        infinite where they do not say.
    """

    folder: Path
    posterior: xr.DataTree
    instrument: Instrument
    believable: bool
    doubts: tuple[str, ...]
    fewest_ess: float = math.inf


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
        if name in shipped_names("inference"):
            raise InputError(
                f"run {name!r} has not been made here: 'mirical run {name}' makes it, in "
                f"reports/{name}."
            )
        raise InputError(
            f"run {name!r} does not exist; give a run's folder (as in reports/table5), the name "
            "of one under reports/, or 'published'."
        )
    return folder


def require_draws(posterior: xr.DataTree, folder: Path, fewest: int) -> None:
    """Refuse a posterior whose draws are too few for what is asked of it.

    Raises
    ------
    InputError
        If there are fewer than `fewest`.
    """
    sizes = posterior["posterior"].sizes
    n_draws = sizes["chain"] * sizes["draw"]
    if n_draws < fewest:
        raise InputError(
            f"{folder}: has {n_draws} draws; at least {fewest} are needed: run the job with more."
        )


def read_run(folder: Path) -> StoredRun:
    """Read a run's folder in full, and check that it is whole and of one run.

    Raises
    ------
    InputError
        If there is no posterior, it cannot be read or be one, or its files are not of one run.
    """
    import h5py  # here and below: what asks for factors alone does without
    import xarray as xr

    path, doubts = _whole(folder)
    with reading(str(path), "a posterior", "run the job again"):
        raw = io.BytesIO(path.read_bytes())
        # Where h5netcdf meets damage first, it prints a traceback beside its exception.
        with h5py.File(raw, "r") as file:
            file.visititems(_read_attributes)
            _read_attributes("/", file)
        with xr.open_datatree(raw, engine="h5netcdf") as tree:
            posterior = tree.load()
    draws = Draws.of(posterior)
    instrument = instrument_of(draws, folder)
    refuse_impossible(draws, instrument, str(path))
    judged = _verdict(folder / DIAGNOSTICS, draws)
    doubts = (*judged.reasons, *doubts)
    return StoredRun(folder, posterior, instrument, judged.believable, doubts, judged.fewest_ess)


def _whole(folder: Path) -> tuple[Path, list[str]]:
    """Return the posterior's file of a folder whose files are of one run, and doubts about it."""
    path = folder / POSTERIOR
    if not path.is_file():
        name = folder.resolve().name
        job = name if name in shipped_names("inference") else "JOB"
        raise InputError(
            f"{folder}: no posterior.nc there, which is not kept with the reports; 'mirical run "
            f"{job} --out {folder}' makes it."
        )
    return path, check_manifest(folder)


def instrument_of(draws: Draws, folder: Path) -> Instrument:
    """Return the instrument of a run: a shipped one, or the card that its folder holds.

    Raises
    ------
    InputError
        If the card cannot be read.
    """
    name = str(draws.attrs.get("instrument", DEFAULT))
    return load_instrument(name, f"{folder}", folder)


def open_calibration(name: str, instrument: Instrument | None = None) -> Calibration:
    """Return the calibration of a run's folder, the published one, or that of zero points.

    Parameters
    ----------
    name : str
        A run, ``published``, or the path of a table of zero points.
    instrument : Instrument, optional
        Whose published one; by default that of `mirical.instruments.cards.DEFAULT`.

    Raises
    ------
    InputError
        If there is no such run, or its folder cannot be used; see `read_run`.
    """
    of = instrument or load_instrument(DEFAULT, name)
    if name == "published":
        return PublishedCalibration(of)
    if Path(name).is_file():
        return read_zero_points(Path(name), of)
    folder = run_folder(name)
    path, doubts = _whole(folder)
    draws = read_draws(path, _is_asked)
    found = instrument_of(draws, folder)
    refuse_impossible(draws, found, str(path))
    judged = _verdict(folder / DIAGNOSTICS, draws)
    called = one_line(folder.resolve().name)
    doubts = (*judged.reasons, *doubts)
    return PosteriorCalibration(draws, found, called, judged.believable, doubts)


_OF_ROWS = ("expected", "sigma")
"""Draws of every row, by far the most of the posterior, which no answer of a calibration needs."""

_BEFORE = {"D", "loss", "loss_per_year", *SAMPLE, "band", "subarray"}
"""Variables whose prior draws tell what an answer rests on."""


def _is_asked(group: str, name: str) -> bool:
    """Return whether to read a variable for a calibration; what is not read is not looked at."""
    wanted = {DRAWN: name not in _OF_ROWS, PRIOR: name in _BEFORE, ROWS: True}
    return wanted.get(group, False)


def _read_attributes(_: str, item: h5py.HLObject) -> None:
    dict(item.attrs)


class _Judged(NamedTuple):
    """Whether diagnostics allow to use a run, why not, and its fewest effective draws."""

    believable: bool
    reasons: tuple[str, ...]
    fewest_ess: float = math.inf


def _verdict(path: Path, draws: Draws) -> _Judged:
    if not path.is_file():
        return _Judged(False, (_UNJUDGED.format(reason=f"{path.name} is missing"),))
    try:
        found = read_json(path)
    except InputError:
        return _Judged(False, (_UNJUDGED.format(reason=f"{path.name} is damaged"),))
    _refuse_other_draws(found, draws, path)
    believable = found.get("believable")
    if not isinstance(believable, bool):
        return _Judged(False, (_UNJUDGED.format(reason=f"{path.name} has no verdict"),))
    fewest = found.get("min_ess_bulk")
    fewest = float(fewest) if isinstance(fewest, int | float) else math.inf
    return _Judged(believable, () if believable else (UNBELIEVABLE,), fewest)


def _refuse_other_draws(found: dict[str, Any], draws: Draws, path: Path) -> None:
    """Refuse a verdict on more or fewer draws, which is that of another run."""
    sizes = draws.sizes
    for name in ("chain", "draw"):
        stated = found.get(f"{name}s", sizes[name])
        if stated != sizes[name]:
            raise InputError(
                f"{path}: is about {stated} {name}s, and {POSTERIOR} has {sizes[name]}: files of "
                "two runs are mixed; run the job again."
            )
