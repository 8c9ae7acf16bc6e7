"""Time and memory of a run of many rows: a simulated program observed again and again for years.

    python benchmarks/long_program.py [--rows 20000] [--years 12] [--out reports/benchmarks]

SIMULATED: the visits of the embedded simulated program come back at later dates, with the change
of the response between the dates and new noise in every row.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from importlib.resources import files
from pathlib import Path

SCATTER = 0.003  # of a row, beside the noise that its table states


def main() -> None:
    """Write the program, run it, print and write what it took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--years", type=float, default=12.0)
    parser.add_argument("--out", type=Path, default=Path("reports/benchmarks"))
    options = parser.parse_args()
    from astropy.table import Table
    from machine import machine

    from mirical.tables.formats import write_ecsv

    with tempfile.TemporaryDirectory() as name:
        rows, run = Path(name) / "long.ecsv", Path(name) / "run"
        write_program(options.rows, options.years, rows)
        command = [sys.executable, "-m", "mirical", "run", "program", "--photometry", str(rows)]
        began = time.perf_counter()
        ended = subprocess.run([*command, "--out", str(run)], check=False, env=os.environ)
        seconds = time.perf_counter() - began
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        peak *= 1 if sys.platform == "darwin" else 1024
        size = (run / "posterior.nc").stat().st_size
    table = Table({"rows": [options.rows], "minutes": [round(seconds / 60, 1)]})
    table["peak_gb"], table["posterior_gb"] = [round(peak / 1e9, 2)], [round(size / 1e9, 2)]
    table["exit_status"] = [ended.returncode]
    table.meta |= {"title": "A run of many rows", "simulated": True, **machine()}
    table.pprint(max_width=-1)
    options.out.mkdir(parents=True, exist_ok=True)
    write_ecsv(table, options.out / "long_program.ecsv")


def write_program(n_rows: int, years: float, path: Path) -> None:
    """Write the rows of the simulated program again and again, at later dates."""
    import numpy as np
    from astropy.table import QTable, vstack

    from mirical.calibration.factors import Query
    from mirical.calibration.published import PublishedCalibration
    from mirical.instruments.miri import miri
    from mirical.tables.formats import write_ecsv

    first = QTable.read(str(files("mirical") / "data" / "program.ecsv"))
    random = np.random.default_rng(59720)
    pieces, published = [], PublishedCalibration(miri())
    for again in range(-(-n_rows // len(first))):
        piece = first.copy()
        later = again * 365.25 * years / (n_rows / len(first))
        piece["time"] = first["time"] + later * first["time"].unit
        factors = [
            published.at(Query.of(miri(), list(first["filter"]), "FULL", time)).mean
            for time in (first["time"].value, piece["time"].value)
        ]
        noise = random.normal(0, SCATTER, len(first))
        noise += random.normal(size=len(first)) * (first["ifluxunc"] / first["iflux"]).value
        piece["iflux"] = first["iflux"] * factors[0] / factors[1] * np.exp(noise)
        piece["visit"] = [f"{visit}-{again}" for visit in first["visit"]]
        pieces.append(piece)
    rows = vstack(pieces, metadata_conflicts="silent")[:n_rows]
    rows.meta["simulated"] = True
    write_ecsv(rows, path)


if __name__ == "__main__":
    main()
