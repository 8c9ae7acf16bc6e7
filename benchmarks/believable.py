"""Whether runs of fresh simulated programs end believable with no option given, and how soon.

    python benchmarks/believable.py [--programs 50] [--first 7001] [--out DIR]

SIMULATED programs with perturbed truths and all faults, each fitted by the command `mirical run`.
The table is written after every run, and the same command goes on where it stands.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any


def main() -> None:
    """Run, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--programs", type=int, default=50)
    parser.add_argument("--first", type=int, default=7001)
    parser.add_argument("--out", type=Path, default=Path("reports/validation/believable"))
    options = parser.parse_args()
    path = options.out / "runs.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    text = path.read_text("utf-8") if path.exists() else ""
    done = [json.loads(line) for line in text.splitlines()]
    for seed in range(options.first, options.first + options.programs):
        if any(one["program"] == seed for one in done):
            continue
        done.append(run(seed))
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(done[-1]) + "\n")
        sys.stderr.write(f"program {seed}: {done[-1]}\n")
    write(done, options.out)


def run(seed: int) -> dict[str, Any]:
    """Fit one simulated program and return how that ended."""
    from mirical.simulation.simulated_program import simulate_program, write_program

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_program(simulate_program(seed, "perturbed"), folder)
        command = [sys.executable, "-m", "mirical", "run", "program"]
        command += ["--photometry", str(folder / "photometry.ecsv"), "--out", str(folder / "run")]
        began = time.perf_counter()
        ended = subprocess.run(command, check=False, capture_output=True)
        seconds = time.perf_counter() - began
        verdict = json.loads((folder / "run" / "diagnostics.json").read_text("utf-8"))
    return {
        "program": seed,
        "exit_status": ended.returncode,
        "seconds": round(seconds, 1),
        "draws": verdict["chains"] * verdict["draws"],
        "rhat": round(verdict["worst_rhat"], 4),
        "bulk": round(verdict["min_ess_bulk"]),
        "bulk_of": verdict["min_ess_bulk_of"],
        "tail": round(verdict["min_ess_tail"]),
        "divergences": verdict["divergences"],
        "sentences": " ".join(verdict["sentences"]),
    }


def write(done: list[dict[str, Any]], out: Path) -> None:
    """Write all runs as a table, how many are believable in its header."""
    import numpy as np
    from astropy.table import Table
    from machine import machine

    from mirical.tables.formats import write_ecsv

    table = Table(rows=done)
    table.meta |= {
        "title": "Runs of simulated programs with no option given",
        "simulated": True,
        "believable": int(np.sum(table["exit_status"] == 0)),
        "programs": len(table),
        "median_s": float(np.median(table["seconds"])),
        "worst_s": float(np.max(table["seconds"])),
        **machine(),
    }
    write_ecsv(table, out / "believable.ecsv")
    sys.stderr.write(f"{table.meta['believable']} of {len(table)} believable\n")


if __name__ == "__main__":
    main()
