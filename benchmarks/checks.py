"""Whether the checks of `mirical check` mean what they say.

    python benchmarks/checks.py [--sound 50] [--faulty 20] [--out reports/validation/checks]

SIMULATED programs with perturbed truths, one chain each. Sound ones: are the
predictive p-values uniform, does any star seem to have an excess? Programs
with one injected fault: does the matching check fire, and do
the others keep to their false alarms? Every program done is kept in
``programs.jsonl``, and the same command goes on from there.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import threading
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

from mirical.inference import runtime

FIRST_SEED = 2001
"""Lower ones were looked at while the checks were made."""
LONG = ("F1800W", "F2100W", "F2300C", "F2550W")


def main() -> None:
    """Run what is missing, write the tables and print them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sound", type=int, default=50)
    parser.add_argument("--faulty", type=int, default=20)
    parser.add_argument("--out", type=Path, default=Path("reports/validation/checks"))
    options = parser.parse_args()
    runtime.configure()
    from mirical.validation.injected_faults import FAULTS

    options.out.mkdir(parents=True, exist_ok=True)
    kept = options.out / "programs.jsonl"
    wanted = {fault: options.sound if fault == "none" else options.faulty for fault in FAULTS}
    run_missing(kept, wanted)
    summarise([json.loads(line) for line in kept.read_text().splitlines()], options.out)


def run_missing(kept: Path, wanted: dict[str, int]) -> None:
    """Check the programs that are not kept yet."""
    from mirical.inference.refits import MORE, SHORT
    from mirical.validation.check_study import CheckedFits
    from mirical.validation.injected_faults import faulty_program

    lines = kept.read_text().splitlines() if kept.is_file() else []
    done = {(record["fault"], record["program"]) for record in map(json.loads, lines)}
    inputs, _ = faulty_program(1, "none")
    sampler = replace(SHORT, seed=59720)
    fits = None
    for fault, number in wanted.items():
        seeds = list(itertools.islice(like(inputs.design), number))
        missing = [seed for seed in seeds if (fault, seed) not in done]
        if not missing:
            continue
        fits = fits or CheckedFits(inputs.design, inputs.card, sampler, MORE)
        programs = {seed: faulty_program(seed, fault) for seed in missing}
        designs = {seed: (made.design, values) for seed, (made, values) in programs.items()}
        with kept.open("a") as file:
            for checked in fits.run(designs, threading.Event()):
                record = {
                    "fault": fault,
                    "program": checked.program,
                    "problem": checked.problem,
                    "findings": [
                        asdict(one.finding) | {"p_median": one.p_median}
                        for one in checked.check_outcomes
                    ],
                    "excess": checked.excess,
                    "log_a": dict(zip(inputs.design.bands, checked.log_a.tolist(), strict=True)),
                    "log_a_std": dict(
                        zip(inputs.design.bands, checked.log_a_std.tolist(), strict=True)
                    ),
                }
                file.write(json.dumps(record) + "\n")
                file.flush()
                sys.stderr.write(f"{fault}: program {checked.program} {checked.problem}\n")


def like(design: object) -> Iterator[int]:
    """Yield seeds of programs that observe in the order of a design."""
    from mirical.inference.refits import same_rows
    from mirical.validation.injected_faults import faulty_program

    for seed in itertools.count(FIRST_SEED):
        if same_rows(faulty_program(seed, "none")[0].design, design):
            yield seed


def summarise(records: list[dict], folder: Path) -> None:
    """Write and print what the programs say."""
    from astropy.table import Table
    from machine import machine

    from mirical.checking.predictive_pvalues import ALARM
    from mirical.tables.formats import write_ecsv

    uniform, faults, stars = uniformity(records), power(records), excesses(records)
    for name, table in (("uniformity", uniform), ("faults", faults), ("excess", stars)):
        made = Table(rows=table)
        made.meta |= {"title": f"SIMULATED: checks of known programs, {name}", "simulated": True}
        made.meta |= {"alarm": ALARM, "first_seed": FIRST_SEED, **machine("numpyro", "jax")}
        write_ecsv(made, folder / f"{name}.ecsv")
        made.pprint(max_width=-1, max_lines=-1)


