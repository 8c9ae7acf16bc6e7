"""Whether the covariance that is delivered is the one of the errors that are made.

    python benchmarks/covariance.py [--programs 50] [--truths perturbed prior]
                                    [--out reports/validation/covariance]

SIMULATED whole programs, one chain each: the errors of ln C in 14 bands at three dates
against the delivered covariance. Their Mahalanobis distances must follow the chi-square of
42 degrees; with the covariance's off-diagonal terms set to zero they must not. Truths are
``perturbed``, as `mirical simulate` makes them with all disturbances, or drawn from the card's
``prior``, on the same rows: only then must a right posterior be right on average. Every
program done is kept in ``TRUTH.jsonl``, and the same command goes on from there.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import threading
from pathlib import Path
from typing import Any

from mirical.inference import runtime
from mirical.instruments.miri import miri

FIRST_SEED = 3001
"""Of programs that nothing else was looked at in."""
DATES = (59760.0, 60200.0, 61500.0)
DRAWS = 1500
LEAST_P = 0.01


def main() -> None:
    """Run what is missing, write the tables and print them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--programs", type=int, default=50)
    parser.add_argument("--truths", nargs="+", choices=tuple(MAKERS), default=list(MAKERS))
    parser.add_argument("--out", type=Path, default=Path("reports/validation/covariance"))
    options = parser.parse_args()
    runtime.configure()
    options.out.mkdir(parents=True, exist_ok=True)
    records = {}
    for truth in options.truths:
        kept = options.out / f"{truth}.jsonl"
        run_missing(kept, truth, options.programs)
        records[truth] = [json.loads(line) for line in kept.read_text().splitlines()]
    summarise(records, options.out)


def run_missing(kept: Path, truth: str, number: int) -> None:
    """Fit the programs that are not kept yet."""
    import jax
    import numpy as np

    from mirical.inference.refits import Refits
    from mirical.jobs.sampler import Sampler
    from mirical.laws.timelaw import log_relative_factor
    from mirical.simulation.simulated_program import simulate_program
    from mirical.validation.injected_faults import resolved_program

    lines = kept.read_text().splitlines() if kept.is_file() else []
    done = {json.loads(line)["program"] for line in lines}
    first = resolved_program(simulate_program(1, "perturbed"), "hierarchical")
    bands = first.design.bands
    points = [(i, mjd) for i in range(len(bands)) for mjd in DATES]
    band, mjd = np.array([i for i, _ in points]), np.array([at for _, at in points])

    def log_factors(sites: dict[str, Any], design: Any) -> Any:
        of = {"loss": sites["loss"], "tau": sites["tau"]}
        relative = log_relative_factor("additive", mjd - miri().t0, of, band)
        return jax.numpy.log(sites["A"])[band] + relative

    sampler = Sampler(chains=1, warmup=200, draws=DRAWS)
    refits = Refits(first.design, first.card, sampler, log_factors)
    made = itertools.islice(MAKERS[truth](first, log_factors, bands, band, mjd), number)
    missing = [one for one in made if one[0] not in done]
    with kept.open("a") as file:
        for which, fit in refits.fit_all(
            jax.random.key(59720),
            (design for _, design, _ in missing),
            threading.Event(),
            lambda _, fit: fit,
        ):
            seed, _, true = missing[which]
            record = {
                "program": seed,
                "problem": fit.problem,
                "ess": float(np.median(fit.ess)) if len(fit.values) else 0.0,
                "error": (fit.values.mean(axis=0) - true).tolist(),
                "covariance": np.cov(fit.values, rowvar=False).tolist(),
            }
            file.write(json.dumps(record) + "\n")
            file.flush()
            sys.stderr.write(f"{truth}: program {seed} {fit.problem}\n")


def perturbed(first: Any, log_factors: Any, bands: Any, band: Any, mjd: Any) -> Any:
    """Yield seed, design and true ln C of programs that `mirical simulate` makes."""
    import numpy as np

    from mirical.inference.refits import same_rows
    from mirical.simulation.simulated_program import simulate_program
    from mirical.validation.injected_faults import resolved_program

    names = [bands[i] for i in band]
    for seed in itertools.count(FIRST_SEED):
        program = simulate_program(seed, "perturbed")
        design = resolved_program(program, "hierarchical").design
        if same_rows(design, first.design):
            true = np.log(program.coefficients.factor(names, ["FULL"] * len(names), mjd))
            yield seed, design, true


