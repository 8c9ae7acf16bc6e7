"""Monthly updates in succession against fits of all rows, and a planted change of the law.

    python benchmarks/updates.py [--months 24] [--fits 6,12,18,24] [--bands ...] [--out FOLDER]
    python benchmarks/updates.py --job wfc3 --photometry FILE --after 57160 --draws 0 --fits 13

The simulated program is cut by date: all rows before the last MONTHS months are fitted, then every
month's rows are assimilated by an update; by a fast fit where an update says that it must not be
trusted, and by chains where a fast fit says so. After the months of --fits all rows so far are
fitted besides, with another seed, and every factor is compared (C_ref, A and D). Then the rows of
one month have 3 % less counts than they should: the update must not be made. Times are of the parts
of an update, that of "make" with all tables; what else runs on the machine counts in them. Fast
fits are not among the seconds' median.

Of real rows (--photometry) those up to MJD --after are fitted, and the later ones come visit by
visit, nights that follow one another together; nothing is planted. --draws 0 lets chains run until
they are believed.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from mirical.inference import runtime

runtime.configure()

import numpy as np  # noqa: E402
import xarray as xr  # noqa: E402
from astropy.table import Table  # noqa: E402
from machine import machine  # noqa: E402
from numpy.typing import NDArray  # noqa: E402

from mirical.calibration.manifest import MANIFEST  # noqa: E402
from mirical.calibration.store import StoredRun  # noqa: E402
from mirical.chains.running import Course  # noqa: E402
from mirical.jobs.inputs import Inputs, resolve_job  # noqa: E402
from mirical.jobs.job import Job, load_job  # noqa: E402
from mirical.reporting.run import Run, run_job  # noqa: E402
from mirical.storage.shipped import data_file  # noqa: E402
from mirical.tables.photometry import load_photometry  # noqa: E402
from mirical.updating.added import Update, obstacle, prepare_update  # noqa: E402
from mirical.updating.runs import fit_again, fit_fast_again, update_draws  # noqa: E402
from mirical.updating.weighing import weigh  # noqa: E402

MONTH = 30.4  # d
CHANGE = 0.97
COMPARED = "C_ref", "A", "D"
PARTS = "read", "weigh", "make"
WAYS = "weights", "batches", "fast", "fit"
"""By weights; in batches of rows; by a fast fit; by chains."""


def main() -> None:
    """Follow the months, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--months", type=int, default=24)
    parser.add_argument("--fits", default="6,12,18,24")
    parser.add_argument("--bands", default="")
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--job", default="program")
    parser.add_argument("--photometry", type=Path, help="real rows of the job")
    parser.add_argument("--after", type=float, default=0.0, help="MJD up to which they are fitted")
    parser.add_argument("--planted", type=int, default=12, help="month of the change")
    parser.add_argument("--out", type=Path, default=Path("reports/benchmarks"))
    options = parser.parse_args()
    fits = {int(month) for month in options.fits.split(",") if month}
    with TemporaryDirectory() as name:
        rows = Rows(Path(name), *(visits(options) if options.photometry else months(options)))
        lines = follow(rows, options, fits)
    simulated = options.photometry is None
    table = Table(rows=lines)
    load = os.getloadavg()[0]
    took = np.array([line["seconds"] for line in lines if line["how"] in WAYS[:2]], dtype=float)
    table.meta = machine() | {
        "title": "simulated: monthly updates in succession against fits of all rows"
        if simulated
        else f"updates of real rows of job {options.job}, visit by visit",
        "simulated": simulated,
        "rows": len(rows.table),
        "bands": options.bands or "all",
        "draws": f"4 chains of {options.draws}" if options.draws else "until believed",
        "load": round(load, 1),
        "median_seconds": round(float(np.median(took)), 2) if len(took) else None,
        "ways": ", ".join(f"{sum(line['how'] == how for line in lines)} {how}" for how in WAYS),
    }
    options.out.mkdir(parents=True, exist_ok=True)
    file = "updates.ecsv" if simulated else f"updates-{options.job}.ecsv"
    table.write(options.out / file, format="ascii.ecsv", overwrite=True)
    sys.stdout.write(f"{table.meta}\n")


def months(options: argparse.Namespace) -> tuple[Table, NDArray[np.int_]]:
    """Return the rows of the program, and of each the month in which it comes, 1 the first."""
    table = Table.read(data_file("program"), format="ascii.ecsv")
    table.sort("time")
    if options.bands:
        table = table[np.isin(table["filter"], options.bands.split(","))]
    last = float(np.max(table["time"])) + 0.1
    return table, np.ceil((table["time"] - last) / MONTH).astype(int) + options.months


def visits(options: argparse.Namespace) -> tuple[Table, NDArray[np.int_]]:
    """Return real rows, and of each the visit in which it comes, 1 the first."""
    table = Table.read(options.photometry, format="ascii.ecsv")
    table.sort("time")
    later = table["time"] > options.after
    night = np.floor(table["time"][later]).astype(int)
    visit = np.zeros(len(table), dtype=int)
    visit[later] = 1 + np.cumsum(np.diff(night, prepend=night[0]) > 1)
    return table, visit


class Rows:
    """Rows, and the month or visit in which each comes; up to 0 before all."""

    def __init__(self, folder: Path, table: Table, month: NDArray[np.int_]) -> None:
        self.folder, self.table, self.month = folder, table, month

    def file(self, first: int, last: int, change: float = 1.0) -> Path:
        """Write the rows of some months, whose counts are changed, and return the file."""
        inside = (self.month >= first) & (self.month <= last)
        path = self.folder / f"{max(first, 0)}-{last}-{change:g}.ecsv"
        rows = self.table[inside]
        rows["iflux"] *= change
        rows.write(path, format="ascii.ecsv", overwrite=True)
        return path