def uniformity(records: list[dict]) -> list[dict]:
    """Return, for each check, a Kolmogorov-Smirnov test of its p-values in sound programs."""
    import numpy as np
    from scipy.stats import kstest

    from mirical.checking.predictive_pvalues import ALARM, ALARM_MEDIAN

    sound = [record for record in records if record["fault"] == "none" and not record["problem"]]
    found, medians = by_check(sound), by_check(sound, "p_median")
    lines = []
    for check, p_values in found.items():
        # A p-value counted among 2001 is discrete by less than such a test can see.
        p = float(kstest(p_values, "uniform").pvalue)
        lines.append(
            {
                "check": check,
                "programs": len(p_values),
                "ks_p": round(p, 4),
                "ks_p_family": round(min(1.0, p * len(found)), 4),
                "p_below_alarm": int(np.sum(np.array(p_values) < ALARM)),
                "fired": int(np.sum(np.array(medians[check]) < ALARM_MEDIAN)),
            }
        )
    return lines


def by_check(records: list[dict], what: str = "p_value") -> dict[str, list[float]]:
    """Return the p-values (or what else is recorded) of each check."""
    found: dict[str, list[float]] = {}
    for record in records:
        for finding in record["findings"]:
            found.setdefault(finding["check"], []).append(finding[what])
    return found


def power(records: list[dict]) -> list[dict]:
    """Return how often the matching check and any other one fired on each injected fault."""
    from mirical.checking.predictive_pvalues import ALARM, ALARM_MEDIAN
    from mirical.validation.injected_faults import FAULTS

    lines = []
    for fault, (_, check) in FAULTS.items():
        of = [r for r in records if r["fault"] == fault and not r["problem"]]
        medians = by_check(of, "p_median")
        fired = {name: sum(p < ALARM_MEDIAN for p in values) for name, values in medians.items()}
        n = max((len(values) for values in medians.values()), default=0)
        others = {name: count for name, count in fired.items() if name != check}
        lines.append(
            {
                "fault": fault,
                "check": check or "-",
                "programs": n,
                "fired": fired.get(check, 0),
                "others_fired": sum(others.values()),
                "others_expected": round(ALARM * n * len(others), 1),
                "most_of_them": max(others, key=lambda name: others[name], default="-")
                if any(others.values())
                else "-",
            }
        )
    return lines


def excesses(records: list[dict]) -> list[dict]:
    """Return the probabilities of an excess, and what a disk does to ln A."""
    import numpy as np

    from mirical.simulation.errors_and_faults import DUSTY_STAR

    plain = {r["program"]: r for r in records if r["fault"] == "none"}
    lines = []
    for fault in ("none", "disk", "faint disk"):
        of = [r for r in records if r["fault"] == fault and not r["problem"]]
        if not of:
            continue
        dusty = np.array([r["excess"][DUSTY_STAR] for r in of])
        rest = [max(v for k, v in r["excess"].items() if k != DUSTY_STAR) for r in of]
        planted = fault != "none"
        highest = np.array(rest) if planted else np.maximum(rest, dusty)
        pairs = [(r, plain[r["program"]]) for r in of if r["program"] in plain]
        shifts = np.array(
            [[(r["log_a"][b] - p["log_a"][b]) / p["log_a_std"][b] for b in LONG] for r, p in pairs]
        )
        lines.append(
            {
                "fault": fault,
                "programs": len(of),
                "dusty_least": round(float(dusty.min()), 4),
                "dusty_median": round(float(np.median(dusty)), 4),
                "dusty_most": round(float(dusty.max()), 4),
                "programs_with_false_one_above_half": int(np.sum(highest > 0.5)),
                "largest_mean_shift_of_log_a_sigma": round(
                    float(np.abs(shifts.mean(axis=0)).max()), 3
                ),
                "rms_shift_of_log_a_sigma": round(float(np.sqrt((shifts**2).mean())), 3),
            }
        )
    return lines


if __name__ == "__main__":
    main()
