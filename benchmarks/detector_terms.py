"""Recovery of a step and of a slope with count rate: bias and errors over simulated programs.

    python benchmarks/detector_terms.py [--programs 20] [--out reports/validation/detector]

SIMULATED programs with perturbed truths, all faults, a 2 % step of all bands at a known date and a
slope of 5 % a decade in FND, each fitted by one chain with a card that has the term ``step``.
"""

from __future__ import annotations

import argparse
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alike import alike_programs

from mirical.inference import runtime
from mirical.instruments.miri import miri

if TYPE_CHECKING:
    from mirical.model.design import Design

WARMUP, DRAWS, MORE = 150, 300, 100
STEP, DATE, SLOPE, TYPES = 0.02, 60100.0, 0.05, 0.01
CARD = f"""
base = "hierarchical"
[term.step]
dates = [{DATE}]
[term.step.prior.step_scale]
distribution = "fixed"
value = 0.02
unit = "1"
reason = "a step of a percent or two"
[term.step.prior.step_band_scale]
distribution = "fixed"
value = 0.01
unit = "1"
reason = "bands may differ by a percent"
"""


def main() -> None:
    """Fit, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--programs", type=int, default=20)
    parser.add_argument("--first", type=int, default=8001)
    parser.add_argument("--out", type=Path, default=Path("reports/validation/detector"))
    options = parser.parse_args()
    runtime.configure()
    import jax
    import numpy as np
    from astropy.table import Table
    from machine import machine

    from mirical.inference.refits import Refits
    from mirical.jobs.sampler import Sampler
    from mirical.simulation.errors_and_faults import Errors, Faults
    from mirical.tables.formats import write_ecsv

    faults = replace(Faults(), step=STEP, step_mjd=DATE, fnd_rate_slope=SLOPE)
    effects = {"faults": faults, "errors": Errors(type_band=TYPES)}
    found = alike_programs(options.programs, options.first, CARD, **effects)
    designs = [inputs.design for _, _, inputs in found]
    design, card = designs[0], found[0][2].card
    places = [list(miri().bands).index(band) for band in design.bands]
    fnd = design.bands.index("FND")
    truth = [
        np.r_[np.full(len(design.bands), STEP), SLOPE, np.log(program.coefficients.A[places][fnd])]
        for _, program, _ in found
    ]
    labels = [f"step {b}" for b in design.bands] + ["slope FND", "ln A FND"]
    sampler = Sampler(chains=1, warmup=WARMUP, draws=DRAWS, seed=59720)
    refits = Refits(design, card, sampler, values_of(design), MORE)
    key = jax.random.key(sampler.seed)
    refits.adapt(key, design)
    lines = []
    for number, fit in refits.fit_all(key, designs, threading.Event(), lambda _, fit: fit):
        errors = fit.values.mean(axis=0) - truth[number]
        spread = fit.values.std(axis=0)
        lines += [
            (number, label, *each) for label, *each in zip(labels, errors, spread, strict=True)
        ]
        sys.stderr.write(f"program {number}: {fit.problem or 'sound'}\n")
    raw = Table(rows=lines, names=("program", "quantity", "off", "std"))
    table = Table(
        names=("quantity", "bias_sigma", "rms_z", "std_pct"), dtype=("U12", float, float, float)
    )
    for label in labels:
        mine = raw[raw["quantity"] == label]
        z = np.asarray(mine["off"] / mine["std"])
        table.add_row((label, z.mean(), np.sqrt(np.mean(z**2)), 100 * np.mean(mine["std"])))
    table.round({"bias_sigma": 2, "rms_z": 2, "std_pct": 3})
    table.meta |= {
        "title": "SIMULATED: a step of 2 % and a slope of 5 % a decade, found minus true over std",
        "simulated": True,
        "programs": options.programs,
        **machine(),
    }
    table.pprint(max_lines=-1)
    options.out.mkdir(parents=True, exist_ok=True)
    write_ecsv(table, options.out / "detector.ecsv")


def values_of(design: Design) -> Any:
    """Return the function that finds what is compared in the sites of a draw."""
    import jax.numpy as jnp

    fnd = design.bands.index("FND")

    def values(sites: dict[str, Any], _: Design) -> Any:
        rest = jnp.stack([sites["rate_slope"][fnd], jnp.log(sites["A"][fnd])])
        return jnp.concatenate([sites["step"][0], rest])

    return values


if __name__ == "__main__":
    main()
