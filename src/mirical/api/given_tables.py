"""Tables that are given in memory, as files that readers of tables take."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mirical.errors import InputError

NAME = "table"
"""How messages call a table in memory."""


@contextmanager
def as_file(table: Any, where: str) -> Iterator[Path]:
    """Give the path of a table: its own, or that of a file it is written to meanwhile.

    Parameters
    ----------
    table : str, Path, astropy Table or pandas DataFrame
        The table.
    where : str
        Begins the sentence.

    Raises
    ------
    InputError
        If it is no table.
    """
    if isinstance(table, str | Path):
        yield Path(table)
        return
    content = bytes_of(table, where)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"{NAME}.ecsv")
        path.write_bytes(content)
        yield path


def bytes_of(table: Any, where: str) -> bytes:
    """Return a table in memory as an ECSV file.

    Raises
    ------
    InputError
        If it is no table.
    """
    from astropy.table import Table

    if type(table).__module__.startswith("pandas."):  # which need not be there
        table = Table.from_pandas(table)
    if not isinstance(table, Table):
        raise InputError(
            f"{where}: the table is a {type(table).__name__}; expected a path, or a table of "
            "astropy or pandas."
        )
    text = io.StringIO()
    table.write(text, format="ascii.ecsv")
    return text.getvalue().encode()
