"""Whether the pipeline applies what we export, and whether that is what we found.

    python benchmarks/pipeline.py [--dates 50] [--draws 50] [--out reports/validation/pipeline]

The SIMULATED whole program, fitted in the paper's law (converted on export) and in the
pipeline's own. Every row of the exported photom reference files is put through the
installed photom step at all dates and compared with the factor of our own code from the same
coefficients; the coefficients with the posterior mean factor; and files of single draws with
the delivered standard deviations and correlations.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from mirical.inference import runtime
from mirical.instruments.miri import miri

CARDS = ("hierarchical", "pipeline")
EPOCHS = (59760.0, 60200.0, 61500.0)
FIRST, LAST = 59720.0, 62000.0


def main() -> None:
    """Fit, export, apply, and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dates", type=int, default=50)
    parser.add_argument("--draws", type=int, default=50)
    parser.add_argument("--out", type=Path, default=Path("reports/validation/pipeline"))
    options = parser.parse_args()
    runtime.configure()
    from astropy.table import Table
    from machine import machine

    from mirical.tables.formats import write_ecsv

    options.out.mkdir(parents=True, exist_ok=True)
    lines: dict[str, list[dict[str, Any]]] = {"conversion": [], "ensemble": [], "applied": []}
    for card in CARDS:
        calibration = fitted(card, options.out / "runs" / card)
        lines["conversion"] += conversion(card, calibration)
        lines["ensemble"] += ensemble(card, calibration, options.draws)
    for card in CARDS:
        calibration = fitted(card, options.out / "runs" / card)
        lines["applied"] += applied(card, calibration, options.out, options.dates)
    for name, rows in lines.items():
        table = Table(rows=rows)
        table.meta |= {"title": f"SIMULATED: exports of the whole program, {name}"}
        table.meta |= {"simulated": True, **machine("jwst", "stdatamodels", "numpyro", "jax")}
        write_ecsv(table, options.out / f"{name}.ecsv")
        table.pprint(max_width=-1, max_lines=-1)


def fitted(card: str, folder: Path) -> Any:
    """Return the calibration of the program fitted with a card, from the folder if it is there."""
    from mirical.calibration.store import open_calibration
    from mirical.chains.running import Course
    from mirical.console.progress import ChainWatch
    from mirical.jobs.inputs import resolve_job
    from mirical.jobs.job import load_job, with_options
    from mirical.reporting.run import run_job
    from mirical.reporting.run_folder import write_run

    if not (folder / "posterior.nc").is_file():
        from rich.console import Console

        job = with_options(load_job("program"), {"model": card}, {})
        with ChainWatch(job.sampler, Console(stderr=True)) as watch:
            run = run_job(job, resolve_job(job), Course(watch))
        if not run.verdict.believable:
            raise RuntimeError(f"the fit with {card} must not be believed")
        folder.parent.mkdir(parents=True, exist_ok=True)
        write_run(run, folder)
    return open_calibration(str(folder))


def conversion(card: str, calibration: Any) -> list[dict[str, Any]]:
    """Return, for each band, the exported factor's largest difference from the mean."""
    import numpy as np

    from mirical.calibration.factors import Query
    from mirical.exports.pipeline_export import mean_rows

    rows = mean_rows(calibration).rows.as_stored()
    mjd = np.linspace(FIRST, LAST, 229)
    exported = np.array([rows.factors(at) for at in mjd])
    lines = []
    for band in calibration.bands:
        worst: tuple[float, ...] = (0.0, 0.0, 0.0)
        place = ""
        for subarray in (name for name in miri().subarrays if name in miri().readouts(band)):
            answer = calibration.at(Query.of(miri(), band, subarray, mjd))
            off = exported[:, rows.row_of(band, subarray)] - answer.mean
            at = int(np.abs(off / answer.std).argmax())
            sigma = abs(float(off[at] / answer.std[at]))
            if sigma > worst[0]:
                worst = sigma, 100 * float(off[at] / answer.mean[at]), float(mjd[at])
                place = subarray
        lines.append(
            {
                "card": card,
                "law": " x ".join(rows.tables),
                "filter": band,
                "worst_sigma": round(worst[0], 4),
                "worst_pct": round(worst[1], 4),
                "subarray": place,
                "mjd": round(worst[2], 1),
            }
        )
    return lines


