"""The page of all columns: of photometry tables, and of the files that commands write."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from astropy.table import Table
from page_parts import code, table

from mirical.instruments.cards import load_instrument
from mirical.tables.column_descriptions import DESCRIPTIONS, description
from mirical.tables.columns import columns

_ASKED = {  # of the shared run, what else is written, by the command that writes it
    "factors.ecsv": "factors table5 --filter F770W --mjd 59760 --out factors.ecsv",
    "error.ecsv": "error table5 --filter F770W --mjd 59760 --out error.ecsv",
}
_NO_TEXT = {"", "None"}


def text(root: Path, work: Path) -> str:
    """Return the page, made of files that the tutorials' run and committed runs have."""
    lines = [
        "# Columns of every file",
        "",
        "Made from the code, and from files that commands wrote.",
        "",
    ]
    lines += [
        "## Photometry tables",
        "",
        "What is needed and how units are read: [Photometry tables](../tables.md).",
        "",
    ]
    lines += table(("column", "holds", "unit"), _of_photometry())
    for name, found in sorted(_files(root, work).items()):
        lines += [f"## {name}", ""]
        rows = ((code(one), says, unit) for one, (says, unit) in found.items())
        lines += table(("column", "holds", "unit"), rows)
    lines += ["## All columns by name", ""]
    lines += table(("column", "holds"), ((code(n), DESCRIPTIONS[n]) for n in sorted(DESCRIPTIONS)))
    return "\n".join(lines)


def _of_photometry() -> list[tuple[str, str, str]]:
    known = columns(load_instrument("miri", "docs"))
    return [
        (code(n), c.description, "" if c.unit is None else _unit(c.unit)) for n, c in known.items()
    ]


def _files(root: Path, work: Path) -> dict[str, dict[str, tuple[str, str]]]:
    """Return by file its columns, each with what it holds and its unit."""
    for name, command in _ASKED.items():
        if not (work / name).exists():
            order = [sys.executable, "-m", "mirical", *command.split()]
            subprocess.run(order, cwd=work, capture_output=True, check=True)
    paths = [work / name for name in _ASKED]
    for run in ("table5", "program", "wfc3"):
        for place in (work / "reports" / run, root / "reports" / run):
            if place.is_dir():
                paths += sorted(place.rglob("*.ecsv"))
    found: dict[str, dict[str, tuple[str, str]]] = {}
    for path in paths:
        of_run = next((p for p in path.parents if p.parent.name == "reports"), path.parent)
        name = path.relative_to(of_run).as_posix()
        if name.startswith(("instrument/", "published/", "holdouts", "stars-published")):
            continue  # inputs, and tables of single studies
        one = Table.read(path, format="ascii.ecsv")
        for column in one.itercols():
            says = str(column.info.description)
            unit = "" if column.unit is None else _unit(column.unit)
            before = found.setdefault(name, {}).get(column.name)
            if before is None:
                found[name][column.name] = (
                    description(column.name) if says in _NO_TEXT else says,
                    unit,
                )
    return found


def _unit(unit: object) -> str:
    return str(unit)
