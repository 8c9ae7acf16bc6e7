"""Wall time of a job from command to report by stage, and peak memory, first run and second.

    python benchmarks/stages.py [--job program] [--out reports/benchmarks]

Each run is a process of its own. The first finds an empty cache of compiled
functions, the second the first's.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

STAGES = {
    "mirical.jobs.inputs": ["resolve_job"],
    "mirical.reporting.run_folder": ["write_run", "write_posterior", "write_report"],
    "mirical.reporting.run": [
        "sample",
        "check_rows",
        "log_likelihood_given_others",
        "sample_prior",
        "build_posterior",
        "judge",
    ],
    "mirical.chains.sampling": ["RunningChains", "_look", "_disagree"],
}
"""Functions that are timed, where they are looked up; those of `mirical.chains` are parts of
`sample`: compilation and start, and judging."""


def main() -> None:
    """Run the job twice, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--job", default="program")
    parser.add_argument("--out", type=Path, default=Path("reports/benchmarks"))
    parser.add_argument("--timed", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.timed is not None:
        timed_run(options.job, options.timed)
        return
    from astropy.table import Table
    from machine import machine

    from mirical.tables.formats import write_ecsv

    runs = {}
    with tempfile.TemporaryDirectory() as name:
        own = {"XDG_CACHE_HOME": name, "JAX_COMPILATION_CACHE_DIR": ""}
        for run in ("first", "second"):
            record = Path(name) / f"{run}.json"
            command = [sys.executable, __file__, "--job", options.job, "--timed", str(record)]
            began = time.perf_counter()
            subprocess.run(command, env=os.environ | own, check=True)
            total = time.perf_counter() - began
            runs[run] = json.loads(record.read_text("utf-8")) | {"total": total}
    names = list(runs["first"])
    table = Table({"stage": names, **{run: [runs[run][n] for n in names] for run in runs}})
    for run in runs:
        table[run] = [round(value, 2) for value in table[run]]
    table.meta |= {
        "title": f"Wall time [s] of `mirical run {options.job}` by stage; peak_memory in GB",
        **machine(),
    }
    table.pprint(max_lines=-1)
    options.out.mkdir(parents=True, exist_ok=True)
    write_ecsv(table, options.out / "stages.ecsv")


def timed_run(job: str, record: Path) -> None:
    """Run the command in this process with the stages timed, and write what they took."""
    began = time.perf_counter()
    from mirical.inference import runtime

    runtime.configure()
    from importlib import import_module

    from mirical import cli

    spent: dict[str, float] = {}
    for module in map(import_module, STAGES):
        for name in STAGES[module.__name__]:
            setattr(module, name, timed(name.strip("_"), getattr(module, name), spent))
    spent["imports"] = time.perf_counter() - began
    with tempfile.TemporaryDirectory() as folder:
        status = cli.main(["run", job, "--out", str(Path(folder) / "run")])
    if status not in (0, None):
        sys.exit(status)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    spent["peak_memory"] = peak * (1 if sys.platform == "darwin" else 1024) / 1e9
    record.write_text(json.dumps(spent), encoding="utf-8")


def timed(name: str, function: Callable[..., Any], spent: dict[str, float]) -> Callable[..., Any]:
    """Return a function that notes how long it took."""

    @wraps(function)
    def run(*args: Any, **options: Any) -> Any:
        began = time.perf_counter()
        try:
            return function(*args, **options)
        finally:
            spent[name] = spent.get(name, 0.0) + time.perf_counter() - began

    return run


if __name__ == "__main__":
    main()
