"""Apertures that a table states for its rows; others are refused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from astropy import units as u
from astropy.table import Table
from numpy.typing import NDArray

from mirical.errors import InputError
from mirical.tables.apertures import Aperture
from mirical.tables.formats import numbers, texts

RADII = ("r_a", "r_b1", "r_b2")
"""Columns of radii [pix], a row each: the form that FITS and stacking of tables keep."""

KEY = "apertures_pix"
"""Entry of an ECSV header: radii by band."""

Radii = tuple[float, float, float]


def stated_apertures(tables: Sequence[Table], source: str) -> dict[str, Radii]:
    """Return the radii in pixels tables say they were measured in, by band; empty if they do not.

    They stand in the columns r_a, r_b1, r_b2 or in the header's ``apertures_pix``; radii that
    stand there more than once, as tables stacked end to end have them, are those radii.

    Raises
    ------
    InputError
        If one band has two sets of radii, or an entry is no set of radii.
    """
    found: dict[str, list[Radii]] = {}
    for table in tables:
        for band, radii in (*_of_header(table, source), *_of_columns(table, source)):
            if radii not in found.setdefault(band, []):
                found[band].append(radii)
    return {band: _one(sets, f"{source}: {band}") for band, sets in found.items()}


def _of_header(table: Table, source: str) -> Iterator[tuple[str, Radii]]:
    header = {str(key).casefold(): value for key, value in table.meta.items()}.get(KEY, {})
    if not isinstance(header, Mapping):
        raise InputError(f"{source}: {KEY} of the header is {header!r}; expected radii by band.")
    for band, radii in header.items():
        for each in _triples(radii, f"{source}: {KEY} of {band} in the header"):
            yield str(band), each


def _of_columns(table: Table, source: str) -> Iterator[tuple[str, Radii]]:
    if all(name in table.colnames for name in (*RADII, "filter")):
        columns = [numbers(table[name], u.pix, source, u.pix).value for name in RADII]
        for band, r_a, r_b1, r_b2 in zip(texts(table["filter"]), *columns, strict=True):
            if band and np.all(np.isfinite((r_a, r_b1, r_b2))):
                yield band, (r_a, r_b1, r_b2)


def _triples(radii: Any, where: str) -> list[Radii]:
    try:
        values = [float(radius) for radius in radii]
    except (TypeError, ValueError, OverflowError) as error:  # no list, or not of numbers
        raise InputError(f"{where} is {radii!r}; expected r_a, r_b1, r_b2 in pixels.") from error
    if not values or len(values) % 3:
        raise InputError(f"{where} has {len(values)} numbers; expected r_a, r_b1, r_b2 in pixels.")
    return [(values[i], values[i + 1], values[i + 2]) for i in range(0, len(values), 3)]


def _one(sets: Sequence[Radii], where: str) -> Radii:
    for radii in sets[1:]:
        if not np.allclose(radii, sets[0], rtol=1e-6, atol=0):
            one, two = (_listed(each) for each in (sets[0], radii))
            raise InputError(
                f"{where} was measured with r_a, r_b1, r_b2 = {one} pixels in some rows and with "
                f"{two} in others: two reductions in one table; fit them apart, or measure all "
                "images with the same apertures."
            )
    return sets[0]


def refuse_other_apertures(
    source: str,
    measured_in: Mapping[str, Sequence[float]],
    apertures: Mapping[str, Aperture],
) -> None:
    """Refuse to correct for an aperture the flux was not measured in: silently wrong.

    Parameters
    ----------
    source : str
        Begins the sentence.
    measured_in : mapping of {str : sequence of float}
        Radii r_a, r_b1, r_b2 in pixels by band, where they are known.
    apertures : mapping of {str : Aperture}
        What would be corrected for, by band.

    Raises
    ------
    InputError
        If the two differ in a band.
    """
    for band, radii in measured_in.items():
        ours = apertures[band].radii if band in apertures else ()
        if len(radii) != len(ours) or not np.allclose(radii, ours, rtol=1e-6, atol=0):
            got, expected = _listed(radii), _listed(ours)
            raise InputError(
                f"{source}: {band} was measured with r_a, r_b1, r_b2 = {got} pixels, "
                f"but the correction would be for {expected}; give the table of apertures it was "
                "measured with (--apertures)."
            )


def _listed(radii: Sequence[float] | NDArray[np.float64]) -> str:
    return ", ".join(f"{radius:.4g}" for radius in radii)
