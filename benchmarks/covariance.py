"""Whether the covariance that is delivered is the one of the errors that are made.

    python benchmarks/covariance.py [--programs 50] [--out reports/validation/covariance]

SIMULATED programs with perturbed truths and all their disturbances, one chain each: the
errors of ln C in 14 bands at three dates against the delivered covariance. Their
Mahalanobis distances must follow the chi-square of 42 degrees; with the covariance's
off-diagonal terms set to zero they must not. Every program done is kept in ``programs.jsonl``,
and the same command goes on from there.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
from pathlib import Path
from typing import Any

from mirical.inference import runtime

FIRST_SEED = 3001
"""Of programs that nothing else was looked at in."""
DATES = (59760.0, 60200.0, 61500.0)
DRAWS = 1500
LEAST_P = 0.01


def main() -> None:
    """Run what is missing, write the tables and print them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--programs", type=int, default=50)
    parser.add_argument("--out", type=Path, default=Path("reports/validation/covariance"))
    options = parser.parse_args()
    runtime.configure()
    options.out.mkdir(parents=True, exist_ok=True)
    kept = options.out / "programs.jsonl"
    run_missing(kept, options.programs)
    summarise([json.loads(line) for line in kept.read_text().splitlines()], options.out)


def run_missing(kept: Path, number: int) -> None:
    """Fit the programs that are not kept yet."""
    import jax
    import numpy as np

    from mirical.conventions import T0_MJD
    from mirical.inference.jobs import Sampler
    from mirical.inference.planted import resolved_program
    from mirical.inference.refits import Refits, same_rows
    from mirical.inference.simulate import simulate_program
    from mirical.model.timelaw import log_relative_factor

    lines = kept.read_text().splitlines() if kept.is_file() else []
    done = {json.loads(line)["program"] for line in lines}
    first = resolved_program(simulate_program(1, "perturbed"), "hierarchical")
    bands = first.design.bands
    points = [(i, mjd) for i in range(len(bands)) for mjd in DATES]
    band, mjd = np.array([i for i, _ in points]), np.array([at for _, at in points])

    def log_factors(sites: dict[str, Any], design: Any) -> Any:
        of = {"loss": sites["loss"], "tau": sites["tau"]}
        relative = log_relative_factor("additive", mjd - T0_MJD, of, band)
        return jax.numpy.log(sites["A"])[band] + relative

    sampler = Sampler(chains=1, warmup=200, draws=DRAWS)
    refits = Refits(first.design, first.card, sampler, log_factors)
    seeds, programs, seed = [], {}, FIRST_SEED
    while len(seeds) < number:
        program = simulate_program(seed, "perturbed")
        inputs = resolved_program(program, "hierarchical")
        if same_rows(inputs.design, first.design):
            seeds.append(seed)
            programs[seed] = program, inputs.design
        seed += 1
    missing = [seed for seed in seeds if seed not in done]
    stop = threading.Event()
    names = [bands[i] for i in band]
    with kept.open("a") as file:
        for which, fit in refits.fit_all(
            jax.random.key(59720),
            (programs[seed][1] for seed in missing),
            stop,
            lambda _, fit: fit,
        ):
            program = programs[missing[which]][0]
            truth = np.log(program.coefficients.factor(names, ["FULL"] * len(names), mjd))
            record = {
                "program": missing[which],
                "problem": fit.problem,
                "ess": float(np.median(fit.ess)),
                "error": (fit.values.mean(axis=0) - truth).tolist(),
                "covariance": np.cov(fit.values, rowvar=False).tolist(),
            }
            file.write(json.dumps(record) + "\n")
            file.flush()
            sys.stderr.write(f"program {missing[which]} {fit.problem}\n")


def summarise(records: list[dict[str, Any]], folder: Path) -> None:
    """Write and print what the programs say."""
    import numpy as np
    from astropy.table import Table
    from machine import machine
    from scipy.stats import chi2, kstest

    from mirical.observations.formats import write_ecsv

    sound = [record for record in records if not record["problem"]]
    lines = []
    for record in sound:
        error, covariance = np.array(record["error"]), np.array(record["covariance"])
        n, p = record["ess"], len(error)
        # The inverse of a covariance of n independent draws is too large by this (Hartlap 2007).
        shrink = (n - p - 2) / (n - 1)
        lines.append(
            {
                "program": record["program"],
                "ess": round(n),
                "distance": round(shrink * float(error @ np.linalg.solve(covariance, error)), 3),
                "distance_diagonal": round(float(np.sum(error**2 / np.diag(covariance))), 3),
            }
        )
    distances = Table(rows=lines)
    summary = []
    for name in ("distance", "distance_diagonal"):
        values = np.asarray(distances[name])
        test = kstest(values, chi2(p).cdf)
        summary.append(
            {
                "covariance": "as delivered" if name == "distance" else "off-diagonal terms zero",
                "programs": len(values),
                "degrees": p,
                "mean": round(float(values.mean()), 2),
                "std": round(float(values.std(ddof=1)), 2),
                "chi2_std": round(float(np.sqrt(2 * p)), 2),
                "ks_p": float(f"{test.pvalue:.2e}"),
                "follows": bool(test.pvalue > LEAST_P),
            }
        )
    tables = {"distances": distances, "summary": Table(rows=summary)}
    for name, table in tables.items():
        table.meta |= {"title": f"SIMULATED: errors of ln C against their covariance, {name}"}
        table.meta |= {"simulated": True, "dates_mjd": list(DATES), "first_seed": FIRST_SEED}
        table.meta |= {"unsound_fits": len(records) - len(sound), **machine("numpyro", "jax")}
        write_ecsv(table, folder / f"{name}.ecsv")
    tables["summary"].pprint(max_width=-1)


if __name__ == "__main__":
    main()
