"""Tables of predicted fluxes by star and band: shipped, a user's, and how two differ."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from astropy.table import QTable, Table

from mirical.bands import find_band
from mirical.conventions import FLUX
from mirical.errors import InputError
from mirical.observations.formats import numbers, read_columns, texts
from mirical.shipped import data_file
from mirical.stars import canonical_stars

_SAME = 1e-4  # fluxes that differ by less differ only by rounding


def shipped_fluxes() -> QTable:
    """Return the predicted fluxes that come with mirical, as `spectra.predict` makes them."""
    return QTable.read(data_file("predicted_fluxes"), format="ascii.ecsv")


def read_fluxes(path: Path) -> QTable:
    """Read a user's table of predicted fluxes.

    Returns
    -------
    QTable
        Columns name (canonical spelling, one a star), filter, model_flux [mJy]; magnitudes with
        a unit such as mag(AB) are converted.

    Raises
    ------
    InputError
        If the file cannot be read, lacks a column, has a wrong unit, an
        unknown band, a flux that is not positive or a star and band twice.
    """
    raw = read_columns(path, ("name", "filter", "model_flux"))
    fluxes = numbers(raw["model_flux"], FLUX, path.name)
    table = QTable()
    names = canonical_stars(texts(raw["name"]))
    bands = texts(raw["filter"])
    table["name"], table["filter"], table["model_flux"] = names, bands, fluxes
    seen: set[tuple[str, str]] = set()
    for i, (name, band, flux) in enumerate(zip(names, bands, fluxes, strict=True), start=1):
        if not name:
            raise InputError(f"{path.name} row {i}: column 'name' is blank; every row needs it.")
        find_band(band, f"{path.name} row {i}")
        if not 0 < flux.value < np.inf:
            raise InputError(
                f"{path.name} row {i}: column 'model_flux' is {flux:g}; expected a positive number."
            )
        if (name, band) in seen:
            raise InputError(
                f"{path.name} row {i}: star {name!r} has band {band!r} twice; keep one of the rows."
            )
        seen.add((name, band))
    return table


def with_own_stars(own: QTable, shipped: QTable) -> dict[tuple[str, str], float]:
    """Return fluxes in mJy by star and band: a user's stars as the user gives them, others shipped.

    A star in `own` is taken from there alone, so that no star mixes two predictions.
    """
    stars = set(own["name"])
    others = {key: flux for key, flux in by_star_band(shipped).items() if key[0] not in stars}
    return others | by_star_band(own)


def by_star_band(table: QTable) -> dict[tuple[str, str], float]:
    """Return the fluxes of a table in mJy by star and band."""
    keys = zip(map(str, table["name"]), map(str, table["filter"]), strict=True)
    return dict(zip(keys, table["model_flux"].to_value(FLUX).tolist(), strict=True))


def differences(new: QTable, shipped: QTable) -> Table:
    """Return both tables' fluxes side by side.

    Returns
    -------
    Table
        Columns name, filter, new, shipped [mJy], diff_pct and status:
        ``same``, ``differs``, ``new`` or ``missing``.
    """
    ours, theirs = by_star_band(new), by_star_band(shipped)
    records = []
    for key in dict.fromkeys((*theirs, *ours)):
        one, two = ours.get(key, np.nan), theirs.get(key, np.nan)
        change = one / two - 1
        status = "same" if abs(change) <= _SAME else "differs"
        status = "missing" if key not in ours else "new" if key not in theirs else status
        records.append((*key, one, two, 100 * change, status))
    names = ("name", "filter", "new", "shipped", "diff_pct", "status")
    return Table(rows=records, names=names)
