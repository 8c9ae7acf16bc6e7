"""Steps at unknown dates: how often `mirical check` fires, and whether it names the month.

    python benchmarks/step_dates.py [--programs 20] [--out reports/validation/detector]

SIMULATED programs with perturbed truths and all faults, each once with a 2 % step of all bands at a
random date (an eighth of the visits or more on either side) and once without, fitted by one short
chain of the default card. Of the checks only the one for a step is asked.
"""

from __future__ import annotations

import argparse
import sys
import threading
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alike import alike_programs

from mirical.inference import runtime

if TYPE_CHECKING:
    from mirical.inference.gaussian import Gaussians

STEP, TYPES, FIRST = 0.02, 0.01, 9001
SPAN = 59772.0, 60500.0
"""MJD between which steps are planted: an eighth of the visits is before and after."""
ASKED = 25


def main() -> None:
    """Fit, ask, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--programs", type=int, default=20)
    parser.add_argument("--out", type=Path, default=Path("reports/validation/detector"))
    options = parser.parse_args()
    runtime.configure()
    import jax
    from astropy.table import Table
    from machine import machine

    from mirical.inference.gaussian import Gaussians
    from mirical.inference.gaussian_draws import Packing
    from mirical.inference.refits import MORE, SHORT, Refits
    from mirical.simulation.errors_and_faults import Errors
    from mirical.tables.formats import write_ecsv

    found = [
        (step, seed, inputs)
        for step in (STEP, 0.0)
        for seed, _, inputs in alike_programs(
            options.programs,
            FIRST,
            faults=lambda seed, step=step: faults_of(seed, step),
            errors=Errors(type_band=TYPES),
        )
    ]
    design, card = found[0][2].design, found[0][2].card
    packing = Packing(design, card)
    sampler = replace(SHORT, seed=59720)
    refits = Refits(design, card, sampler, packing.values, MORE, packing.judged)
    key = jax.random.key(sampler.seed)
    refits.adapt(key, design)
    lines = []
    designs = (inputs.design for _, _, inputs in found)
    for number, fit in refits.fit_all(key, designs, threading.Event(), lambda _, fit: fit):
        step, seed, inputs = found[number]
        rows = Gaussians(packing.sites(fit.values), inputs.design, card, sampler.seed)
        lines.append({"program": seed, **asked(seed, step, rows), "problem": fit.problem})
        sys.stderr.write(f"{lines[-1]}\n")
    lines.sort(key=lambda line: (-line["step_pct"], line["program"]))
    table = Table(rows=lines)
    told = table[table["step_pct"] > 0]
    table.meta |= {
        "title": "SIMULATED: steps of all bands at unknown dates, as the check names them",
        "simulated": True,
        "fired": f"{int(told['fires'].sum())} of {len(told)}",
        "right_month": f"{int((told['fires'] & (told['months_off'] == 0)).sum())} of {len(told)}",
        "within_a_month": f"{int((told['fires'] & (told['months_off'] <= 1)).sum())} of "
        f"{len(told)}",
        "inside_90_pct": f"{int(told['inside'].sum())} of {len(told)}",
        "false_alarms": f"{int(table['fires'].sum() - told['fires'].sum())} of "
        f"{len(table) - len(told)}",
        **machine(),
    }
    table.pprint(max_lines=-1, max_width=-1)
    sys.stdout.write("".join(f"{name}: {told}\n" for name, told in table.meta.items()))
    options.out.mkdir(parents=True, exist_ok=True)
    write_ecsv(table, options.out / "step_dates.ecsv")


def faults_of(seed: int, step: float) -> Any:
    """Return all faults of a program, with a step at its date."""
    from mirical.simulation.errors_and_faults import Faults

    return replace(Faults(), step=step, step_mjd=date_of(seed))


def date_of(seed: int) -> float:
    """Return the MJD of a program's step."""
    from mirical.randomness import generator

    return float(generator(seed, "step date").uniform(*SPAN))


def asked(seed: int, step: float, rows: Gaussians) -> dict[str, Any]:
    """Return what the check says of a step, and how far that is from the truth."""
    import numpy as np

    from mirical.checking.predictive_pvalues import ALARM_MEDIAN, REPLICATES, step_finding
    from mirical.checking.step_scan import named_step, step_dates, step_scores, step_table
    from mirical.randomness import generator

    dates, p_values, said = step_dates(rows.design), [], []
    for draw in np.linspace(0, len(rows) - 1, ASKED).astype(int):
        at_draw = rows[draw]
        random = generator(seed, f"replicates {draw}")
        noise = random.standard_normal((len(at_draw.residual), REPLICATES))
        both = np.concatenate([at_draw.whiten(at_draw.residual[:, None]), noise], axis=1)
        p_values.append(step_finding(at_draw, both, rows.design).p_value)
        scores = step_scores(at_draw, dates)
        said.append(np.stack([scores.log_weight, scores.size, scores.size_var]))
    named, truth = named_step(step_table(np.array(said), dates)), date_of(seed)
    p_median = float(np.median(p_values))
    return {
        "step_pct": 100 * step,
        "mjd": round(truth, 1),
        "month": month(truth).strftime("%B %Y"),
        "p_median": round(p_median, 4),
        "fires": p_median < ALARM_MEDIAN,
        "named": named.month,
        "months_off": abs(months(named.month) - months(month(truth).strftime("%B %Y"))),
        "earliest": round(named.earliest, 1),
        "latest": round(named.latest, 1),
        "inside": named.earliest <= truth <= named.latest,
        "size_pct": round(named.size, 2),
        "size_unc_pct": round(named.size_unc, 2),
    }


def month(mjd: float) -> date:
    """Return the day of an MJD."""
    return date(1858, 11, 17) + timedelta(days=int(mjd))


def months(name: str) -> int:
    """Return the months before the one of this name."""
    from datetime import datetime

    day = datetime.strptime(name, "%B %Y")  # noqa: DTZ007 (a month has no time zone)
    return 12 * day.year + day.month


if __name__ == "__main__":
    main()
