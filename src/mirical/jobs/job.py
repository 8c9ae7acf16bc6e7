"""Jobs as their files (TOML) and the options of the command line state them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

from mirical.errors import InputError, refuse_unknown_keys, shown
from mirical.instruments.cards import DEFAULT, load_instrument, shipped_instruments
from mirical.instruments.instrument import Instrument
from mirical.jobs.sampler import Sampler, read_sampler
from mirical.storage.shipped import resolve
from mirical.storage.toml_files import parse_toml, read_toml_text
from mirical.table_files.parts import find_table
from mirical.tables.apertures import PUBLISHED_APERTURES
from mirical.tables.photometry import NAMED
from mirical.tables.quantities import epoch_of
from mirical.text import one_line

SHIPPED_FLUXES = "shipped"
MOST_MINUTES = 1e6
_OF_TARGET = ("target_ess", "target_ess_tail", "max_draws")


@dataclass(frozen=True)
class Job:
    """One job as its file states it.

    Attributes
    ----------
    name : str
        File name without ``.toml``; the run's folder is ``reports/<name>``.
    photometry : str
        An embedded table or a path; empty where the rows are to be given.
    model : str
        A shipped card or a path.
    predicted_fluxes : str
        ``"shipped"`` or the path of a table by star and band.
    apertures : str
        ``"table4"`` or the path of a table by band.
    sampler : Sampler
        Settings of the sampler.
    folder : Path or None
        Folder of the file, in which its relative paths are tried first.
    reference_mjd : float or None
        Epoch at which the report quotes one factor a band, MJD in days; by default one among the
        rows (`mirical.model.design.Design.reference_mjd`).
    time_limit : float or None
        Minutes after which sampling ends, targets met or not.
    instrument : str
        A shipped instrument card or the path of a folder with one.
    columns : dict of {str : str}
        The photometry table's own names of columns, by those of the contract.
    """

    name: str
    photometry: str
    model: str
    predicted_fluxes: str = SHIPPED_FLUXES
    apertures: str = PUBLISHED_APERTURES
    sampler: Sampler = Sampler()
    folder: Path | None = None
    reference_mjd: float | None = None
    time_limit: float | None = None
    instrument: str = DEFAULT
    columns: Mapping[str, str] = field(default_factory=dict)

    def read_instrument(self) -> Instrument:
        """Return the instrument the job names.

        Raises
        ------
        InputError
            If its card cannot be used.
        """
        return load_instrument(self.instrument, f"job {self.name}", self.folder)


def load_job(name: str) -> Job:
    """Read a shipped job by name, or a job file by path.

    Raises
    ------
    InputError
        If it is missing, is not TOML, or has an unknown key or a bad value.
    """
    path = resolve("inference", name, "job")
    where = path.name
    content = parse_toml(read_toml_text(path), where)
    # A run's own job.toml records where its numbers came from; that table instructs nothing.
    content.pop("provenance", None)
    defaults = {
        "predicted_fluxes": SHIPPED_FLUXES,
        "apertures": PUBLISHED_APERTURES,
        "instrument": DEFAULT,
    }
    texts = ("photometry", "model", *defaults)
    known = (*texts, "sampler", "columns", "reference_mjd", "time_limit")
    refuse_unknown_keys(where, content, known)
    for key in texts:
        value = content.get(key, defaults.get(key))
        if not isinstance(value, str):
            got = "is missing" if value is None else f"is {shown(value)}"
            raise InputError(f"{where}: {key!r} {got}; expected a name or a path in quotes.")
    name = one_line(path.stem)
    if not name.strip("."):  # the folder above reports/ would be the run's
        raise InputError(f"{path}: a job's run is named after its file; give the file a name.")
    job = Job(
        name=name,
        **{key: content[key] for key in texts if key in content},
        sampler=read_sampler(content.get("sampler", {}), where),
        folder=path.parent,
        time_limit=_minutes(content.get("time_limit"), f"{where}: time_limit"),
        columns=_columns(content.get("columns", {}), where),
    )
    mjd = content.get("reference_mjd")
    epoch = _epoch(mjd, job.read_instrument(), f"{where}: reference_mjd")
    return replace(job, reference_mjd=epoch)


def _columns(content: object, where: str) -> dict[str, str]:
    """Return the table's own names of columns, by the contract's."""
    if not isinstance(content, dict):
        raise InputError(f'{where}: columns is {shown(content)}; expected a table, iflux = "FLUX".')
    refuse_unknown_keys(f"{where}: columns", content, NAMED)
    for name, own in content.items():
        if not isinstance(own, str) or not own.strip():
            raise InputError(
                f"{where}: columns {name} is {shown(own)}; expected the name of a column in quotes."
            )
        if list(content.values()).count(own) > 1:
            raise InputError(f"{where}: columns names {shown(own)} twice; a column is one thing.")
    return dict(content)


def _epoch(value: object, instrument: Instrument, where: str) -> float | None:
    if value is None:
        return None
    mjd = epoch_of(value, where)
    first, last = instrument.epochs
    if not first <= mjd <= last:
        raise InputError(
            f"{where} is {shown(value)}; expected an MJD in days, such as "
            f"{instrument.reference_mjd:.0f}."
        )
    return mjd


def _minutes(value: object, where: str) -> float | None:
    if value is None:
        return None
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 < float(value) <= MOST_MINUTES:  # type: ignore[arg-type]
        raise InputError(f"{where} is {shown(value)}; expected minutes, such as 30.")
    return float(value)  # type: ignore[arg-type]


def with_options(
    job: Job,
    texts: dict[str, str | None],
    numbers: dict[str, int | None],
    reference_mjd: float | None = None,
    time_limit: float | None = None,
) -> Job:
    """Return the job with command-line options in place of what its file says.

    Options that are None leave the file's value. Paths given as options are
    relative to the working folder, those in the file to the file. A job that is given another
    table is called by that table's name: its numbers are not those of the file's rows (a job that
    names none keeps its name). A target or a bound given as an option takes the place of the
    file's fixed number of draws.
    """
    card = texts.get("instrument")
    if card is not None:
        of_user = card not in shipped_instruments() and Path(card).exists()
        job = replace(job, instrument=str(Path(card).resolve()) if of_user else card)
    texts = {key: value for key, value in texts.items() if key != "instrument"}
    if reference_mjd is not None:
        known = _epoch(reference_mjd, job.read_instrument(), "options: --mjd")
        job = replace(job, reference_mjd=known)
    if time_limit is not None:
        job = replace(job, time_limit=_minutes(time_limit, "options: --time-limit"))
    given = {key: str(_absolute(value)) for key, value in texts.items() if value is not None}
    settings = {key: value for key, value in numbers.items() if value is not None}
    stated = {f.name: getattr(job.sampler, f.name) for f in fields(Sampler)}
    if stated["draws"] is None or not settings.keys().isdisjoint(_OF_TARGET):
        del stated["draws"]
    rows = Path(given.get("photometry", job.photometry))
    other = rows.is_absolute() and job.photometry
    name = (one_line(rows.name.split(".")[0]) if other else "") or job.name
    return replace(job, **given, name=name, sampler=read_sampler(stated | settings, "options"))


def _absolute(value: str) -> Path | str:
    path = find_table(value)
    return value if path is None else path.resolve()
