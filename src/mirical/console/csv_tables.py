"""Tables as CSV: comment lines with the provenance, units and meanings, then plain columns."""

from __future__ import annotations

import io
from pathlib import Path

from astropy.table import Table

from mirical.errors import printable
from mirical.tables.formats import write_ecsv


def write_csv(table: Table, path: Path) -> None:
    """Write a table as CSV.

    Its comment lines (``#``) say what an ECSV header would: SIMULATED where simulated rows are
    behind it, what it is and rests on, and the unit and meaning of each column.
    """
    write_ecsv(table, path)
    plain = Table.read(path, format="ascii.ecsv")
    said = ["SIMULATED DATA"] if plain.meta.get("simulated") else []
    said += [f"{key}: {value}" for key, value in plain.meta.items()]
    for name in plain.colnames:
        info = plain[name].info
        unit = "" if info.unit is None else f" [{info.unit}]"
        said.append(f"{name}{unit}: {info.description or 'not described'}")
    lines = io.StringIO()
    plain.write(lines, format="ascii.csv")
    comments = "".join(f"# {printable(one)}\n" for one in said)
    path.write_text(comments + lines.getvalue(), encoding="utf-8")
