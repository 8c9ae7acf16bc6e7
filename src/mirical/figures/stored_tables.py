"""Tables of a run's folder, each read when it is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from astropy.table import QTable

from mirical.calibration.manifest import MANIFEST, read_json, require_as_written
from mirical.errors import InputError, reading

_SUFFIX = ".ecsv"


class StoredTables(Mapping[str, QTable]):
    """The tables that a run wrote, by file name without ``.ecsv``.

    Parameters
    ----------
    folder : Path
        A run's folder, with its manifest.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        listed = read_json(folder / MANIFEST).get("sha256")
        names = map(str, listed) if isinstance(listed, dict) else ()
        self._names = [one.removesuffix(_SUFFIX) for one in names if one.endswith(_SUFFIX)]
        self._read: dict[str, QTable] = {}

    def __getitem__(self, name: str) -> QTable:
        if name not in self._names:
            raise InputError(
                f"{self._folder}: the run wrote no {name}{_SUFFIX}; run the job again."
            )
        if name not in self._read:
            path = self._folder / f"{name}{_SUFFIX}"
            require_as_written(self._folder, path.name)
            with reading(str(path), "a table", "run the job again"):
                self._read[name] = QTable.read(path, format="ascii.ecsv")
        return self._read[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, name: object) -> bool:
        return name in self._names
