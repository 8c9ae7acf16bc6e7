"""The right tables of a file of several, known by their columns; never read in part silently."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from astropy.table import Table

from mirical.errors import InputError


def tables_with(
    tables: dict[str, Table], wanted: Sequence[str], source: str, notes: list[str]
) -> dict[str, Table]:
    """Return those of several tables that have the wanted columns, to be read as one.

    Parameters
    ----------
    tables : dict of {str : Table}
        By place in the file.
    wanted : sequence of str
        The columns.
    source : str
        Begins messages.
    notes : list of str
        What is read as one, and what is left out, is added to it.

    Raises
    ------
    InputError
        If none has them, or one nearly has.
    """
    lacks = {
        where: [name for name in wanted if name not in table.colnames]
        for where, table in tables.items()
    }
    chosen = {where: table for where, table in tables.items() if not lacks[where]}
    if not chosen:
        raise InputError(
            f"{source}: {len(tables)} tables, none with the columns {', '.join(wanted)}; give "
            "the one that is meant these columns."
        )
    for where, missing in lacks.items():
        if 0 < len(missing) < len(wanted) / 2:
            meant = next(iter(chosen))
            raise InputError(
                f"{source}{where}: one of {len(tables)} tables, and has no column {missing[0]!r}; "
                "all tables of a file are read as one: give it the column, or name the one that is "
                f"meant, such as {source}{meant}."
            )
    left_out = [f"{source}{where}" for where, missing in lacks.items() if missing]
    read = [f"{source}{where}" for where, missing in lacks.items() if not missing]
    if len(read) > 1:
        notes.append(
            f"{source}: {len(read)} tables ({', '.join(read)}) are read as one, their rows "
            "numbered through."
        )
    if left_out:
        notes.append(
            f"{', '.join(left_out)}: not read; no photometry (lacks most of the columns "
            f"{', '.join(wanted)})."
        )
    return chosen


def only_table(
    tables: Mapping[str, Table],
    needed: Sequence[str],
    source: str,
    expected: str,
    notes: list[str],
) -> Table:
    """Return the one table of a file that has the columns.

    Parameters
    ----------
    tables : mapping of {str : Table}
        By place in the file.
    needed : sequence of str
        The columns.
    source : str
        Begins messages.
    expected : str
        What was expected; ends the sentences.
    notes : list of str
        Which others were not read is added to it.

    Raises
    ------
    InputError
        If none has them, or several do.
    """
    found = [w for w, table in tables.items() if all(name in table.colnames for name in needed)]
    if len(found) > 1:
        listed = ", ".join(f"{source}{where}" for where in found)
        raise InputError(f"{source}: {len(found)} tables have these columns; name one: {listed}.")
    if not found and len(tables) > 1:
        raise InputError(f"{source}: none of its {len(tables)} tables is meant; {expected}.")
    if not found:
        (table,) = tables.values()
        missing = next(name for name in needed if name not in table.colnames)
        raise InputError(f"{source}: column {missing!r} is missing; {expected}.")
    if len(tables) > 1:
        left_out = ", ".join(f"{source}{where}" for where in tables if where != found[0])
        notes.append(f"{left_out}: not read; {source}{found[0]} has the columns.")
    return tables[found[0]]
