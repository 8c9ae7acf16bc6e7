"""Apertures, annuli and their corrections: Table 4's, a user's, and those a table states."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from astropy import units as u
from astropy.table import Table
from numpy.typing import NDArray

from mirical.errors import InputError
from mirical.instruments.instrument import Instrument
from mirical.table_files.parts import find_table
from mirical.tables.formats import numbers, read_columns, texts

APERTURE_FRACTION = 0.70
ANNULUS_FRACTIONS = (0.80, 0.85)
RADII = ("r_a", "r_b1", "r_b2")
"""Columns of radii [pix], a row each: the form that FITS and stacking of tables keep."""

KEY = "apertures_pix"
"""Entry of an ECSV header: radii by band."""

PUBLISHED_APERTURES = "table4"
"""Name in a job of the apertures that the instrument's card has."""

Radii = tuple[float, float, float]


@dataclass(frozen=True)
class Aperture:
    """The aperture and background annulus of one band, as encircled-energy radii.

    Attributes
    ----------
    r_a, r_b1, r_b2 : float
        Radii enclosing 70, 80 and 85 % of the flux, pixel.
    r_a_unc, r_b1_unc, r_b2_unc : float
        Their scatter between observations, pixel.
    stated_correction_unc : float or None
        Scatter of the correction of this very aperture, where it was measured.
    whole_star : bool
        Whether count rates are of the whole star: the correction is 1.
    """

    r_a: float
    r_b1: float
    r_b2: float
    r_a_unc: float = 0.0
    r_b1_unc: float = 0.0
    r_b2_unc: float = 0.0
    stated_correction_unc: float | None = None
    whole_star: bool = field(default=False, kw_only=True)

    @property
    def radii(self) -> tuple[float, float, float]:
        """The three radii, pixel."""
        return self.r_a, self.r_b1, self.r_b2

    @property
    def annulus_term(self) -> float:
        """Source flux the annulus takes away from the aperture: S_bkg pi r_a^2 (Eq. 2)."""
        inner, outer = ANNULUS_FRACTIONS
        return (outer - inner) * self.r_a**2 / (self.r_b2**2 - self.r_b1**2)

    @property
    def correction(self) -> float:
        """Aperture correction to infinite aperture, A_cor = 1 / (0.7 - S_bkg pi r_a^2) (Eq. 1)."""
        if self.whole_star:
            return 1.0
        return 1.0 / (APERTURE_FRACTION - self.annulus_term)

    def correction_of(self, fraction: float, radius: float) -> float:
        """Return the correction to infinite aperture of another aperture with this annulus.

        Parameters
        ----------
        fraction : float
            Share of the flux inside the aperture.
        radius : float
            Its radius, pixel.
        """
        return 1.0 / (fraction - self.annulus_term * (radius / self.r_a) ** 2)

    @property
    def correction_unc(self) -> float:
        """Standard deviation of `correction`: as stated, or to first order in the radii's scatter.

        In the latter case the radii are taken as independent; those of one
        profile move together, so this errs on the wide side.
        """
        if self.whole_star:
            return 0.0
        if self.stated_correction_unc is not None:
            return self.stated_correction_unc
        area = self.r_b2**2 - self.r_b1**2
        relative = np.array(
            [
                2 * self.r_a_unc / self.r_a,
                2 * self.r_b1 * self.r_b1_unc / area,
                2 * self.r_b2 * self.r_b2_unc / area,
            ]
        )
        return float(self.correction**2 * self.annulus_term * np.hypot.reduce(relative))

    @property
    def relative_unc(self) -> float:
        """`correction_unc` over `correction`; NaN where no scatter was measured."""
        if self.whole_star:
            return 0.0
        return self.correction_unc / self.correction or np.nan


WHOLE = Aperture(np.nan, np.nan, np.nan, whole_star=True)
"""No aperture: the count rate is that of the whole star."""


