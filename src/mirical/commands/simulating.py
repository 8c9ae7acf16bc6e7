"""The commands ``simulate`` and ``sbc``."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from mirical.console.command_parsers import add_command
from mirical.console.many_fits import add_options, how_of, kept_beside
from mirical.console.shared import (
    NOT_BELIEVABLE,
    SUCCESS,
    add_instrument,
    consoles,
    study_status,
)
from mirical.errors import InputError
from mirical.storage.files import check_outputs


def simulate(options: argparse.Namespace) -> int:
    """Simulate a whole program with known truth, as photometry or as images."""
    from mirical.api.simulations import simulated_program
    from mirical.instruments.cards import DEFAULT

    check_outputs(folders=[options.out])
    if options.mosaics and options.instrument == DEFAULT:
        return _mosaics(options)
    if options.mosaics:
        raise InputError(
            "simulate: --mosaics is for MIRI's own program; leave it or --instrument out."
        )
    asked = options.seed, options.instrument, options.truth, options.law, list(options.effects)
    program = simulated_program(*asked)
    from mirical.simulation.simulated_program import write_program

    write_program(program, options.out)
    stars = len(set(program.photometry["name"]))
    consoles()[0].print(
        f"{len(program.photometry)} SIMULATED rows of {stars} stars: photometry.ecsv and "
        f"truth.ecsv in {options.out}",
        soft_wrap=True,
        markup=False,
    )
    return SUCCESS


def _mosaics(options: argparse.Namespace) -> int:
    """Write images of the program of the paper's Tables 1-3."""
    from mirical.commands.imaging import simulate_mosaics

    if options.effects:
        raise InputError(
            "simulate: --effects and --mosaics; images have the usual errors and faults: leave "
            "out one of the two."
        )
    options.truth, options.law = options.truth or "published", options.law or "additive"
    return simulate_mosaics(options)


def sbc(options: argparse.Namespace) -> int:
    """Draw, refit and rank; go on where an earlier call stopped."""
    from mirical.inference import runtime

    runtime.configure()  # before anything loads JAX or a linear algebra library

    from mirical.jobs.inputs import resolve_job
    from mirical.jobs.job import load_job, with_options
    from mirical.reporting.stored_inputs import open_run
    from mirical.validation.posterior_truths import truths_of
    from mirical.validation.rank_file import RANKS, RankFile

    how = how_of(options)
    of_run = Path(options.job, "job.toml").is_file()
    if Path(options.job).is_dir() and not of_run and Path(options.job).name != options.job:
        raise InputError(f"sbc: {options.job}: no job.toml there, so it is no run's folder.")
    if of_run and options.model:
        raise InputError("sbc: a run has its own card; leave --model out.")
    # A run may ask for a result instead of a number of draws: the refits are those of the job sbc.
    job = load_job(str(Path(options.job, "job.toml")) if of_run else options.job)
    sampler = replace(load_job("sbc").sampler, seed=job.sampler.seed) if of_run else job.sampler
    numbers = {name: getattr(options, name) for name in ("seed", "warmup", "draws")}
    job = with_options(replace(job, sampler=sampler), {"model": options.model}, numbers)
    suffix = ("-fast" if options.fast else "") + (f"-{options.distort}" if options.distort else "")
    beside = Path(options.job, f"sbc{suffix}") if of_run else Path("reports", f"{job.name}{suffix}")
    folder = options.out or beside
    # Ranks of another study are refused when they are read.
    goes_on = options.out is None or (folder / RANKS).exists()
    check_outputs(folders=[folder], renewed=goes_on)
    truths = None
    if of_run:
        posterior, inputs = open_run(Path(options.job))
        truths = truths_of(posterior)
    else:
        inputs = resolve_job(job)

    from mirical.console.progress import ReplicateWatch
    from mirical.validation.replicates import DISTORTIONS, Study
    from mirical.validation.sbc import assess, calibrate, check_study
    from mirical.validation.sbc_report import print_outcome, write_outcome

    check_study(job.sampler, options.replicates)
    study = Study(inputs.design, inputs.card, job.sampler, DISTORTIONS[options.distort], truths)
    study = replace(study, fast=options.fast)
    consoled = results, progress = consoles()
    with kept_beside(folder, how, consoled) as kept:
        ranks = RankFile(folder, study)
        done = sum(k < options.replicates for k in ranks.replicates)
        with ReplicateWatch(options.replicates, done, progress) as watch:
            calibrate(study, options.replicates, ranks, watch.advance, kept.run)
        kept.end_share()
        ranks.write()
        outcome = assess(study, ranks, options.replicates)
        write_outcome(outcome, folder)
        print_outcome(outcome, folder, results)
        if of_run:
            return study_status(options.job, outcome.passes, progress)
        return SUCCESS if outcome.passes else NOT_BELIEVABLE
    return SUCCESS  # of a share


