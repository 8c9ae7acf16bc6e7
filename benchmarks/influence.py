"""Whether what `mirical check` tells of leaving a star out is what fitting without it finds.

    python benchmarks/influence.py [--seed 1] [--chains 8] [--told-chains 8] [--draws 800]
                                   [--out reports/validation/influence]

A SIMULATED program with all its faults is fitted, and fitted again without
each star in turn by several chains. For every star and band the change of ln A
that a check tells (closed form and importance weights, or its own short
refit where these cannot reach) stands beside the change by those fits, in
posterior standard deviations. By default a check looks at 200 draws and refits with two
chains, which leaves noise of its own; here more of both are used, to see what else there is.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from mirical.inference import runtime

SEED, REFERENCE_SEED = 59720, 4


def main() -> None:
    """Fit, write the table, print the worst."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--chains", type=int, default=8)
    parser.add_argument("--told-chains", type=int, default=8)
    parser.add_argument("--draws", type=int, default=800)
    parser.add_argument("--out", type=Path, default=Path("reports/validation/influence"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    runtime.configure()

    import numpy as np
    from astropy.table import Table
    from machine import machine

    from mirical.chains.sampling import sample
    from mirical.checking.draw_blocks import gather_quantities
    from mirical.checking.quantities import Questions
    from mirical.checking.star_refits import StarRefits, without_stars
    from mirical.checking.tables import influence_table
    from mirical.inference.gaussian import Gaussians
    from mirical.inference.gaussian_draws import row_sites
    from mirical.jobs.sampler import Sampler
    from mirical.simulation.simulated_program import simulate_program
    from mirical.tables.formats import write_ecsv
    from mirical.validation.injected_faults import resolved_program

    inputs = resolved_program(simulate_program(options.seed, "perturbed"), "hierarchical")
    design, card = inputs.design, inputs.card
    chains = sample(design, card, Sampler(chains=4, warmup=200, draws=400))
    gaussians = Gaussians(row_sites(chains.sites, card), design, card, SEED)
    looked_at = np.linspace(0, len(gaussians) - 1, options.draws).astype(int).tolist()
    nothing = np.zeros((len(design.rows), 0))
    each = gather_quantities(gaussians, Questions({}, nothing, SEED), looked_at, lambda _: None)
    told = influence_table(each, inputs, StarRefits(SEED, options.told_chains))
    whole = np.mean([gaussians[d].log_a_posterior()[0] for d in range(len(gaussians))], axis=0)
    stars = range(len(design.stars))
    found = without_stars(
        design, card, stars, StarRefits(REFERENCE_SEED, options.chains, begin=lambda _: dot)
    )
    table = Table({name: told[name] for name in ("name", "filter", "basis", "pareto_k")})
    shift = np.asarray(told["shift"].value) / 100
    std = shift / np.asarray(told["shift_sigma"])
    table["told_sigma"] = np.round(told["shift_sigma"], 3)
    exact = np.concatenate([found[s] - whole for s in stars])
    table["refit_sigma"] = np.round(exact / std, 3)
    table = table[np.isfinite(exact)]
    table["pareto_k"] = np.round(table["pareto_k"], 2)
    off = np.abs(table["told_sigma"] - table["refit_sigma"])
    table.meta |= {"title": "SIMULATED: effect of a star on ln A, as told and by refit"}
    table.meta |= {"simulated": True, "seed": options.seed, **machine("numpyro", "jax")}
    table.meta |= {
        "chains": options.chains,
        "chains_of_the_check": options.told_chains,
        "draws": options.draws,
        "stars": len(stars),
        "stars_refitted": len(set(table["name"][np.asarray(table["basis"]) == "refit"])),
        "pairs": len(table),
        "pairs_off_by_more_than_0.1": int(np.sum(off > 0.1)),
        "rms_difference": round(float(np.sqrt(np.mean(off**2))), 3),
        "largest_difference": round(float(off.max()), 3),
    }
    write_ecsv(table, options.out / "influence.ecsv")
    table[np.argsort(-off)[:20]].pprint(max_width=-1)
    sys.stdout.write(json.dumps(table.meta, indent=1) + "\n")


def dot() -> None:
    """Say that one more fit is done."""
    sys.stderr.write(".")


if __name__ == "__main__":
    main()
