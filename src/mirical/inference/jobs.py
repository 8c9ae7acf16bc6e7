"""Job files (TOML): data, card and sampler settings, and what they resolve to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

from mirical.cards.card import Card, load_card
from mirical.errors import InputError, refuse_unknown_keys, shown
from mirical.inference.runtime import memory
from mirical.instruments.cards import DEFAULT, load_instrument, shipped_instruments
from mirical.instruments.instrument import Instrument
from mirical.model.design import Design, make_design
from mirical.storage.shipped import resolve
from mirical.storage.toml_files import parse_toml, read_toml_text
from mirical.table_files.parts import find_table
from mirical.tables.apertures import PUBLISHED_APERTURES, load_apertures
from mirical.tables.calibration_factors import CalibrationFactors, calibration_factors
from mirical.tables.photometry import NAMED, Observations, load_photometry
from mirical.tables.predicted_fluxes import (
    by_star_band,
    read_fluxes,
    shipped_fluxes,
    with_own_stars,
)
from mirical.tables.quantities import epoch_of
from mirical.text import one_line

SHIPPED_FLUXES = "shipped"


@dataclass(frozen=True)
class Sampler:
    """Settings of the sampler.

    Attributes
    ----------
    chains, warmup : int
        Number of chains, and of warm-up steps in each.
    draws : int or None
        Draws kept of each chain; None to draw until the targets are met.
    target_ess, target_ess_tail : int
        Effective draws, bulk and tail, that every reported quantity must have.
    max_draws : int
        Draws of a chain at which a run without `draws` ends, targets met or not.
    seed : int
        Fixes every random number of the job.
    target_accept : float
        Acceptance the step size is adapted to; nearer 1 is slower and safer.
    density : str
        ``"collapsed"`` (fast) or ``"joint"`` (the readable definition): two
        implementations of the same model.
    """

    chains: int = 4
    warmup: int = 500
    draws: int | None = None
    target_ess: int = 1000
    target_ess_tail: int = 400
    max_draws: int = 20000
    seed: int = 59720
    target_accept: float = 0.9
    density: str = "collapsed"

    @property
    def most_draws(self) -> int:
        """Draws of a chain at most."""
        return self.max_draws if self.draws is None else self.draws


_OF_TARGET = ("target_ess", "target_ess_tail", "max_draws")

DENSITIES = ("collapsed", "joint")
_SEEDS = 2**32
_AT_LEAST = {
    "chains": 1,
    "warmup": 100,
    "draws": 4,
    "target_ess": 100,
    "target_ess_tail": 100,
    "max_draws": 4,
    "seed": 0,
}
_AT_MOST = dict.fromkeys(_AT_LEAST, 10**6) | {"chains": 1000, "seed": _SEEDS - 1}
_COPIES = 3  # of all draws, while they are gathered and written
_FEWEST = 1000  # draws of a chain that memory must hold where a job asks for a target
MOST_MINUTES = 1e6


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


@dataclass(frozen=True)
class Inputs:
    """What a job resolves to: the card, the rows with their factors, and the design."""

    card: Card
    factors: CalibrationFactors
    design: Design

    @property
    def instrument(self) -> Instrument:
        """Whose rows they are."""
        return self.factors.observations.instrument


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
        sampler=_sampler(content.get("sampler", {}), where),
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
    return replace(job, **given, name=name, sampler=_sampler(stated | settings, "options"))


def _absolute(value: str) -> Path | str:
    path = find_table(value)
    return value if path is None else path.resolve()


def _sampler(content: object, where: str) -> Sampler:
    if not isinstance(content, dict):
        raise InputError(f"{where}: sampler is {shown(content)}; expected a table.")
    refuse_unknown_keys(f"{where}: sampler", content, [f.name for f in fields(Sampler)])
    for key, least in _AT_LEAST.items():
        value = content.get(key, least)
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise InputError(
                f"{where}: sampler {key} is {shown(value)}; expected a whole number >= {least}."
            )
        if value > _AT_MOST[key]:
            raise InputError(
                f"{where}: sampler {key} is {shown(value)}; expected a whole number up to "
                f"{_AT_MOST[key]}."
            )
    accept = content.get("target_accept", 0.9)
    if not isinstance(accept, float) or not 0.5 <= accept < 1:
        raise InputError(f"{where}: sampler target_accept is {shown(accept)}; expected 0.5 to 1.")
    density = content.get("density", DENSITIES[0])
    if density not in DENSITIES:
        raise InputError(
            f"{where}: sampler density is {shown(density)}; expected one of {', '.join(DENSITIES)}."
        )
    return Sampler(**content)


def resolve_job(
    job: Job,
    nominal: Mapping[tuple[str, str], float] | None = None,
    observations: Observations | None = None,
) -> Inputs:
    """Read everything a job names and return what is to be fitted.

    Parameters
    ----------
    job : Job
        The job.
    nominal : mapping of {(star, band) : float}, optional
        Nominal fluxes of stars of unknown flux in mJy that are kept; others are found from the
        rows.
    observations : Observations, optional
        Rows of the job's instrument in place of those it names.

    Raises
    ------
    InputError
        For the first thing in the card or the tables that cannot be used, or if the draws
        asked for do not fit into memory.
    """
    card = load_card(job.model, f"job {job.name}", job.read_instrument(), job.folder)
    factors = job_factors(job, card.has("free_flux"), observations, nominal)
    design = make_design(factors, card)
    _refuse_too_many_draws(job.sampler, design)
    return Inputs(card, factors, design)


def most_draws(sampler: Sampler, design: Design) -> int:
    """Return how many draws of a chain there can be: the sampler's bound, or what memory holds."""
    return int(min(sampler.most_draws, memory() / _bytes_of_a_draw(sampler, design)))