def from_prior(first: Any, log_factors: Any, bands: Any, band: Any, mjd: Any) -> Any:
    """Yield seed, design and true ln C of the first program's rows drawn from the model."""
    import jax
    import numpy as np
    from numpyro import handlers

    from mirical.inference.sampling import without_leverage
    from mirical.model.design import with_rows
    from mirical.model.joint import joint

    for seed in itertools.count(FIRST_SEED):
        model = handlers.trace(handlers.seed(joint, jax.random.key(seed)))
        trace = model.get_trace(without_leverage(first.design), first.card, observed=False)
        sites = {name: site["value"] for name, site in trace.items() if site["type"] != "plate"}
        true = np.asarray(log_factors(sites, first.design))
        yield seed, with_rows(first.design, sites["log_factor"]), true


MAKERS = {"perturbed": perturbed, "prior": from_prior}
"""What truths can be, and what makes such programs."""


def summarise(records: dict[str, list[dict[str, Any]]], folder: Path) -> None:
    """Write and print what the programs say."""
    from astropy.table import Table
    from machine import machine

    from mirical.tables.formats import write_ecsv

    distances: list[dict[str, Any]] = []
    for truth, programs in records.items():
        distances += [{"truth": truth} | line for line in distances_of(programs)]
    table = Table(rows=distances)
    summary = [
        line
        for truth in records
        for line in against_chi_square(truth, table[table["truth"] == truth])
    ]
    for name, made in (("distances", table), ("summary", Table(rows=summary))):
        made.meta |= {"title": f"SIMULATED: errors of ln C against their covariance, {name}"}
        made.meta |= {"simulated": True, "dates_mjd": list(DATES), "first_seed": FIRST_SEED}
        made.meta |= machine("numpyro", "jax")
        write_ecsv(made, folder / f"{name}.ecsv")
    made.pprint(max_width=-1)


def distances_of(programs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the Mahalanobis distances of each sound fit, over all points and date by date."""
    import numpy as np

    lines = []
    for record in (one for one in programs if not one["problem"]):
        error, covariance = np.array(record["error"]), np.array(record["covariance"])
        n = record["ess"]
        line = {"program": record["program"], "ess": round(n)}
        parts = {f"MJD {date:.0f}": slice(k, None, len(DATES)) for k, date in enumerate(DATES)}
        for name, part in ({"all": slice(None)} | parts).items():
            e, s = error[part], covariance[part, part]
            # The inverse of a covariance of n independent draws is too large by this
            # (Hartlap 2007).
            shrink = (n - len(e) - 2) / (n - 1)
            line[name] = round(shrink * float(e @ np.linalg.solve(s, e)), 3)
        line["all, diagonal"] = round(float(np.sum(error**2 / np.diag(covariance))), 3)
        lines.append(line)
    return lines


def against_chi_square(truth: str, distances: Any) -> list[dict[str, Any]]:
    """Return a Kolmogorov-Smirnov test of each kind of distance."""
    import numpy as np
    from scipy.stats import chi2, kstest

    lines = []
    for name in distances.colnames[3:]:
        values, p = np.asarray(distances[name]), 14 * (3 if name.startswith("all") else 1)
        test = kstest(values, chi2(p).cdf)
        lines.append(
            {
                "truth": truth,
                "points": name,
                "programs": len(values),
                "degrees": p,
                "mean": round(float(values.mean()), 2),
                "mean_se": round(float(values.std(ddof=1) / np.sqrt(len(values))), 2),
                "std": round(float(values.std(ddof=1)), 2),
                "chi2_std": round(float(np.sqrt(2 * p)), 2),
                "ks_p": float(f"{test.pvalue:.2e}"),
                "follows": bool(test.pvalue > LEAST_P),
            }
        )
    return lines


if __name__ == "__main__":
    main()
