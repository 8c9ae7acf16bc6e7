"""Whether rival models can be told apart, and whether their stack foretells: `mirical rivals`.

    python benchmarks/laws.py [--programs 4] [--hindcasts 20] [--out reports/validation/laws]

SIMULATED programs with perturbed truths and one chain a fit. Programs of each
time law, fitted with all of them: is the true one preferred, or tied within
a standard error? Programs of the paper's law, fitted to the rows before
five dates with all laws: how many of the later rows, and of the true factors
in FULL 200 days later, lie in the stack's central 68 %? Every fit done is
kept in ``fits/``, and the same command goes on from there.
"""

from __future__ import annotations

import argparse
import sys
import threading
from pathlib import Path
from typing import Any

from mirical.inference import runtime
from mirical.instruments.miri import miri

CUTS, CHAINS, LOOKED_AT = 5, 1, 75
LATER = 200.0  # days after a cut at which the true factor is asked for
SEED = 59720


def main() -> None:
    """Run what is missing, write the tables and print them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--programs", type=int, default=4)
    parser.add_argument("--hindcasts", type=int, default=20)
    parser.add_argument("--out", type=Path, default=Path("reports/validation/laws"))
    options = parser.parse_args()
    runtime.configure()
    from astropy.table import Table, vstack
    from checks import like
    from machine import machine

    from mirical.cards.card import load_card
    from mirical.rivals.fits import TIME_LAWS
    from mirical.simulation.simulated_program import simulate_program
    from mirical.tables.formats import write_ecsv
    from mirical.validation.injected_faults import FAULT_FREE, resolved_program

    first = resolved_program(simulate_program(1, "perturbed", FAULT_FREE), "hierarchical")
    seeds = like(first.design)
    laws = [load_card(name, "laws", miri()).law for name in TIME_LAWS]
    tasks: list[tuple[str, int, bool]] = []
    for _ in range(options.programs):
        seed = next(seeds)
        tasks += [(law, seed, False) for law in laws]
    tasks += [(laws[0], next(seeds), True) for _ in range(options.hindcasts)]
    programs = {t: simulate_program(t[1], "perturbed", FAULT_FREE, law=t[0]) for t in tasks}
    designs = {
        task: resolved_program(program, "hierarchical").design for task, program in programs.items()
    }
    for name in TIME_LAWS:
        fit_missing(name, designs, options.out / "fits")
    told = preferences(designs, options.out / "fits")
    foretold = [
        coverage(task, designs, programs[task], options.out / "fits") for task in tasks if task[2]
    ]
    tables = {"preferences": told}
    if foretold:
        tables["hindcasts"] = vstack(foretold, metadata_conflicts="silent")
        tables["coverage"] = summary(tables["hindcasts"])
    for name, table in tables.items():
        table.meta |= {"title": f"SIMULATED: rival time laws of known programs, {name}"}
        table.meta |= {"simulated": True, "cuts": CUTS, **machine("numpyro", "jax")}
        write_ecsv(Table(table), options.out / f"{name}.ecsv")
        if name != "hindcasts":
            table.pprint(max_width=-1, max_lines=-1)


def dates_of(design: Any) -> Any:
    """Return the epochs at which C is asked for: LATER days after each cut."""
    from mirical.rivals.fits import cut_dates

    return miri().t0 + cut_dates(design, CUTS) + LATER


def tasks_of(name: str, designs: dict) -> dict[tuple[str, int, bool], list[Any]]:
    """Return the fits of a card to every program: all its rows, or those before each cut."""
    from mirical.cards.card import load_card
    from mirical.inference.refits import MORE, SHORT
    from mirical.many.tasks import Recipe, Task
    from mirical.rivals.fits import RivalFits, RivalPlan, cut_dates

    card, first = load_card(name, "laws", miri()), next(iter(designs.values()))
    plan = RivalPlan(dates_of(first), CUTS, SEED, CHAINS, LOOKED_AT)

    def fitting() -> Any:
        fits = RivalFits(first, card, plan)

        def fit_one(item: Any, stop: threading.Event) -> Any:
            law, seed, hindcast, place, cut = item
            design = designs[law, seed, hindcast]
            return fits.predict((place, cut), stop, design, dates_of(design))

        return fit_one

    inputs = {"study": "laws", "card": card, "design": first, "plan": plan, "later": LATER}
    recipe = Recipe(inputs | {"sampler": [SHORT, MORE]}, runtime.PACKAGES, fitting)
    asked = {
        of: cut_dates(d, CUTS).tolist() if of[2] else [None] * CHAINS for of, d in designs.items()
    }
    return {
        of: [Task(recipe, [*of, place, cut]) for place, cut in enumerate(cuts)]
        for of, cuts in asked.items()
    }


def fit_missing(name: str, designs: dict, folder: Path) -> None:
    """Fit a card to all programs it was not fitted to yet."""
    from mirical.many.result_files import ResultFolder
    from mirical.many.running import How, run_tasks

    kept = ResultFolder(folder)
    tasks = [task for of in tasks_of(name, designs).values() for task in of]
    with kept.held(collects=True):
        run_tasks(tasks, How(runtime.cores()), kept, lambda *_: sys.stderr.write("."))
    sys.stderr.write(f" {name}\n")


def load(folder: Path, designs: dict, of: tuple[str, int, bool]) -> dict[str, Any]:
    """Return what the cards predict of a program, by card: of all rows or by cut."""
    from mirical.many.result_files import ResultFolder
    from mirical.rivals.fits import TIME_LAWS, put_together

    kept = ResultFolder(folder)
    tasks = {name: tasks_of(name, designs)[of] for name in TIME_LAWS}
    return {
        name: put_together([(tuple(task.item[3:]), kept.load(task)) for task in each])
        for name, each in tasks.items()
    }


def preferences(designs: dict, folder: Path) -> Any:
    """Return, for each program, how the law it was made with stands among all."""
    from astropy.table import Table

    from mirical.cards.card import load_card
    from mirical.rivals.fits import TIME_LAWS
    from mirical.rivals.stacking import standings

    card_of = {load_card(name, "laws", miri()).law: name for name in TIME_LAWS}
    lines = []
    for task in designs:
        law, seed, hindcast = task
        if hindcast:
            continue
        stands = standings({n: found[None] for n, found in load(folder, designs, task).items()})
        true = stands.get(card_of[law])
        line = {"law": law, "program": seed, "best": next(iter(stands)), "fits": len(stands)}
        line |= (
            {"behind": round(true.behind, 2), "behind_se": round(true.behind_se, 2)} if true else {}
        )
        line |= {"tied": bool(true and true.ties)}
        line |= {
            f"behind_{name}": round(stands[name].behind, 1) if name in stands else float("nan")
            for name in TIME_LAWS
        }
        line |= {"weight": round(true.weight, 2) if true else float("nan")}
        lines.append(line)
    return Table(rows=lines)


def coverage(task: tuple[str, int, bool], designs: dict, program: Any, folder: Path) -> Any:
    """Return, for each cut date, how many later rows and true factors the stack covers."""
    import numpy as np
    from astropy.table import Table

    from mirical.rivals.fits import cut_dates
    from mirical.rivals.stacking import (
        mixture_density,
        mixture_quantiles,
        mixture_share,
        standings,
    )

    lines = []
    design = designs[task]
    dates = dates_of(design)
    truth = np.array(
        [
            program.coefficients.factor([band] * len(dates), ["FULL"] * len(dates), dates)
            for band in design.bands
        ]
    )
    known = load(folder, designs, task)
    for i, cut in enumerate(cut_dates(design, CUTS)):
        past = {name: found[float(cut)] for name, found in known.items()}
        stands = standings(past)
        stack = {name: one.weight for name, one in stands.items()}
        seen = np.array(
            [
                np.any(np.asarray(design.elapsed)[np.asarray(design.band) == b] <= cut)
                for b in range(len(design.bands))
            ]
        )
        for model, weights in {**{n: {n: 1.0} for n in stands}, "stack": stack}.items():
            share = mixture_share({n: past[n].share for n in stands}, weights)
            low, high = mixture_quantiles(
                {n: past[n].log_c[:, :, i] for n in stands}, weights, (0.16, 0.84)
            )
            true = np.log(truth[:, i])
            inside = (true > low) & (true < high)
            lines.append(
                {
                    "program": task[1],
                    "cut": i,
                    "model": model,
                    "weight": round(stands[model].weight, 3) if model in stands else 1.0,
                    "rows": len(share),
                    "rows_inside_68": int(np.sum((share > 0.16) & (share < 0.84))),
                    "log_score": round(
                        float(mixture_density({n: past[n].later for n in stands}, weights).mean()),
                        4,
                    ),
                    "factors": int(seen.sum()),
                    "factors_inside_68": int(inside[seen].sum()),
                }
            )
    return Table(rows=lines)


def summary(hindcasts: Any) -> Any:
    """Return the coverage of each model over all programs and dates, errors between programs."""
    import numpy as np
    from astropy.table import Table

    lines = []
    for model in dict.fromkeys(map(str, hindcasts["model"])):
        of = hindcasts[np.asarray(hindcasts["model"]) == model]
        line: dict[str, Any] = {"model": model, "fits": len(of)}
        for what in ("rows", "factors"):
            share = np.asarray(of[f"{what}_inside_68"]) / np.asarray(of[what])
            by_program = [
                share[np.asarray(of["program"]) == p].mean() for p in np.unique(of["program"])
            ]
            line[f"{what}_coverage"] = round(float(share.mean()), 3)
            line[f"{what}_coverage_se"] = (
                round(float(np.std(by_program, ddof=1) / np.sqrt(len(by_program))), 3)
                if len(by_program) > 1
                else float("nan")
            )
        line["log_score"] = round(float(np.mean(of["log_score"])), 4)
        lines.append(line)
    return Table(rows=lines)


if __name__ == "__main__":
    main()
