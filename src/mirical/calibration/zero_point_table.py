"""Zero points of others, in magnitudes a band, as a calibration: read from a table."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from astropy import units as u
from astropy.table import QTable
from astropy.utils.masked import Masked
from numpy.typing import NDArray

from mirical.calibration.calibration import NO_FLUX_SCALE
from mirical.calibration.coefficients import band_table, subarray_table
from mirical.calibration.factors import Query
from mirical.calibration.point_estimates import QuotedCalibration
from mirical.errors import InputError
from mirical.instruments.instrument import Instrument
from mirical.instruments.magnitudes import PER_MAGNITUDE, flux_densities
from mirical.stars import canonical_star
from mirical.tables.apertures import Aperture, published_apertures
from mirical.tables.formats import numbers, read_columns, texts
from mirical.text import one_line

Floats = NDArray[np.float64]

_OFFSET, _ASSUMED = "_offset", "ab_"


@dataclass(frozen=True)
class ZeroPointCalibration(QuotedCalibration):
    """Zero points that hold at every epoch, with an offset a band in some readouts.

    Attributes
    ----------
    coefficients : QTable
        Indexed by filter: A, B, tau, sigma_cf, sigma_cf_pct, sigma_repeat_pct.
    offsets, offsets_std : dict of {(band, readout) : float}
        What is to be added to the zero point in a readout, and its error, mag.
    assumed : dict of {(star, band) : float}
        AB magnitudes of standard stars that the zero points rest on.
    instrument : Instrument
        Whose.
    name : str
        How tables and figures call it.
    """

    coefficients: QTable
    offsets: Mapping[tuple[str, str], float]
    offsets_std: Mapping[tuple[str, str], float]
    assumed: Mapping[tuple[str, str], float]
    instrument: Instrument
    name: str = "zero points"
    throughput: dict[str, float] = field(default_factory=dict)

    @property
    def bands(self) -> list[str]:
        """Bands with a zero point."""
        return [str(band) for band in self.coefficients["filter"]]

    @property
    def simulated(self) -> bool:
        """Whether the table's header says that simulated rows are behind it."""
        return bool(self.coefficients.meta.get("simulated", False))

    @property
    def apertures(self) -> Mapping[str, Aperture]:
        """Those of the card."""
        return published_apertures(self.instrument)

    @property
    def stated_repeatability(self) -> Mapping[str, float]:
        """Repeatability by band, percent; NaN where it is not stated."""
        percent = np.ma.filled(self.coefficients["sigma_repeat_pct"].value, np.nan)
        return dict(zip(self.bands, map(float, percent), strict=True))

    @property
    def n_stars(self) -> Mapping[str, float]:
        """Not stated."""
        return dict.fromkeys(self.bands, np.nan)

    @property
    def provenance(self) -> Mapping[str, object]:
        """The table's own words."""
        return {str(key): str(value) for key, value in self.coefficients.meta.items()}

    @property
    def epochs(self) -> dict[str, tuple[float, float]]:
        """Empty: there are no rows."""
        return {}

    def stated_coefficients(self) -> QTable:
        """Return the factors; B and tau are none, and an error is stated of A alone."""
        table = self.coefficients
        stated = {"A": table["A"], "A_std": table["sigma_cf"]}
        stated |= {"repeatability_pct": table["sigma_repeat_pct"]}
        return band_table(self.bands, stated, self.instrument.factor_unit)

    def stated_subarrays(self) -> QTable:
        """Return the reference alone: offsets are private to a band."""
        return subarray_table([self.instrument.reference], np.ones(1))

    @property
    def private_readouts(self) -> bool:
        """Whether an offset is stated in any readout."""
        return bool(self.offsets)

    def band_throughputs(self) -> QTable:
        """Return D of each readout in each band with an offset: 2.5 log10 D is the offset."""
        lines = [
            (band, name, d := 10 ** (0.4 * offset), d * self._offset_error(band, name))
            for (band, name), offset in self.offsets.items()
        ]
        return QTable(rows=lines, names=("filter", "subarray", "D", "D_std"))

    def _offset_error(self, band: str, readout: str) -> float:
        return self.offsets_std.get((band, readout), np.nan) / PER_MAGNITUDE

    def cautions(self, query: Query) -> list[str]:
        """Return what the errors leave out, and which offsets are not known."""
        pairs = dict.fromkeys(zip(query.filters, query.terms, strict=True))
        unknown = [
            f"{band} in {term}"
            for band, term in pairs
            if term != self.instrument.reference and (band, term) not in self.offsets
        ]
        none = f"no offset is stated of {', '.join(unknown)}: none is assumed."
        return [*([none] if unknown else []), f"{NO_FLUX_SCALE}."]

    def throughputs(self, query: Query) -> Floats:
        """Return D of each point: a zero point that is fainter by 1 mag has D of 0.4."""
        points = zip(query.filters, query.terms, strict=True)
        return np.array([10 ** (0.4 * self.offsets.get(point, 0.0)) for point in points])


