"""Whether the fast effect of leaving a star out is that of fitting without it.

    python benchmarks/influence.py [--seed 1] [--stars N] [--out reports/validation/influence]

A SIMULATED program with all its faults is fitted, and fitted again without
each star in turn. For every star and band the change of ln A by the closed form
and importance weights (`mirical check`) stands beside the change by the refit,
in posterior standard deviations. Every refit done is kept and not done again.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from mirical.inference import runtime

SEED = 59720  # of the chains


def main() -> None:
    """Refit what is missing, write the table, print the worst."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--stars", type=int)
    parser.add_argument("--out", type=Path, default=Path("reports/validation/influence"))
    options = parser.parse_args()
    runtime.configure()
    options.out.mkdir(parents=True, exist_ok=True)
    kept = options.out / "refits.jsonl"
    lines = kept.read_text().splitlines() if kept.is_file() else []
    done = {record["without"]: record for record in map(json.loads, lines)}
    with kept.open("a") as file:

        def add(record: dict) -> None:
            done[record["without"]] = record
            file.write(json.dumps(record) + "\n")
            file.flush()
            sys.stderr.write(f"without {record['without'] or 'none'}\n")

        if "" not in done:
            add(fit(options.seed, ""))
        for star in list(done[""]["fast"])[: options.stars]:
            if star not in done:
                add(fit(options.seed, star))
    write_table(done, options.out, options.seed)


def fit(seed: int, without: str) -> dict:
    """Fit the program without a star; of the whole one, the fast effects too."""
    import numpy as np

    from mirical.inference.draws import row_sites
    from mirical.inference.gaussian import Gaussians
    from mirical.inference.jobs import Job, resolve_job
    from mirical.inference.leave_out import (
        LOOKED_AT,
        SHORT,
        mean_log_a,
        without_star,
    )
    from mirical.inference.sampling import sample
    from mirical.inference.scrutiny import scrutinise, star_influence
    from mirical.inference.simulate import simulate_program, write_program

    with tempfile.TemporaryDirectory() as folder:
        write_program(simulate_program(seed, "perturbed"), Path(folder))
        job = Job("influence", str(Path(folder) / "photometry.ecsv"), "hierarchical")
        inputs = resolve_job(job)
    design, card = inputs.design, inputs.card
    if without:
        rows = without_star(inputs.factors, without)
        return {"without": without, "log_a": mean_log_a(rows, card, SEED, Unwatched())}
    chains = sample(design, card, replace(SHORT, seed=SEED), Unwatched())
    gaussians = Gaussians(row_sites(chains.sites, card), design, card, SEED)
    looked_at = np.linspace(0, len(gaussians) - 1, LOOKED_AT).astype(int)
    nothing = np.zeros((len(design.rows), 0))
    each = scrutinise(gaussians, {}, nothing, looked_at.tolist(), 1, lambda: None)
    shift, std, k = star_influence(each)
    mean = np.mean([one.log_a for one in each], axis=0)
    return {
        "without": "",
        "log_a": dict(zip(design.bands, mean, strict=True)),
        "log_a_std": dict(zip(design.bands, std, strict=True)),
        "fast": {
            star: dict(zip(design.bands, row, strict=True))
            for star, row in zip(design.stars, shift.tolist(), strict=True)
        },
        "pareto_k": dict(zip(design.stars, k.tolist(), strict=True)),
    }


class Unwatched:
    """Takes no note of the chains."""

    def advance(self, chain: int, steps: int, divergences: int) -> None:
        """Do nothing."""


def write_table(done: dict[str, dict], folder: Path, seed: int) -> None:
    """Write and print the changes of ln A side by side."""
    import numpy as np
    from astropy.table import Table
    from machine import machine

    from mirical.inference.scrutiny import K_LIMIT
    from mirical.observations.formats import write_ecsv

    whole = done[""]
    lines = []
    for star, record in done.items():
        if not star:
            continue
        for band, after in record["log_a"].items():
            std = whole["log_a_std"][band]
            fast = whole["fast"][star][band] / std
            exact = (after - whole["log_a"][band]) / std
            k = whole["pareto_k"][star]
            lines.append((star, band, round(fast, 3), round(exact, 3), round(k, 2)))
    names = ("star", "filter", "fast_sigma", "exact_sigma", "pareto_k")
    table = Table(rows=lines, names=names)
    off = np.abs(table["fast_sigma"] - table["exact_sigma"])
    sound = table["pareto_k"] < K_LIMIT
    table.meta |= {"title": "SIMULATED: effect of a star on ln A, fast and by refit"}
    table.meta |= {"simulated": True, "seed": seed, **machine("numpyro", "jax")}
    table.meta |= {
        "stars": len(done) - 1,
        "stars_with_k_below_limit": len(set(table["star"][sound])),
        "largest_difference_below_limit": round(float(off[sound].max()), 3),
        "rms_difference_below_limit": round(float(np.sqrt(np.mean(off[sound] ** 2))), 3),
        "largest_difference_of_all": round(float(off.max()), 3),
    }
    write_ecsv(table, folder / "influence.ecsv")
    table[np.argsort(-off)[:20]].pprint(max_width=-1)
    sys.stdout.write(json.dumps(table.meta, indent=1) + "\n")


if __name__ == "__main__":
    main()
