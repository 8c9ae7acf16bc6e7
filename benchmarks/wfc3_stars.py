"""Magnitudes of the WFC3 stars under a run's calibration against the published ones.

    python benchmarks/wfc3_stars.py RUN PUBLISHED_STARS.ecsv --out FOLDER

RUN is a run of the job wfc3, PUBLISHED_STARS the authors' own AB magnitudes (columns name, FILTER
and dFILTER), which are read and not copied: the table written holds differences alone. A shift
common to all stars of a band, that of the zero points, is taken off first.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

import numpy as np
from astropy import units as u
from astropy.table import QTable, Table

from mirical.calibration.star_fluxes import FREE, star_fluxes
from mirical.calibration.store import open_calibration, run_folder
from mirical.tables.formats import write_ecsv

BRIGHT = 19.0
"""AB magnitude of the stars that the rms is of."""
J2000 = {
    "WD-0408-066": "sdssj041053",
    "WD-0554-165": "wd0554",
    "WD-1204+023": "sdssj120650",
    "WD-1312-029": "sdssj131445",
    "WD-1635+008": "sdssj163800",
    "WD-2034-053": "sdssj203722",
    "WD-2327-000": "sdssj232941",
}
"""Published names of stars that the photometry calls after their place in 1950."""
FAR = 3.0
"""Differences in sigma, of both errors combined, beyond which a star is listed."""


def main() -> None:
    """Compare, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run")
    parser.add_argument("published", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    calibration = open_calibration(str(run_folder(options.run)))
    table = differences(star_fluxes(calibration).table(), Table.read(options.published))
    options.out.mkdir(parents=True, exist_ok=True)
    write_ecsv(table, options.out / "stars-published.ecsv")
    report(table)


def differences(ours: QTable, published: Table) -> QTable:
    """Return the free stars' magnitudes less the published ones, shift of the band taken off."""
    keys = [str(name) for name in published["name"]]
    lines = []
    for row in ours[np.array(ours["prior"]) == FREE]:
        name = _bare(J2000.get(str(row["name"]), row["name"]))
        found = [i for i, key in enumerate(keys) if name.startswith(_bare(key))]
        if len(found) != 1:
            raise SystemExit(f"{row['name']}: {len(found)} published stars have such a name")
        theirs, error = (float(published[found[0]][f"{d}{row['filter']}"]) for d in ("", "d"))
        mag, mine = (row[f"mag_ab{end}"].value for end in ("", "_relative_std"))
        lines.append((str(row["name"]), str(row["filter"]), mag, mag - theirs, mine, error))
    names = ("name", "filter", "mag_ab", "difference", "std", "published_std")
    table = QTable(rows=lines, names=names)
    bright = table["mag_ab"] < BRIGHT
    table["shift"] = 0.0
    for band in dict.fromkeys(table["filter"]):
        here = table["filter"] == band
        shift = np.median(table["difference"][here & bright])
        table["shift"][here] = shift
        table["difference"][here] -= shift
    table["sigma"] = table["difference"] / np.hypot(table["std"], table["published_std"])
    for name in ("mag_ab", "difference", "std", "published_std", "shift"):
        table[name] = table[name] * u.mag
    table["difference"].info.description = "Ours minus published, less the shift of the band"
    table["shift"].info.description = f"Median of ours minus published, below magnitude {BRIGHT}"
    table["std"].info.description = "Our error without that of the flux scale"
    table["sigma"].info.description = "Difference over both errors combined"
    table.meta["title"] = "Magnitudes of stars against the published ones"
    return table


def report(table: QTable) -> None:
    """Print the rms, the errors and the stars that differ."""
    bright = table["mag_ab"].value < BRIGHT
    for band in dict.fromkeys(table["filter"]):
        here = (table["filter"] == band) & bright
        ours, theirs = (1000 * np.median(table[n].value[here]) for n in ("std", "published_std"))
        tell(
            f"{band}: {here.sum()} stars, {_sizes(table[here])}, median errors ours {ours:.1f}, "
            f"published {theirs:.1f}, shift {1000 * table['shift'].value[here][0]:+.1f} mmag"
        )
    tell(f"all: {bright.sum()} stars and bands, {_sizes(table[bright])}")
    for row in table[np.abs(table["sigma"]) > FAR]:
        off = 1000 * row["difference"].value
        tell(f"{row['name']} {row['filter']}: {off:+.1f} mmag, {row['sigma']:+.1f} sigma")


def tell(sentence: str) -> None:
    """Print a line."""
    sys.stdout.write(f"{sentence}\n")


def _sizes(table: QTable) -> str:
    off = 1000 * table["difference"].value
    return f"rms {np.sqrt(np.mean(off**2)):.2f} mmag, largest {np.abs(off).max():.1f}"


def _bare(name: object) -> str:
    return re.sub(r"[\W_]", "", str(name)).casefold()


if __name__ == "__main__":
    main()
