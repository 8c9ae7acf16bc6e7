"""A fetched table and, beside it, the record of where it came from, written together."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from astropy.table import Table

from mirical.conventions import SIMULATED
from mirical.errors import InputError
from mirical.instruments.instrument import Instrument
from mirical.storage.files import together, whole_file
from mirical.tables.formats import write_ecsv
from mirical.tables.photometry import Observations, load_photometry
from mirical.version import __version__


@dataclass(frozen=True)
class Kept:
    """What stands in a file now.

    Attributes
    ----------
    path : Path
        The table.
    observations : Observations
        Its rows as `mirical run` reads them.
    new : bool
        Whether it was written, or stood there already with the same bytes.
    """

    path: Path
    observations: Observations
    new: bool


def record_of(path: Path) -> Path:
    """Return where the record of a table lies: ``table5-full.source.json``."""
    return path.with_name(f"{path.name.removesuffix('.ecsv')}.source.json")


def keep(
    table: Table,
    origin: str,
    contents: Mapping[str, bytes],
    path: Path,
    instrument: Instrument,
    *,
    overwrite: bool = False,
) -> Kept:
    """Check a photometry table and write it with its record, or neither.

    The same table has the same bytes whenever it is fetched; the date stands in the record only.

    Parameters
    ----------
    table : Table
        Rows of photometry; its header says whether they are simulated.
    origin : str
        Where they come from, in words.
    contents : mapping of {str : bytes}
        What was read, by name: an answer, or files.
    path : Path
        Where to write the table.
    instrument : Instrument
        By whose card the rows are checked.
    overwrite : bool, optional
        Whether another table that stands there is replaced.

    Raises
    ------
    InputError
        If a row cannot be used, the file cannot be written, or another table stands there and is
        to stay.
    """
    title = f"{SIMULATED} photometry" if table.meta.get("simulated") else "Published photometry"
    table.meta = {"title": title, "origin": origin, **table.meta}
    with together():
        with whole_file(path, ".ecsv") as beside:
            write_ecsv(table, beside)
            observations = load_photometry(str(beside), instrument, "fetch")
            found = observations.data_hash
            new = not path.is_file() or _hash(path.read_bytes()) != found
            if new and path.is_file() and not overwrite:
                raise InputError(
                    f"{path}: exists and is another table than the one that was fetched; choose "
                    "another path, or --overwrite to replace it."
                )
        if new or not record_of(path).is_file():
            with whole_file(record_of(path)) as beside:
                text = json.dumps(_record(path, origin, contents, observations), indent=2)
                beside.write_text(text + "\n", encoding="utf-8")
    return Kept(path, observations, new)


def _record(
    path: Path, origin: str, contents: Mapping[str, bytes], observations: Observations
) -> dict[str, Any]:
    return {
        "file": path.name,
        "sha256": observations.data_hash,
        "rows": len(observations.table),
        "origin": origin,
        "simulated": observations.simulated,
        "read_from": [
            {"name": name, "sha256": _hash(content)} for name, content in contents.items()
        ],
        "fetched": datetime.now(UTC).isoformat(timespec="seconds"),
        "mirical": __version__,
    }


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