def ensemble(card: str, calibration: Any, number: int) -> list[dict[str, Any]]:
    """Return how far the files of draws reproduce standard deviations and correlations.

    Differences are in their Monte-Carlo errors, so their root mean square is about one.
    """
    import numpy as np

    from mirical.calibration.factors import Query
    from mirical.exports.pipeline_export import draw_rows

    bands = calibration.bands
    files = [rows.as_stored() for rows in draw_rows(calibration, number, seed=1)]
    at_bands = [files[0].row_of(band, "FULL") for band in bands]
    lines = []
    for mjd in EPOCHS:
        values = np.array([rows.factors(mjd)[at_bands] for rows in files])
        answer = calibration.at(Query.of(miri(), bands, "FULL", mjd))
        std = values.std(axis=0, ddof=1) / answer.std
        pairs = np.triu_indices(len(bands), 1)
        delivered = answer.covariance / np.outer(answer.std, answer.std)
        ours = np.corrcoef(values, rowvar=False)[pairs]
        z_correlation = (np.arctanh(ours) - np.arctanh(delivered[pairs])) * np.sqrt(number - 3)
        z_std = np.log(std) * np.sqrt(2 * (number - 1))
        z_mean = (values.mean(axis=0) - answer.mean) / answer.std * np.sqrt(number)
        lines.append(
            {
                "card": card,
                "mjd": mjd,
                "draws": number,
                "std_ratio_least": round(float(std.min()), 3),
                "std_ratio_most": round(float(std.max()), 3),
                "z_std_rms": round(float(np.sqrt(np.mean(z_std**2))), 2),
                "z_mean_rms": round(float(np.sqrt(np.mean(z_mean**2))), 2),
                "correlations": len(ours),
                "correlation_least": round(float(delivered[pairs].min()), 3),
                "correlation_most": round(float(delivered[pairs].max()), 3),
                "z_correlation_rms": round(float(np.sqrt(np.mean(z_correlation**2))), 2),
                "z_correlation_most": round(float(np.abs(z_correlation).max()), 2),
            }
        )
    return lines


def applied(card: str, calibration: Any, folder: Path, dates: int) -> list[dict[str, Any]]:
    """Return, for each band, what the installed photom step makes of all rows at all dates."""
    import numpy as np

    from mirical.exports.photom_file import read_photom, write_photom
    from mirical.exports.pipeline_check import applied_factors
    from mirical.exports.pipeline_export import about, mean_rows

    path = folder / "runs" / f"photom-{card}.fits"
    exported = mean_rows(calibration)
    write_photom(exported.rows, about(calibration, exported), path)
    ours = read_photom(path)
    # Newer readouts and acquisition in others' masks repeat rows that are here: one date for them.
    usual = np.array(
        [
            k
            for k, (band, name) in enumerate(zip(ours.filters, ours.subarrays, strict=True))
            if name in (*miri().subarrays, "SLITLESSPRISM", miri().bands[band].mask)
        ]
    )
    # A step apart from the conversion's grid, and no multiples of what single precision holds.
    mjd = np.linspace(FIRST + 0.1234, LAST - 0.4321, dates)
    off, at_stored = np.zeros((dates, len(ours))), np.zeros((dates, len(ours)))
    applications = np.zeros(len(ours), dtype=int)
    for k, at in enumerate(mjd):
        rows = np.arange(len(ours)) if k == 0 else usual
        found = applied_factors(path, ours, rows, np.full(len(rows), at))
        off[k, rows] = found / ours.factors(at)[rows] - 1
        # The pipeline rounds the epoch to the precision of the file's t0, to 0.002 d.
        at_stored[k, rows] = found / ours.factors(float(np.float32(at)))[rows] - 1
        applications[rows] += 1
        sys.stderr.write(f"{card}: date {k + 1} of {dates}, largest {np.abs(off[k]).max():.1e}\n")
    lines = []
    for band in calibration.bands:
        mine = np.array([name == band for name in ours.filters])
        at = np.unravel_index(np.abs(off[:, mine]).argmax(), off[:, mine].shape)
        lines.append(
            {
                "card": card,
                "filter": band,
                "rows": int(mine.sum()),
                "applications": int(applications[mine].sum()),
                "worst_relative": float(f"{np.abs(off[:, mine]).max():.2e}"),
                "mjd": round(float(mjd[at[0]]), 4),
                "over_1e-6": int(np.sum(np.abs(off[:, mine]) > 1e-6)),
                "worst_at_single_precision_epoch": float(f"{np.abs(at_stored[:, mine]).max():.2e}"),
            }
        )
    return lines


if __name__ == "__main__":
    main()
