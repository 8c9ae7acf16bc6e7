"""A fit, as the command line and Python ask for one: rows, card, instrument, sampler."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from mirical.errors import InputError, did_you_mean

if TYPE_CHECKING:
    from rich.console import Console

    from mirical.api.runs import Run
    from mirical.chains.checkpoint import Checkpoint
    from mirical.jobs.inputs import Inputs
    from mirical.jobs.job import Job
    from mirical.reporting.run import Run as Fitted

NUMBERS = ("seed", "chains", "warmup", "draws", "target_ess", "max_draws")
"""Settings of the sampler that take the place of the job's."""
TEXTS = ("photometry", "model", "apertures", "instrument")
"""Entries of a job that others take the place of."""
_USUAL, _OF_CARD = "table5", "imager"


class FitOptions(TypedDict, total=False):
    """What else `fit` may be told; each as the option of ``mirical run`` of the same name."""

    seed: int
    chains: int
    warmup: int
    draws: int
    target_ess: int
    max_draws: int
    mjd: float
    time_limit: float
    apertures: str
    job: str


def fit(
    table: Any = None,
    *,
    card: str | None = None,
    instrument: str | None = None,
    fast: bool = False,
    progress: bool | None = None,
    **options: Unpack[FitOptions],
) -> Run:
    """Fit calibration factors to photometry of standard stars; writes nothing.

    What is not given is as in the shipped job ``table5``, or ``imager`` where an instrument is
    named: the same as ``mirical run`` takes.

    Parameters
    ----------
    table : str, Path, astropy Table or pandas DataFrame, optional
        Photometry: count rates of standard stars, a row an observation, in the columns of
        docs/tables.md; or the name of an embedded table, such as ``"table5"``. By default the
        job's own.
    card : str or Path, optional
        Model card: a shipped one by its name, such as ``"hierarchical"``, or a file.
    instrument : str or Path, optional
        Instrument card: ``"miri"``, ``"wfc3"``, ``"nircam"``, or a folder of your own.
    fast : bool
        Approximate the posterior in about a minute; the run says whether it must not be trusted.
    progress : bool, optional
        Whether to show progress and notes; by default in notebooks alone.
    **options
        ``seed`` (fixes every random number), ``chains``, ``warmup``, ``draws`` (of a chain; by
        default until ``target_ess`` is met), ``target_ess``, ``max_draws``; ``mjd``, the epoch
        at which one factor a band is quoted, MJD in days; ``time_limit`` in minutes;
        ``apertures``, a table of ``mirical apertures``; ``job``, a job's name or file that states
        what is not given here.

    Returns
    -------
    Run
        With ``calibration``, ``posterior`` and ``verdict``; ``save(folder)`` writes the folder
        that ``mirical run`` writes.

    Raises
    ------
    InputError
        If the table, a card or an option cannot be used, in one sentence.
    OutOfTimeError
        If the time limit ended the fit before there were draws.
    """
    import time

    begun = time.monotonic()

    from mirical.inference import runtime

    runtime.configure()  # before anything loads JAX

    from mirical.api.consoles import progress_console
    from mirical.api.given_tables import observed
    from mirical.api.runs import Run
    from mirical.jobs.inputs import resolve_job
    from mirical.tables.formats import IN_MEMORY

    known = FitOptions.__annotations__
    for name in options:
        if name not in known:
            raise InputError(f"fit: option {name!r} is unknown{did_you_mean(name, known)}")
    texts = {
        "photometry": str(table) if isinstance(table, str | Path) else None,
        "model": None if card is None else str(card),
        "instrument": None if instrument is None else str(instrument),
        "apertures": options.get("apertures"),
    }
    asked = {name: options.get(name) for name in NUMBERS}
    limits = options.get("mjd"), options.get("time_limit")
    job = chosen_job(options.get("job"), texts, asked, *limits)
    console = progress_console(progress)
    content = None
    if table is None or texts["photometry"] is not None:
        inputs = resolve_job(job)
    else:
        observations, content = observed(table, job.read_instrument())
        job = replace(job, name=IN_MEMORY, photometry="")
        inputs = resolve_job(job, observations=observations)
    deadline = begun + 60 * (math.inf if job.time_limit is None else job.time_limit)
    fitted = fit_job(job, inputs, console, fast=fast, deadline=deadline)
    return Run.of(fitted if content is None else replace(fitted, photometry=content))


def chosen_job(
    name: str | None,
    texts: Mapping[str, str | None],
    numbers: Mapping[str, int | None],
    mjd: float | None = None,
    time_limit: float | None = None,
) -> Job:
    """Return a job with options in place of what its file says.

    Parameters
    ----------
    name : str or None
        A shipped job or a job's file; None: the usual one, that of any camera if one is named.
    texts, numbers : mapping
        Options by `TEXTS` and `NUMBERS`, None where the job's holds.
    mjd : float, optional
        Epoch at which one factor a band is quoted, MJD in days.
    time_limit : float, optional
        Minutes after which sampling ends.

    Raises
    ------
    InputError
        As `mirical.jobs.job.load_job` and ``with_options``.
    """
    from mirical.jobs.job import load_job, with_options

    usual = _USUAL if texts.get("instrument") is None else _OF_CARD
    return with_options(load_job(name or usual), dict(texts), dict(numbers), mjd, time_limit)


def fit_job(
    job: Job,
    inputs: Inputs,
    console: Console,
    *,
    fast: bool = False,
    kept: Checkpoint | None = None,
    deadline: float = math.inf,
) -> Fitted:
    """Fit a job, its progress and notes shown on a console; writes no folder.

    Parameters
    ----------
    job, inputs : Job, Inputs
        What to fit.
    console : Console
        Where progress and notes are shown.
    fast : bool
        Whether the posterior is approximated (`mirical run --fast`).
    kept : Checkpoint, optional
        Where chains go on from and are kept.
    deadline : float
        When chains stop, in the seconds of `time.monotonic`.

    Raises
    ------
    InputError, KeyboardInterrupt, OutOfTimeError
        As `mirical.reporting.run.run_job` and ``run_fast``.
    """
    from mirical.chains.running import Course
    from mirical.console.progress import ChainWatch, WorkWatch
    from mirical.console.shared import print_notes
    from mirical.reporting.run import run_fast, run_job

    tell = partial(print_notes, cautions=console)
    tell(inputs.factors.observations.notes)
    if fast:
        with WorkWatch("drawing from the prior", console) as watch:
            return run_fast(job, inputs, tell, watch.turn_to)
    with ChainWatch(job.sampler, console) as watch:
        return run_job(job, inputs, Course(watch, kept, deadline), tell)
