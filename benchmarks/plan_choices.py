"""Greedy plans of 10 h against random ones and the program's own monthly visits.

    python benchmarks/plan_choices.py [--run reports/program] [--draws 400]

Candidates are single bands and whole visits of every star of the run at two dates, in its usual
readouts; costs are those of the card. All is by the formula of the plan (`benchmarks/plan.py`
tests it by refits). Table ``plan_choices.ecsv``: by goal the fall of its variance and the error
that is left. The greedy set is chosen by one half of the draws, and judged, as all are, by the
other.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mirical.jobs.inputs import Inputs
    from mirical.planning.greedy import Prospect
    from mirical.planning.moments import Moments

DATES = (60900.0, 61300.0)
MONITORED, READOUT = "BD+60 1753", "SUB256"
"""The star of the program's monthly visits, in all imaging bands each time."""
MONTHS = [60650.0 + 30 * month for month in range(0, 24, 3)]
"""Every third of two years: so many as 10 h pay are spread over them."""
GOALS = (
    "F2550W at MJD 61500",
    "F770W/F1500W at MJD 61500",
    "mean of all bands at MJD 61500",
    "worst band at MJD 61500",
    "D of SUB64",
)
HOURS, INTTIME, RANDOM = 10.0, 100.0, 200


def main() -> None:
    """Measure, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, default=Path("reports/program"))
    parser.add_argument("--draws", type=int, default=400)
    parser.add_argument("--out", type=Path, default=Path("reports/benchmarks"))
    options = parser.parse_args()
    from mirical.inference import runtime

    runtime.configure()
    import numpy as np
    from astropy.table import Table
    from machine import machine

    from mirical.planning.candidates import read_candidates
    from mirical.planning.goals import Goal, parse_goal
    from mirical.planning.plan import Asked, run_moments
    from mirical.reporting.stored_inputs import open_run
    from mirical.tables.formats import write_ecsv

    began = time.monotonic()
    posterior, inputs = open_run(options.run)
    with tempfile.TemporaryDirectory() as name:
        planned = read_candidates(candidates(inputs, Path(name)), inputs)
    sys.stderr.write(f"{len(planned)} rows of {len(set(planned.units))} candidates\n")
    units = list(dict.fromkeys(planned.units))
    rows, hours = [planned.rows_of(u) for u in units], [planned.hours[u] for u in units]
    free = [i for i, unit in enumerate(units) if not unit.startswith("monthly")]
    monthly = [i for i, unit in enumerate(units) if unit.startswith("monthly")]
    count = int(HOURS / max(hours[i] for i in monthly))
    spread = [monthly[i] for i in np.linspace(0, len(monthly) - 1, count).round().astype(int)]
    lines = []
    goals = [parse_goal(text, inputs.instrument, inputs.design.bands, False) for text in GOALS]
    for kind in (goals[:4], goals[4:]):  # those of ln C together
        atoms = tuple(dict.fromkeys(atom for goal in kind for atom in goal.atoms))
        weights = [
            [weight_of(form, goal.atoms, atom) for atom in atoms]
            for goal in kind
            for form in goal.weights
        ]
        names = tuple(f"{goal.text} {name}" for goal in kind for name in goal.names)
        joint = Goal("all", names, atoms, np.array(weights))
        asked = Asked(joint, HOURS, options.draws)
        found = run_moments(posterior, inputs, planned, asked, lambda _: None)
        first = 0
        for goal in kind:
            forms = np.arange(first, first + len(goal.names))
            first += len(goal.names)
            of = tuple(prospect_of(found, forms, parity) for parity in (0, 1))
            lines.append({"goal": goal.text} | choices(of, rows, hours, (free, spread)))
            sys.stderr.write(f"{lines[-1]}\n")
    table = Table(rows=lines)
    table.meta |= {
        "title": "Falls of a goal's variance by 10 h: greedy, random, monthly visits",
        "simulated": bool(posterior.attrs["simulated"]),
        "run": options.run.name,
        "hours": HOURS,
        "monthly_visits": count,
        "draws": options.draws,
        "over_random_median": round(float(np.median(table["over_random"])), 2),
        "over_monthly_median": round(float(np.median(table["over_monthly"])), 2),
        "seconds": round(time.monotonic() - began),
        **machine(),
    }
    options.out.mkdir(parents=True, exist_ok=True)
    write_ecsv(table, options.out / "plan_choices.ecsv")


def prospect_of(found: Moments, forms: Any, parity: int) -> Prospect:
    """Return what is known of some forms by every other batch of draws."""
    import numpy as np

    from mirical.planning.greedy import Prospect
    from mirical.planning.moments import Moments

    kept = found.batch % 2 == parity
    of = slice(parity, None, 2)
    half = Moments(
        found.means[kept], found.covariances[of], found.noise[of], found.batch[kept] // 2,
        found.forms,
    )  # fmt: skip
    whole = half.prospect()
    numbers = np.concatenate([forms, np.arange(whole.forms, len(whole.covariance))])
    return Prospect(whole.covariance[np.ix_(numbers, numbers)], whole.noise, len(forms))


def choices(
    of: tuple[Prospect, Prospect],
    rows: list[Any],
    hours: list[float],
    units: tuple[list[int], list[int]],
) -> dict[str, float]:
    """Return what choices bring by the second half of the draws; the greedy one is by the first."""
    import numpy as np

    from mirical.planning.greedy import choose, path

    (first, second), (free, monthly) = of, units
    chosen = choose(first, [rows[i] for i in free], [hours[i] for i in free], HOURS)
    random = np.random.default_rng(1)
    by_chance = [
        path(second, [rows[i] for i in within(random.permutation(free), hours)])[-1]
        for _ in range(RANDOM)
    ]
    variances = {
        "greedy": path(second, [rows[free[step.unit]] for step in chosen])[-1],
        "random": float(np.mean(by_chance)),
        "best_random": float(np.min(by_chance)),
        "monthly": path(second, [rows[i] for i in monthly])[-1],
    }
    line = {"error_now_pct": 100 * np.sqrt(second.variance)}
    line["fall_claimed"] = 1 - chosen[-1].variance / first.variance
    for name, variance in variances.items():
        line[f"fall_{name}"] = 1 - variance / second.variance
        line[f"error_{name}_pct"] = 100 * np.sqrt(variance)
    line["over_random"] = line["fall_greedy"] / line["fall_random"]
    line["over_monthly"] = line["fall_greedy"] / line["fall_monthly"]
    return {name: round(float(value), 4) for name, value in line.items()}


def weight_of(form: Iterable[float], atoms: Iterable[object], atom: object) -> float:
    """Return how often a form of some atoms has one of them."""
    return sum(weight for weight, one in zip(form, atoms, strict=True) if one == atom)


def within(order: Iterable[int], hours: list[float]) -> list[int]:
    """Return those that fit the budget, taken in an order."""
    found, left = [], HOURS
    for i in order:
        if hours[i] <= left:
            found.append(int(i))
            left -= hours[i]
    return found


def candidates(inputs: Inputs, folder: Path) -> Path:
    """Write candidates: a band or all bands of a star at a date; and the monthly visits."""
    from astropy.table import Table

    design, imaging = inputs.design, set(inputs.instrument.imaging_bands)
    seen: dict[tuple[str, str], Counter[str]] = {}
    for star, band, subarray in zip(design.star, design.band, design.subarray, strict=True):
        if design.bands[band] in imaging:
            of = design.stars[star], design.bands[band]
            seen.setdefault(of, Counter())[design.subarrays[subarray]] += 1
    rows = []
    for date in DATES:
        for (star, band), readouts in seen.items():
            row = star, readouts.most_common(1)[0][0], date, band
            rows.append((*row, f"{star} {date:.0f} {band}"))
            rows.append((*row, f"{star} {date:.0f}"))
    for date in MONTHS:
        bands = [band for star, band in seen if star == MONITORED]
        rows += [(MONITORED, READOUT, date, band, f"monthly {date:.0f}") for band in bands]
    table = Table(rows=rows, names=("name", "subarray", "time", "filter", "visit"))
    table["inttime"] = INTTIME
    table.write(folder / "c.ecsv", format="ascii.ecsv")
    return folder / "c.ecsv"


if __name__ == "__main__":
    main()