@cache
def published_apertures(instrument: Instrument) -> dict[str, Aperture]:
    """Return the apertures of the instrument's card by band, such as the paper's Table 4.

    An instrument without them states count rates of whole stars, whose correction is 1. Only the
    radii are used: Table 4's printed correction belongs to 60 % encircled energy and would put
    every calibration factor 14 % low.
    """
    if instrument.apertures is None:
        return dict.fromkeys(instrument.bands, WHOLE)
    names = ("r_a", "r_b1", "r_b2", "r_a_unc", "r_b1_unc", "r_b2_unc")
    columns = {"filter": None} | dict.fromkeys(names, u.pix)
    table = instrument.table(instrument.apertures, columns)
    return {
        str(row["filter"]): Aperture(*(float(row[n].to_value("pix")) for n in names))
        for row in table
    }


_RADII = ("r_a", "r_b1", "r_b2")
_LARGEST = 500  # pixels: half the detector


def load_apertures(
    name: str,
    instrument: Instrument,
    where: str,
    beside: Path | None = None,
    notes: list[str] | None = None,
) -> dict[str, Aperture]:
    """Return the apertures of the card, or with those of a user's table in place.

    Parameters
    ----------
    name : str
        ``"table4"`` (those of the card) or the path of a table as `mirical apertures` writes
        it: filter, r_a, r_b1, r_b2 [pix], and optionally their scatter (``*_unc``) and that of the
        correction (``a_fixed_unc``); NaN or blank where it is not known. Bands it lacks have those
        of the card.
    instrument : Instrument
        Whose bands and apertures.
    where : str
        Who asks; begins the sentence if there is no such file.
    beside : Path, optional
        Folder a relative path is tried in first.
    notes : list of str, optional
        What was assumed in reading is added to it.

    Raises
    ------
    InputError
        If there is no such table, or an entry cannot be used.
    """
    if name == PUBLISHED_APERTURES:
        return published_apertures(instrument)
    path = find_table(name, beside)
    if path is None:
        raise InputError(
            f"{where}: apertures {name!r} do not exist; give a path to a table, or 'table4'."
        )
    optional = [f"{radius}_unc" for radius in _RADII] + ["a_fixed_unc"]
    units = {name: u.pix for name in (*_RADII, *optional[:3])} | {"a_fixed_unc": u.one}
    table = read_columns(path, ("filter", *_RADII), notes, units, instrument)
    values = {
        column: numbers(table[column], u.pix, path.name, bare=u.pix).value
        for column in (*_RADII, *optional[:3])
        if column in table.colnames
    }
    if "a_fixed_unc" in table.colnames:
        one = u.dimensionless_unscaled
        values["stated_correction_unc"] = numbers(table["a_fixed_unc"], one, path.name, one).value
    found: dict[str, Aperture] = {}
    columns = {name: column for name, column in values.items() if name not in _RADII}
    for i, band in enumerate(texts(table["filter"])):
        place = f"{path.name} row {i + 1}"
        instrument.find_band(band, place)
        if band in found:
            raise InputError(f"{place}: band {band!r} has an aperture above; give one a band.")
        r_a, r_b1, r_b2 = (float(values[radius][i]) for radius in _RADII)
        if not 0 < r_a < r_b1 < r_b2 <= _LARGEST:
            raise InputError(
                f"{place}: r_a, r_b1, r_b2 are {r_a:g}, {r_b1:g}, {r_b2:g}; "
                f"expected positive radii that grow in this order, up to {_LARGEST} pixels."
            )
        found[band] = replace(Aperture(r_a, r_b1, r_b2), **_scatter(columns, i, place))
    return published_apertures(instrument) | found


def _scatter(columns: dict[str, NDArray[np.float64]], i: int, place: str) -> dict[str, float]:
    """Return the scatter a row states; NaN where nobody measured it (one observation)."""
    stated = {name: float(column[i]) for name, column in columns.items()}
    for name, value in stated.items():
        if value < 0 or np.isinf(value):
            column = "a_fixed_unc" if name == "stated_correction_unc" else name
            raise InputError(
                f"{place}: {column} is {value:g}; expected a number of at least zero, or a blank."
            )
    if np.isnan(stated.get("stated_correction_unc", 0.0)):
        del stated["stated_correction_unc"]  # the radii's scatter may still be known
    return stated


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