def read_zero_points(path: Path, instrument: Instrument) -> ZeroPointCalibration:
    """Read a table of zero points.

    Parameters
    ----------
    path : Path
        Table: filter, zeropoint [mag], zeropoint_std [mag]; optionally READOUT_offset and
        READOUT_offset_std [mag] of any readout, repeatability [mag], and ab_STAR [mag], the
        magnitude of a standard star that the zero points rest on. Zero points are in the
        magnitude system that the instrument's card names.
    instrument : Instrument
        Whose.

    Raises
    ------
    InputError
        If the instrument's factors have no zero points, or the table cannot be used.
    """
    system = instrument.factor.view
    if system is None:
        raise InputError(
            f"{path.name}: zero points are of factors of flux; those of {instrument.name} are of "
            "surface brightness, or its card names no magnitude system ([factor] view)."
        )
    needed = ("filter", "zeropoint", "zeropoint_std")
    raw = read_columns(path, needed, None, None, instrument)

    def column(name: str) -> Floats:
        return numbers(raw[name], u.mag, path.name, u.mag).value

    bands = texts(raw["filter"])
    for i, band in enumerate(bands, start=1):
        instrument.find_band(band, f"{path.name} row {i}")
    if len(set(bands)) < len(bands):
        raise InputError(f"{path.name}: a band stands there twice; keep one of its rows.")
    zero, std = column("zeropoint"), column("zeropoint_std")
    bad = np.flatnonzero(~np.isfinite(zero) | ~(std >= 0))
    if len(bad):
        raise InputError(
            f"{path.name} row {bad[0] + 1}: zeropoint is {zero[bad[0]]:g} ± {std[bad[0]]:g}; "
            "expected two numbers, the error not negative."
        )
    factor = (flux_densities(zero, bands, system, instrument) / instrument.count_rate).to(
        instrument.factor_unit
    )
    table = QTable({"filter": bands, "A": factor})
    table["B"], table["tau"] = 0 * factor, np.full(len(bands), np.inf) * u.d
    table["sigma_cf"] = factor * std / PER_MAGNITUDE
    table["sigma_cf_pct"] = 100 * std / PER_MAGNITUDE * u.percent
    repeat = np.full(len(bands), np.nan)
    if "repeatability" in raw.colnames:
        repeat = 100 * column("repeatability") / PER_MAGNITUDE
    table["sigma_repeat_pct"] = Masked(repeat, mask=~np.isfinite(repeat)) * u.percent
    table.meta |= {
        key: raw.meta[key] for key in ("title", "origin", "simulated") if key in raw.meta
    }
    table.add_index("filter")
    offsets, errors = {}, {}
    for name in instrument.subarrays[1:]:
        stated = _stated(raw, f"{name}{_OFFSET}"), _stated(raw, f"{name}{_OFFSET}_std")
        if stated[0] is not None:
            values = column(stated[0])
            known = zip(bands, values.tolist(), strict=True)
            offsets |= {(b, name): v for b, v in known if np.isfinite(v)}
        if stated[1] is not None:
            known = zip(bands, column(stated[1]).tolist(), strict=True)
            errors |= {(b, name): v for b, v in known if np.isfinite(v)}
    assumed = {
        (canonical_star(name.removeprefix(_ASSUMED)), band): value
        for name in raw.colnames
        if name.startswith(_ASSUMED)
        for band, value in zip(bands, column(name).tolist(), strict=True)
        if np.isfinite(value)
    }
    return ZeroPointCalibration(
        table, offsets, errors, assumed, instrument, one_line(path.name.split(".")[0])
    )


def _stated(raw: QTable, name: str) -> str | None:
    """Return the column of that name, whatever its capitals and signs."""
    wanted = re.sub(r"[\W_]", "", name).casefold()
    return next(
        (one for one in raw.colnames if re.sub(r"[\W_]", "", one).casefold() == wanted), None
    )
