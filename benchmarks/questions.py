"""Time of each question to a stored run, from command to answer: median of five.

    python benchmarks/questions.py [--run reports/table5] [--out reports/benchmarks]

Each question is a process of its own and starts with the compiled modules of the one before it;
the first of all is not counted. Beside the wall time stands the processor's, which other work on
the machine disturbs less.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REPEATED = 5
POINT = ("--filter", "F770W", "--subarray", "SUB64", "--mjd", "60200")
QUESTIONS: dict[str, tuple[str, ...]] = {
    "factors": ("factors", "RUN", *POINT),
    "error": ("error", "RUN", *POINT),
    "error of ten fluxes": ("error", "RUN", "--at", "fluxes.ecsv"),
    "apply to ten fluxes": ("apply", "RUN", "fluxes.ecsv", "--out", "OUT/calibrated.ecsv"),
    "compare": ("compare", "RUN", "--no-audit"),
    "export to LaTeX": ("export", "RUN", "--to", "latex", "OUT/tables.tex"),
    "export to MRT": ("export", "RUN", "--to", "mrt", "OUT/table8.mrt"),
    "export the covariance": ("export", "RUN", "--to", "covariance", "OUT/covariance.fits"),
}
"""Commands; RUN is the run's folder and OUT a new folder."""

HEAD = """# %ECSV 1.0
# ---
# datatype:
# - {name: filter, datatype: string}
# - {name: subarray, datatype: string}
# - {name: mjd, unit: d, datatype: float64}
# - {name: iflux, unit: DN / s, datatype: float64}
# - {name: ifluxunc, unit: DN / s, datatype: float64}
# schema: astropy-2.0
filter subarray mjd iflux ifluxunc
"""
READOUTS = (("F560W", "FULL"), ("F770W", "SUB64"), ("F1500W", "FULL"), ("F2100W", "BRIGHTSKY"))
FLUXES = 10


def main() -> None:
    """Ask every question, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, default=Path("reports/table5"))
    parser.add_argument("--out", type=Path, default=Path("reports/benchmarks"))
    options = parser.parse_args()
    run = options.run.resolve()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "fluxes.ecsv").write_text(HEAD + "".join(map(flux, range(FLUXES))))
        seconds(QUESTIONS["factors"], run, folder)
        asked = {
            question: [seconds(command, run, folder) for _ in range(REPEATED)]
            for question, command in QUESTIONS.items()
        }

    from astropy.table import Table
    from machine import machine

    from mirical.tables.formats import write_ecsv

    table = Table({"question": list(asked)})
    for i, column in enumerate(("wall", "processor")):
        medians = [statistics.median(one[i] for one in times) for times in asked.values()]
        table[column] = [round(value, 2) for value in medians]
        table[column].unit = "s"
    megabytes = (run / "posterior.nc").stat().st_size / 1e6
    table.meta |= {
        "title": "Time of a question to a stored run, median of five",
        "run": options.run.name,
        "posterior_MB": round(megabytes),
        "load_before": round(load, 2),
        **machine("astropy", "h5py"),
    }
    table.pprint(max_lines=-1)
    options.out.mkdir(parents=True, exist_ok=True)
    write_ecsv(table, options.out / "questions.ecsv")


def flux(i: int) -> str:
    """Return a line of the table of fluxes."""
    band, subarray = READOUTS[i % len(READOUTS)]
    return f"{band} {subarray} {59800 + 40 * i}.0 1000.0 5.0\n"


def seconds(command: tuple[str, ...], run: Path, folder: Path) -> tuple[float, float]:
    """Return the wall and the processor time of one question."""
    with tempfile.TemporaryDirectory(dir=folder) as made:
        arguments = [part.replace("RUN", str(run)).replace("OUT", made) for part in command]
        before, began = processor(), time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "mirical", *arguments],
            cwd=folder,
            env=os.environ | {"PYTHONDONTWRITEBYTECODE": ""},
            capture_output=True,
            text=True,
            check=False,
        )
        spent = time.perf_counter() - began, processor() - before
    if done.returncode > 1:  # 1: of a run that is not to be believed
        sys.exit(done.stderr)
    return spent


def processor() -> float:
    """Return the processor time that all questions have taken."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