def _bytes_of_a_draw(sampler: Sampler, design: Design) -> float:
    """Return the bytes that one draw of every chain takes in all."""
    rows, bands, subarrays = len(design.rows), len(design.bands), len(design.subarrays)
    stars, visits = len(design.stars), len(design.visits)
    # Fitted, scatter, predicted and two likelihoods of each row; every term and its standard form.
    numbers = 5 * rows + 2 * (bands * (stars + subarrays + 8) + stars + visits)
    return 8.0 * _COPIES * numbers * sampler.chains


def _refuse_too_many_draws(sampler: Sampler, design: Design) -> None:
    """Refuse a sampler whose draws this machine cannot hold, before any work.

    One that asks for a target is refused if it could not even begin: `most_draws` bounds it.
    """
    draws = min(sampler.most_draws, _FEWEST) if sampler.draws is None else sampler.draws
    needed = draws * _bytes_of_a_draw(sampler, design)
    has = memory()
    if needed > has:
        raise InputError(
            f"{sampler.chains} chains of {draws} draws of {len(design.rows)} rows need about "
            f"{needed / 1e9:.0f} GB, and this machine has {has / 1e9:.0f} GB; lower "
            f"{'--draws or ' if sampler.draws else ''}--chains."
        )


def job_factors(
    job: Job,
    free_stars: bool = False,
    observations: Observations | None = None,
    nominal: Mapping[tuple[str, str], float] | None = None,
) -> CalibrationFactors:
    """Read the rows a job names, with their factors; stars of unknown flux are flagged, or free.

    Parameters
    ----------
    job : Job
        The job.
    free_stars : bool
        Whether stars of unknown flux are fitted.
    observations : Observations, optional
        Rows of the job's instrument in place of those it names.
    nominal : mapping of {(star, band) : float}, optional
        As of `resolve_job`.

    Raises
    ------
    InputError
        For the first thing in the tables that cannot be used.
    """
    instrument = job.read_instrument()
    shipped = shipped_fluxes(instrument)
    predicted, errors = by_star_band(shipped), by_star_band(shipped, "model_flux_unc")
    notes: list[str] = []
    if job.predicted_fluxes != SHIPPED_FLUXES:
        path = find_table(job.predicted_fluxes, job.folder)
        own = read_fluxes(path or Path(job.predicted_fluxes), instrument, notes)
        predicted = with_own_stars(own, shipped)
        errors = with_own_stars(own, shipped, "model_flux_unc")
    if observations is None:
        observations = load_photometry(
            job.photometry, instrument, f"job {job.name}", job.folder, job.columns
        )
    apertures = load_apertures(job.apertures, instrument, f"job {job.name}", job.folder, notes)
    observations = replace(observations, notes=(*observations.notes, *notes))
    return calibration_factors(
        observations,
        predicted,
        apertures,
        predicted_unc=errors,
        free_stars=free_stars,
        nominal=nominal,
    )