def follow(rows: Rows, options: argparse.Namespace, fits: set[int]) -> list[dict[str, object]]:
    """Update month by month; return a line each."""
    job = load_job(options.job)
    if options.draws:
        job = replace(job, sampler=replace(job.sampler, draws=options.draws))
    run, inputs = fitted(job, rows.file(-999, 0), seed=1)
    said(f"parent: {len(inputs.design.rows)} rows, {run.verdict.sentences}")
    lines: list[dict[str, object]] = []
    for month in range(1, int(np.max(rows.month)) + 1):
        if not np.any(rows.month == month):
            continue
        planted = month == options.planted and options.photometry is None
        if planted:
            changed = prepared(run, inputs, rows, month, CHANGE)
            say = obstacle(changed) or weigh(changed).failure or "not caught"
            said(f"month {month} with {CHANGE:g} of the counts: {say}")
        line, run, inputs = step(run, inputs, rows, month)
        line["planted"] = say if planted else ""
        if month in fits:
            full, _ = fitted(run.job, rows.file(-999, month), seed=1000 + month)
            line |= difference(run.posterior, full.posterior)
        else:
            line |= {"largest_shift": np.nan, "rms_shift": np.nan, "error_ratios": ""}
        lines.append(line)
        said(str(line))
    return lines


def said(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def fitted(job: Job, path: Path, seed: int) -> tuple[Run, Inputs]:
    """Fit a file's rows."""
    sampler = replace(job.sampler, seed=seed)
    job = replace(job, photometry=str(path), name="benchmark", sampler=sampler)
    inputs = resolve_job(job)
    return run_job(job, inputs, Course()), inputs


def prepared(run: Run, inputs: Inputs, rows: Rows, month: int, change: float = 1.0) -> Update:
    """Return a month's update."""
    folder = rows.folder / f"run{month}"
    folder.mkdir(exist_ok=True)
    (folder / MANIFEST).write_text(str(month))
    # The draws a benchmark has time for are too few for the verdict's targets.
    fewest = run.verdict.min_ess_bulk
    parent = StoredRun(folder, run.posterior, run.instrument, True, (), fewest)
    new = load_photometry(str(rows.file(month, month, change)), run.instrument, "benchmark")
    found = prepare_update(parent, run.job, inputs, new, seed=month)
    assert found is not None
    return found


def step(run: Run, inputs: Inputs, rows: Rows, month: int) -> tuple[dict[str, object], Run, Inputs]:
    """Take a month's rows into a run."""
    clock, processor = [time.perf_counter()], time.process_time()
    update = prepared(run, inputs, rows, month)
    clock.append(time.perf_counter())
    why = obstacle(update)
    line: dict[str, object] = {
        "month": month,
        "rows": len(update.inputs.design.rows),
        "new_rows": len(update.added.fresh),
        "pareto_k": np.nan,
        "effective_draws": np.nan,
        "fewest_ess": -1,
        "fit_seconds": -1,
    }
    in_batches = False
    if why is None:
        weighing = weigh(update)
        clock.append(time.perf_counter())
        line |= {"pareto_k": weighing.weights.k, "effective_draws": weighing.effective}
        why = weighing.failure
    if why is None:
        made = update_draws(update, weighing)
        clock.append(time.perf_counter())
        processor = time.process_time() - processor
        line["fewest_ess"] = round(made.verdict.min_ess_bulk)
        in_batches = made.verdict.pareto_k is None
        why = None if made.verdict.believable else made.verdict.sentences[0]
    how = WAYS[in_batches]
    if why is not None:
        clock += [np.nan] * (4 - len(clock))
        processor = np.nan
        how, began = "fast", time.perf_counter()
        made = fit_fast_again(update, lambda sentences: None, lambda said: None)
        if not made.verdict.believable:
            how, why = "fit", f"{why}; fast: {made.verdict.sentences[0]}"
            made = fit_again(update, Course(), lambda sentences: None)
        line["fit_seconds"] = round(time.perf_counter() - began)
    line |= dict(zip(PARTS, np.round(np.diff(clock), 2).tolist(), strict=True))
    # Other work on the machine disturbs the processor's time less.
    line |= {"seconds": round(clock[3] - clock[1], 2), "processor_seconds": round(processor, 2)}
    line |= {"how": how, "why": why or ""}
    return line, made, update.inputs


def difference(one: xr.DataTree, two: xr.DataTree) -> dict[str, object]:
    """Return how far the factors of two runs are from each other, in the second's errors."""
    shifts, ratios = [], []
    for name in COMPARED:
        a, b = (np.asarray(np.log(run["posterior"][name])) for run in (one, two))
        a, b = (values.reshape(-1, values.shape[-1]) for values in (a, b))
        varies = b.std(0) > 0
        shifts += [((a.mean(0) - b.mean(0)) / np.where(varies, b.std(0), 1))[varies]]
        ratios += [(a.std(0) / np.where(varies, b.std(0), 1))[varies]]
    shift, ratio = np.concatenate(shifts), np.concatenate(ratios)
    return {
        "largest_shift": round(float(np.max(np.abs(shift))), 3),
        "rms_shift": round(float(np.sqrt(np.mean(shift**2))), 3),
        "error_ratios": f"{ratio.min():.3f} to {ratio.max():.3f}",
    }


if __name__ == "__main__":
    main()
