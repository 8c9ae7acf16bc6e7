"""Whether the model and its sampler deserve belief: every study, and one table of what they say.

    python benchmarks/validation.py [--out reports/validation]

SIMULATED data throughout. Hours on two cores; every replicate and program
done is kept, and the same command goes on from there. Ends with status 1 if
anything asked is not met.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from mirical.inference import runtime

STUDIES = {
    "sbc": (["sbc"], 1000, True),
    "sbc-program": (["program", "--draws", "300", "--warmup", "150"], 100, True),
    "sbc-scatter": (["sbc", "--distort", "scatter"], 120, False),
    "sbc-no-star-offset": (["sbc", "--distort", "no-star-offset"], 120, False),
}
"""Folder: options of `mirical sbc`, refits, and whether the model is the right one."""
PROGRAMS = 100
COMMAND = "import sys; from mirical.cli import main; sys.exit(main())"
COVERAGE = "C: ", "mean of", "ratios of"  # criteria of the recovery study that belong here


def main() -> None:
    """Run what is missing and write the summary."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("reports/validation"))
    options = parser.parse_args()
    recovery = Path(__file__).with_name("recovery.py")
    folder = str(options.out / "recovery")
    run([str(recovery), "--programs", str(PROGRAMS), "--out", folder])
    for name, (arguments, refits, _) in STUDIES.items():
        command = ["-c", COMMAND, "sbc", *arguments, "--replicates", str(refits)]
        run([*command, "--out", str(options.out / name), "--overwrite"])
    sys.exit(0 if summarise(options.out) else 1)


def run(command: list[str]) -> None:
    """Run a study in a process of its own; one that finds a model wrong ends with status 1."""
    done = subprocess.run([sys.executable, *command], check=False)
    if done.returncode not in (0, 1):
        sys.exit(done.returncode)


def summarise(folder: Path) -> bool:
    """Write ``summary.ecsv`` from the studies' tables, print it; return whether all was met."""
    runtime.configure()
    import numpy as np
    from astropy.table import Table

    from mirical.tables.formats import write_ecsv
    from mirical.validation.sbc import FAILED_LIMIT, FALSE_ALARM

    def read(path: Path) -> Table:
        return Table.read(path, format="ascii.ecsv")

    table = Table(
        names=("study", "what", "figure", "error", "limit", "met"),
        dtype=("U20", "U60", float, float, "U20", bool),
    )
    criteria = read(folder / "recovery" / "criteria.ecsv")
    for row in criteria:
        if row["criterion"].startswith(COVERAGE):
            table.add_row(("recovery", *(row[name] for name in criteria.colnames)))
    for name, (_, _, right) in STUDIES.items():
        ranks = read(folder / name / "sbc.ecsv")
        n, failed = ranks.meta["replicates"], len(ranks.meta["failed"])
        share = failed / n
        error = max(share * (1 - share) / n, 1 / n**2) ** 0.5
        what, limit = f"share of {n} refits that failed", f"0 to {FAILED_LIMIT:g}"
        table.add_row((name, what, share, error, limit, share <= FAILED_LIMIT))
        least = float(ranks["p_family"].min())
        limit = f"{'over' if right else 'up to'} {FALSE_ALARM:g}"
        what = f"least p times the number of quantities, {len(ranks)}"
        table.add_row((name, what, least, np.nan, limit, (least > FALSE_ALARM) == right))
    table.round({"figure": 4, "error": 4})
    table.meta |= {"title": "SIMULATED: what the studies of belief found", "simulated": True}
    write_ecsv(table, folder / "summary.ecsv")
    table.pprint(max_lines=-1, max_width=-1)
    return bool(np.all(table["met"]))


if __name__ == "__main__":
    main()
