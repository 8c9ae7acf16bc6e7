"""Manifest of a run's folder: its version, and checksums that tie its files together."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mirical.errors import InputError
from mirical.version import __version__

MANIFEST = "manifest.json"
VERSION = 2
"""Of a run's folder; the first had no manifest."""

TIED = ("posterior.nc", "diagnostics.json", "job.toml")
"""Files that mean nothing without each other."""

_CARRYING_NUMBERS = ("*.nc", "*.json", "*.toml", "*.ecsv")

EARLIER = (
    "no manifest.json there, as earlier miricals wrote it, so nothing tells whether draws, "
    "diagnostics and job are whole and belong together; run the job again."
)


def write_manifest(folder: Path, provenance: Mapping[Any, Any]) -> None:
    """Write the manifest of a run's folder, after all its other files.

    Parameters
    ----------
    folder : Path
        The folder.
    provenance : mapping
        What the run recorded of its rows, card, seed and software.
    """
    files = sorted({path for kind in _CARRYING_NUMBERS for path in folder.glob(kind)})
    listed = {path.name: _sha256(path) for path in files if path.name != MANIFEST}
    known = {str(key): value for key, value in provenance.items()}
    made = {"version": VERSION, "mirical": __version__} | known | {"sha256": listed}
    text = json.dumps(made, indent=2, default=str, ensure_ascii=False)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")


def check_manifest(folder: Path) -> list[str]:
    """Compare a run's folder with its manifest; return what a user should know.

    Returns
    -------
    list of str
        A sentence where a table is not as it was written.

    Raises
    ------
    InputError
        If there is no manifest, or it cannot be read or is of a newer mirical, or the draws, the
        diagnostics or the job are not those of the run.
    """
    path = folder / MANIFEST
    if not path.is_file():
        # Damage that no checksum tells may keep the library of netCDF busy without end.
        raise InputError(f"{folder}: {EARLIER}")
    found = read_json(path)
    version = found.get("version")
    if isinstance(version, int) and version > VERSION:
        raise InputError(
            f"{folder}: was written by a newer mirical ({found.get('mirical')}; its folder has "
            f"version {version}, this one reads up to {VERSION}); update mirical."
        )
    listed = found.get("sha256")
    whole = isinstance(listed, dict) and all(isinstance(listed.get(name), str) for name in TIED)
    if version != VERSION or not isinstance(listed, dict) or not whole:
        raise InputError(f"{path}: is no manifest of a run; run the job again.")
    changed = [
        name
        for name, sha256 in listed.items()
        if (folder / name).is_file() and _sha256(folder / name) != sha256
    ]
    tied = [name for name in TIED if name in changed]
    if tied:
        raise InputError(
            f"{folder}: {' and '.join(tied)} changed since the run wrote this folder (by the "
            f"checksums of {MANIFEST}): files of two runs may be mixed; run the job again."
        )
    if changed:
        return [f"not as the run wrote them: {', '.join(changed)}; answers do not use them."]
    return []


def require_as_written(folder: Path, name: str) -> None:
    """Refuse a file of a run's folder that is not as the run wrote it.

    Raises
    ------
    InputError
        If it is not there, or its checksum is not that of the manifest.
    """
    listed = read_json(folder / MANIFEST).get("sha256")
    sha256 = listed.get(name) if isinstance(listed, dict) else None
    path = folder / name
    if not path.is_file() or sha256 is None:
        raise InputError(f"{path}: the run wrote no such file; run the job again.")
    if _sha256(path) != sha256:
        raise InputError(
            f"{path}: changed since the run wrote it (by the checksums of {MANIFEST}); run the job "
            "again."
        )


def read_json(path: Path) -> dict[str, Any]:
    """Return the object a JSON file holds.

    Raises
    ------
    InputError
        If it cannot be read, or holds something else.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    # RecursionError: ten thousand brackets; ValueError: no JSON, no UTF-8, too many digits.
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: cannot be read as JSON; run the job again.") from error
    if not isinstance(found, dict):
        raise InputError(f"{path}: holds no object of JSON; run the job again.")
    return found


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}).") from error
