"""Parquet files: those of astropy with their units, all others by way of pandas."""

from __future__ import annotations

import io

from astropy.table import Table

from mirical.errors import InputError, reading
from mirical.table_files.file_contents import MOST_BYTES, PARQUET, heeding
from mirical.table_files.in_memory import of_pandas

_OF_ASTROPY = b"table_meta_yaml"


def read_parquet(content: bytes, source: str, notes: list[str]) -> Table:
    """Return the table of a Parquet file.

    Parameters
    ----------
    content : bytes
        The file's bytes.
    source : str
        Begins messages.
    notes : list of str
        What the library warned of is added to it.

    Raises
    ------
    InputError
        If pyarrow is not installed, the file is damaged, or its columns take more than
        `MOST_BYTES`.
    """
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise InputError(
            f"{source}: is Parquet, which pyarrow reads and is not installed: "
            "pip install 'mirical[parquet]', or save the table as ECSV or CSV."
        ) from error
    with reading(source, PARQUET), heeding(source, notes):
        file = parquet.ParquetFile(io.BytesIO(content))
        groups = range(file.metadata.num_row_groups)
        size = sum(file.metadata.row_group(i).total_byte_size for i in groups)
        header = file.schema_arrow.metadata or {}
    if size > MOST_BYTES:
        raise InputError(
            f"{source}: holds more than {MOST_BYTES >> 20} MiB, the most that is read of a "
            "table; split it, or leave out columns that are not needed."
        )
    if _OF_ASTROPY in header:
        with reading(source, PARQUET), heeding(source, notes):
            return Table.read(io.BytesIO(content), format="parquet")
    with reading(source, PARQUET), heeding(source, notes):
        frame = file.read().to_pandas()
    return of_pandas(frame, source)
