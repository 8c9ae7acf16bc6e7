"""Whether two seeds and two orders of the rows agree in every printed error and mean.

    python benchmarks/reproducibility.py [--jobs table5 program] [--seeds 59720 11]
                                         [--out reports/validation/reproducibility]

Each job is fitted with the first seed, with the second, and with the first and its rows in another
order. Every number that the tables of a run print with an error is compared with the first fit's:
the ratio of the errors, and the difference of the means in units of the error.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

COLUMNS = {
    "coefficients": ("filter", ("A", "B", "tau", "C_ref", "repeatability_pct")),
    "subarrays": ("subarray", ("D",)),
    "stars": ("name", ("offset_pct", "largest_colour_pct")),
}
"""Tables of a run, what names their rows, and what they print with an error."""


def main() -> None:
    """Fit, compare, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", nargs="+", default=["table5", "program"])
    parser.add_argument("--seeds", nargs=2, type=int, default=[59720, 11])
    parser.add_argument("--out", type=Path, default=Path("reports/validation/reproducibility"))
    options = parser.parse_args()
    from astropy.table import Table, vstack

    from mirical.tables.formats import write_ecsv

    pieces = []
    with tempfile.TemporaryDirectory() as name:
        for job in options.jobs:
            fits = _fit_all(job, options.seeds, Path(name) / job)
            for what in ("seed", "row order"):
                piece = compare(fits["first"], fits[what])
                piece.add_column([job] * len(piece), name="job", index=0)
                piece.add_column([what] * len(piece), name="changed", index=1)
                piece.add_column([_simulated(fits["first"])] * len(piece), name="simulated")
                pieces.append(piece)
                sys.stdout.write(f"{job}, another {what}: {sentence(piece)}\n")
    table: Table = vstack(pieces)
    table.meta["title"] = "Printed numbers of fits that differ in the seed or the order of the rows"
    table.meta["seeds"] = list(options.seeds)
    for name in ("error", "other_error", "ratio", "shift"):
        table[name] = [float(f"{number:.4g}") for number in table[name]]
    options.out.mkdir(parents=True, exist_ok=True)
    write_ecsv(table, options.out / "reproducibility.ecsv")
    sys.exit(0 if all(passes(piece) for piece in pieces) else 1)


def _fit_all(job: str, seeds: list[int], folder: Path) -> dict[str, Path]:
    """Return the folders of the three fits of a job."""
    import numpy as np
    from astropy.table import Table

    from mirical.jobs.job import load_job
    from mirical.storage.shipped import data_file

    folder.mkdir()
    rows = Table.read(data_file(load_job(job).photometry), format="ascii.ecsv")
    other = folder / "rows.ecsv"
    rows[np.random.default_rng(1).permutation(len(rows))].write(other, format="ascii.ecsv")
    changes = {
        "first": ["--seed", str(seeds[0])],
        "seed": ["--seed", str(seeds[1])],
        "row order": ["--seed", str(seeds[0]), "--photometry", str(other)],
    }
    for name, change in changes.items():
        command = [str(Path(sys.executable).with_name("mirical")), "run", job, *change]
        done = subprocess.run([*command, "--out", str(folder / name)], check=False)
        if done.returncode not in (0, 1):
            sys.exit(f"{' '.join(command)}: exit status {done.returncode}")
    return {name: folder / name for name in changes}


def _simulated(folder: Path) -> bool:
    from astropy.table import Table

    return bool(Table.read(folder / "coefficients.ecsv").meta["simulated"])


def compare(one: Path, two: Path):
    """Return every number printed with an error in the folders of two fits, side by side.

    Returns
    -------
    Table
        Columns table, of, quantity, error, other_error, ratio of the errors, and shift, the
        difference of the means over the first's error.
    """
    import numpy as np
    from astropy.table import Table

    records = []
    for name, (key, quantities) in COLUMNS.items():
        first, second = (Table.read(folder / f"{name}.ecsv") for folder in (one, two))
        place = {str(row[key]): row for row in second}
        for row in first:
            other = place[str(row[key])]
            for quantity in quantities:
                numbers = [each[q] for each in (row, other) for q in (quantity, f"{quantity}_std")]
                if any(np.ma.is_masked(number) for number in numbers):
                    continue
                if (
                    quantity.startswith("largest")
                    and row["largest_colour_band"] != other["largest_colour_band"]
                ):
                    continue  # the largest colours of the two fits are of different bands
                mean, error, other_mean, other_error = map(float, numbers)
                if error == 0:
                    continue
                shift = (other_mean - mean) / error
                records.append(
                    (name, str(row[key]), quantity, error, other_error, other_error / error, shift)
                )
    names = ("table", "of", "quantity", "error", "other_error", "ratio", "shift")
    return Table(rows=records, names=names)


def passes(piece) -> bool:
    """Whether every error agrees within 5 % and every mean within 0.1 of its error."""
    return bool(max(abs(piece["ratio"] - 1)) <= 0.05 and max(abs(piece["shift"])) <= 0.1)


def sentence(piece) -> str:
    """Return the largest differences, and how many are beyond what is asked."""
    import numpy as np

    ratio, shift = np.abs(piece["ratio"] - 1), np.abs(piece["shift"])
    worst, farthest = piece[int(np.argmax(ratio))], piece[int(np.argmax(shift))]
    return (
        f"{len(piece)} numbers: errors differ by {100 * ratio.max():.1f} % at most "
        f"({worst['quantity']} of {worst['of']}), {int(np.sum(ratio > 0.05))} by more than 5 %; "
        f"means by {shift.max():.3f} sigma at most ({farthest['quantity']} of {farthest['of']}), "
        f"{int(np.sum(shift > 0.1))} by more than 0.1"
    )


if __name__ == "__main__":
    main()