def add_parsers(parsers: argparse._SubParsersAction) -> None:
    """Add the commands of this module to the command line."""
    _add_simulate(parsers)
    _add_sbc(parsers)


def _add_simulate(parsers: argparse._SubParsersAction) -> None:
    about = (
        "Make a photometry table (or images) of a whole program whose true factors are known and "
        "written beside it, to try a model, a plan or a check on. All of it is marked SIMULATED."
    )
    parser = add_command(
        parsers,
        "simulate",
        simulate,
        (
            "photometry of a whole program with known truth: MIRI's (Tables 1-3), or any card's",
            about,
        ),
        "mirical simulate --seed 1 --out simulated",
    )
    what = parser.add_argument_group("what is simulated")
    add_instrument(what)
    what.add_argument("--seed", metavar="N", type=int, required=True, help="fixes all chance")
    what.add_argument(
        "--truth",
        choices=("published", "perturbed"),
        help="true coefficients: Tables 7-8 or those a card publishes, or drawn by the seed "
        "[published, where there are such]",
    )
    what.add_argument(
        "--law",
        help="true time law: additive (the paper's), exponential, exponential-linear, linear, "
        "power or two-exponentials, in relative throughput [additive]",
    )
    what.add_argument(
        "--effects",
        metavar="NAME=SIZE",
        nargs="+",
        default=(),
        help="sizes of errors and faults other than the usual: step=0.02 step_mjd=60100, "
        "flux_scale, type_band, reduction, fnd_rate_slope, ... (docs/checks.md); the sizes are "
        "fractions, zero switches one off",
    )
    written = parser.add_written()
    written.add_argument("--out", metavar="DIR", type=Path, required=True, help="folder to write")
    written.add_argument(
        "--mosaics",
        metavar="F",
        nargs="+",
        help="write images of the rows in these bands (or 'all') instead of their photometry",
    )


def _add_sbc(parsers: argparse._SubParsersAction) -> None:
    about = (
        "Simulation-based calibration: draw true values, simulate rows of them, fit, and see "
        "whether the truth falls in the posteriors as often as they say. Goes on where an earlier "
        "call stopped; status 1 if ranks are not uniform."
    )
    parser = add_command(
        parsers,
        "sbc",
        sbc,
        ("simulation-based calibration: do a card's posteriors mean what they say?", about),
        "mirical sbc table5 --model pooled --replicates 200",
    )
    what = parser.add_argument_group("what is tried")
    what.add_argument(
        "job",
        metavar="JOB or RUN",
        nargs="?",
        default="sbc",
        help="a job whose rows are the design, true values drawn from the card's prior; or a run's "
        "folder, true values drawn from its posterior and fitted with its rows [sbc]",
    )
    what.add_argument("--model", metavar="CARD", help="model card instead of the job's")
    what.add_argument(
        "--replicates",
        metavar="N",
        type=int,
        default=100,
        help="data sets drawn and refitted [100]",
    )
    what.add_argument(
        "--distort",
        choices=("scatter", "no-star-offset", "no-type-band-offset"),
        help="make the model wrong on purpose: errors understated by 1.5, or a term dropped "
        "[nothing]",
    )
    how = parser.add_argument_group("how it is sampled")
    for name in ("seed", "warmup", "draws"):
        how.add_argument(f"--{name}", metavar="N", type=int, help=f"sampler {name} [the job's]")
    how.add_argument(
        "--fast", action="store_true", help="fit as 'mirical run --fast' does, not with chains"
    )
    add_options(parser, "refits")
    written = parser.add_written()
    written.add_argument(
        "--out",
        metavar="DIR",
        type=Path,
        help="folder to write, or to go on in [reports/JOB, RUN/sbc]",
    )
