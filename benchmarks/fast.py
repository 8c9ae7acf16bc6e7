"""Fast fits against chains on whole simulated programs: means, errors, Pareto k, time.

    python benchmarks/fast.py [--programs 20] [--out reports/benchmarks]

SIMULATED programs with perturbed truths. One long chain fits each, and a fast fit of the effort of
`mirical run --fast`, which must have as many effective draws as that command asks for. Differences
of means are in errors of the chain; both hold the Monte-Carlo errors of both sides, which stand
beside them.
"""

from __future__ import annotations

import argparse
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from alike import alike_programs

from mirical.inference import runtime

if TYPE_CHECKING:
    from astropy.table import Table
    from numpy.typing import NDArray

    from mirical.inference.refits import Fit

WARMUP, DRAWS = 200, 4000
NAMES = ("program", "k", "k_limit", "ess", "problem", "s", "c_mean", "c_std", "mean", "mean_of",
         "std", "std_of", "noise")  # fmt: skip
KINDS = (int, *[float] * 3, "U40", *[float] * 4, "U40", float, "U40", float)


def main() -> None:
    """Measure, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--programs", type=int, default=20)
    parser.add_argument("--out", type=Path, default=Path("reports/benchmarks"))
    options = parser.parse_args()
    runtime.configure()
    import jax
    import numpy as np
    from astropy.table import Table
    from machine import machine

    from mirical.fast.fit import Effort
    from mirical.fast.refits import FastRefits
    from mirical.inference.refits import Refits
    from mirical.jobs.sampler import Sampler
    from mirical.tables.formats import write_ecsv
    from mirical.validation.ranked_quantities import tracked
    from mirical.validation.replicates import values_of

    found = alike_programs(1 + options.programs)
    seeds, designs = zip(*((seed, one.design) for seed, _, one in found), strict=True)
    pilot, card = designs[0], found[0][2].card
    places = tracked(pilot, card)
    of_c = np.array([group == "C_ref" for group, _, _ in places.values()])
    values = values_of(pilot, card)
    sampler = Sampler(chains=1, warmup=WARMUP, draws=DRAWS, seed=59720)
    chains = Refits(pilot, card, sampler, values, DRAWS)
    key, stop = jax.random.key(sampler.seed), threading.Event()
    chains.adapt(key, pilot)
    began = time.monotonic()
    fast = FastRefits(pilot, card, values, Effort())
    compiled = time.monotonic() - began
    table = Table(names=NAMES, dtype=KINDS)
    for seed, design in zip(seeds[1:], designs[1:], strict=True):
        one = chains.fit(jax.random.fold_in(key, seed), design, stop)
        began = time.monotonic()
        two = fast.fit(jax.random.fold_in(key, seed), design, stop)
        took = time.monotonic() - began
        assert one is not None and two is not None
        widths = [_half_width(fit.values) for fit in (one, two)]
        mean = np.abs(two.values.mean(0) - one.values.mean(0)) / widths[0]
        std = np.abs(widths[1] / widths[0] - 1)
        noise = float(np.median(np.sqrt(1 / one.ess + 1 / two.ess)))
        fewest, problem = float(np.min(two.ess)), _problem(one, two)
        worst, widest = int(np.argmax(mean)), int(np.argmax(std))
        table.add_row(
            (seed, two.k, two.limit, fewest, problem, took, mean[of_c].max(),
             std[of_c].max(), mean[worst],
             list(places)[worst], std[widest], list(places)[widest], noise)
        )  # fmt: skip
        sys.stderr.write(
            f"program {seed}: k {two.k:.2f}, C {table['c_mean'][-1]:.3f} {table['c_std'][-1]:.3f}, "
            f"all {table['mean'][-1]:.3f} {table['std'][-1]:.3f}, {took:.1f} s {problem}\n"
        )
    table.meta = {
        "title": "SIMULATED: fast fits of whole programs against chains",
        "simulated": True,
        "compile_s": round(compiled, 1),
        "columns": "c_mean, c_std: largest difference of the mean of C_ref over the bands in its "
        "error, and of its error, relative; mean, std: the same over all ranked quantities; "
        "ess: fewest effective draws of the fast fit; noise: median Monte-Carlo error of a "
        "difference of means; s: time of the fast fit",
        **machine(),
    }
    for name in ("k", "k_limit", "ess", "s", "c_mean", "c_std", "mean", "std", "noise"):
        table[name].info.format = ".3f"
    options.out.mkdir(parents=True, exist_ok=True)
    write_ecsv(table, options.out / "fast.ecsv")
    _conclude(table, compiled)


def _problem(chain: Fit, fast: Fit) -> str:
    """Return why a fit must not be trusted; empty if both may be."""
    from mirical.fast.fit import FAST_ESS

    fewest = float(fast.ess.min())
    few = f"only {fewest:.0f} effective draws" if fewest < FAST_ESS else ""
    return fast.problem or few or chain.problem


def _conclude(table: Table, compiled: float) -> None:
    import numpy as np

    sound = table[[not text for text in table["problem"]]]
    most = {name: np.max(sound[name], initial=0) for name in ("c_mean", "c_std", "mean", "std")}
    sys.stderr.write(
        f"{len(sound)} of {len(table)} fits trust themselves; compilation {compiled:.0f} s, a fit "
        f"{np.median(table['s']):.1f} s (median). Of those that do: C within {most['c_mean']:.2f} "
        f"of its error, its error within {100 * most['c_std']:.0f} %; all quantities within "
        f"{most['mean']:.2f} and {100 * most['std']:.0f} % (Monte-Carlo error of a difference "
        f"{np.median(sound['noise']):.2f}).\n"
    )


def _half_width(values: NDArray) -> NDArray:
    import numpy as np

    low, high = np.quantile(values, [0.1587, 0.8413], axis=0)
    return (high - low) / 2


if __name__ == "__main__":
    main()
