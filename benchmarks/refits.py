"""Time of many refits of one design: posterior draws of the quantities of simulated programs.

    python benchmarks/refits.py [--programs 100] [--out reports/benchmarks]

SIMULATED programs with perturbed truths; a pilot fit gives all chains step
size and metric. Prints the time a refit takes, and what 1000 would at this rate.
"""

from __future__ import annotations

import argparse
import sys
import threading
import time
from pathlib import Path

from alike import alike_programs

from mirical.inference import runtime

WARMUP, DRAWS, MORE = 150, 150, 50


def main() -> None:
    """Measure, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--programs", type=int, default=100)
    parser.add_argument("--out", type=Path, default=Path("reports/benchmarks"))
    options = parser.parse_args()
    runtime.configure()
    import jax
    import numpy as np
    from astropy.table import Table
    from machine import machine

    from mirical.inference.refits import WANTED_ESS, Refits
    from mirical.jobs.sampler import Sampler
    from mirical.tables.formats import write_ecsv
    from mirical.validation.ranked_quantities import tracked
    from mirical.validation.replicates import values_of

    known = machine()
    found = alike_programs(1 + options.programs)
    seeds, designs = zip(*((seed, one.design) for seed, _, one in found), strict=True)
    card = found[0][2].card
    pilot, seeds, designs = designs[0], seeds[1:], designs[1:]
    sampler = Sampler(chains=1, warmup=WARMUP, draws=DRAWS, seed=59720)
    began = time.monotonic()
    refits = Refits(pilot, card, sampler, values_of(pilot, card), MORE)
    compiled = time.monotonic()
    key = jax.random.key(sampler.seed)
    refits.adapt(key, pilot)
    adapted = time.monotonic()
    table = Table(
        names=("program", "draws", "ess_min", "rhat_max", "problem"),
        dtype=(int, int, float, float, "U40"),
    )
    for number, fit in refits.fit_all(key, designs, threading.Event(), lambda _, fit: fit):
        row = (seeds[number], len(fit.values), fit.ess.min(), fit.rhat.max(), fit.problem)
        table.add_row(row)
        sys.stderr.write(f"program {row[0]}: {row[1]} draws, ESS {row[2]:.0f} {row[4]}\n")
    seconds = time.monotonic() - adapted
    table.sort("program")
    table.round({"ess_min": 1, "rhat_max": 3})
    each = seconds / options.programs
    table.meta |= {
        "title": "Refits of simulated programs, one chain each",
        "simulated": True,
        "quantities": len(tracked(pilot, card)),
        "wanted_ess": WANTED_ESS,
        "compile_s": round(compiled - began, 1),
        "refits_s": round(seconds, 1),
        "each_s": round(each, 2),
        "thousand_min": round(1000 * each / 60, 1),
        "problems": int(np.sum(table["problem"] != "")),
        **known,
    }
    options.out.mkdir(parents=True, exist_ok=True)
    write_ecsv(table, options.out / "refits.ecsv")
    sys.stderr.write(
        f"{options.programs} refits in {seconds:.0f} s: "
        f"1000 would take {1000 * each / 60:.0f} min\n"
    )


if __name__ == "__main__":
    main()
