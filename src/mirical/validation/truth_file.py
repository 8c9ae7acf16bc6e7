"""The truth behind simulated rows as a calibration without errors: read from ``truth.ecsv``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy import units as u
from astropy.table import QTable, Table
from numpy.typing import NDArray

from mirical.calibration.coefficients import band_table, subarray_table
from mirical.calibration.factors import Query
from mirical.calibration.point_estimates import QuotedCalibration
from mirical.errors import InputError
from mirical.instruments.instrument import Instrument
from mirical.laws.timelaw import ADDITIVE, LAWS
from mirical.simulation.truth import Coefficients
from mirical.tables.apertures import Aperture, published_apertures
from mirical.tables.formats import read_columns

Floats = NDArray[np.float64]

_OF_BAND = "A", "B", "tau", "repeatability"
_DECADE = 3650.0  # days
_LEAST = 1e-20  # of a factor; below it or above its inverse the file is damaged
_OF_LOSS = "loss", "tau"
"""Parameters of a law that the coefficients hold: the loss is ln A/(A + B)."""


@dataclass(frozen=True)
class TrueCalibration(QuotedCalibration):
    """What a calibration should have found, without error; a difference from it is an error made.

    Attributes
    ----------
    truth : Coefficients
        The true values.
    coefficients : QTable
        Indexed by filter: A, B, tau, sigma_cf_pct, all errors zero.
    meta : mapping
        What the file says of itself.
    """

    truth: Coefficients
    coefficients: QTable
    meta: Mapping[str, object]
    name: str = "truth"
    simulated: bool = True

    @property
    def instrument(self) -> Instrument:
        """Whose."""
        return self.truth.instrument

    @property
    def bands(self) -> list[str]:
        """All of the instrument."""
        return list(self.instrument.bands)

    @property
    def throughput(self) -> dict[str, float]:
        """True D by subarray."""
        return dict(zip(self.instrument.subarrays, self.truth.D.tolist(), strict=True))

    @property
    def apertures(self) -> Mapping[str, Aperture]:
        """Those of the card."""
        return published_apertures(self.instrument)

    @property
    def stated_repeatability(self) -> Mapping[str, float]:
        """True repeatability by band, percent."""
        return dict(zip(self.bands, (100 * self.truth.repeatability).tolist(), strict=True))

    @property
    def n_stars(self) -> Mapping[str, float]:
        """None were needed."""
        return dict.fromkeys(self.bands, np.nan)

    @property
    def provenance(self) -> Mapping[str, object]:
        """The file's own words."""
        return {str(key): str(value) for key, value in self.meta.items()}

    @property
    def epochs(self) -> dict[str, tuple[float, float]]:
        """Empty: a truth holds at every epoch."""
        return {}

    def stated_coefficients(self) -> QTable:
        """Return the true values; no error is stated of them."""
        table, percent = self.coefficients, 100 * self.truth.repeatability
        stated = {name: table[name] for name in ("A", "B", "tau")}
        stated |= {"repeatability_pct": percent * u.percent}
        return band_table(self.bands, stated, self.instrument.factor_unit)

    def stated_subarrays(self) -> QTable:
        """Return true D by subarray."""
        return subarray_table(list(self.instrument.subarrays), self.truth.D)

    def cautions(self, query: Query) -> list[str]:
        """Return that it is the truth of a simulation."""
        return ["the truth has no error: sigma is of the calibration compared with it."]

    def _mean(self, query: Query) -> Floats:
        return self.truth.factor(list(query.filters), list(query.subarrays), query.mjd)


def is_truth(path: Path) -> bool:
    """Return whether a file is a truth by its name, as `mirical simulate` writes it."""
    return path.is_file() and path.name == "truth.ecsv"


def read_truth(path: Path, instrument: Instrument) -> TrueCalibration:
    """Read the true values that `mirical simulate` wrote beside its rows.

    Raises
    ------
    InputError
        If the file is no such table, or is of another instrument.
    """
    table = read_columns(path, ("quantity", "filter", "subarray", "value"))
    law = str(table.meta.get("law", ADDITIVE))
    if law not in LAWS:
        raise InputError(f"{path.name}: law {law!r} is unknown; expected one of {', '.join(LAWS)}.")
    found = _values(table, path)
    bands, subarrays = list(instrument.bands), list(instrument.subarrays)

    def take(quantity: str, *keys: tuple[str, str]) -> Floats:
        lacking = [key for key in keys if (quantity, *key) not in found]
        if lacking:
            of = " ".join(filter(None, lacking[0]))
            raise InputError(
                f"{path.name}: no {quantity} of {of}; expected the truth.ecsv that 'mirical "
                f"simulate' wrote for {instrument.name}."
            )
        return np.array([found[quantity, *key] for key in keys])

    of_band = {name: take(name, *((band, "") for band in bands)) for name in _OF_BAND}
    own = [name for name in LAWS[law].of_band if name not in _OF_LOSS]
    of_law = {name: take(name, *((band, "") for band in bands)) for name in own}
    of_law |= {name: take(name, ("", "")).reshape(()) for name in LAWS[law].common}
    d_band = [take("D_band", *((band, name) for name in subarrays)) for band in bands]
    truth = Coefficients(
        **of_band,
        D=take("D", *(("", name) for name in subarrays)),
        D_band=np.array(d_band),
        law=law,
        of_law=of_law,
        instrument=instrument,
    )
    _refuse_impossible(truth, path)
    unit, none = instrument.factor_unit, np.zeros(len(bands))
    coefficients = QTable({"filter": bands, "A": truth.A * unit, "B": truth.B * unit})
    coefficients["tau"], coefficients["sigma_cf_pct"] = truth.tau * u.d, none * u.percent
    coefficients.add_index("filter")
    return TrueCalibration(truth, coefficients, table.meta)


def _refuse_impossible(truth: Coefficients, path: Path) -> None:
    """Refuse values of which no factor can come: to be positive in each readout, over a decade."""
    subarrays = list(truth.instrument.subarrays)
    bands = [band for band in truth.instrument.bands for _ in subarrays]
    readouts = subarrays * len(truth.instrument.bands)
    for elapsed in (0.0, _DECADE):
        mjd = np.full(len(bands), truth.instrument.t0 + elapsed)
        with np.errstate(all="ignore"):
            factors = truth.factor(bands, readouts, mjd)
        bad = np.flatnonzero(~((factors > _LEAST) & (factors < 1 / _LEAST)))
        if len(bad):
            band, name = bands[bad[0]], readouts[bad[0]]
            raise InputError(
                f"{path.name}: the true factor of {band} in {name} is {factors[bad[0]]:g} at MJD "
                f"{mjd[0]:.0f}; expected a positive number."
            )


def _values(table: Table, path: Path) -> dict[tuple[str, str, str], float]:
    """Return every value by quantity, band and subarray, those of stars and visits left out."""
    found = {}
    for i, row in enumerate(table, start=1):
        try:
            value = float(row["value"])
        except (TypeError, ValueError):
            value = np.nan
        if np.isnan(value):  # an endless time constant is none
            raise InputError(f"{path.name} row {i}: value is {row['value']}; expected a number.")
        key = (str(row["quantity"]), *(_text(row[name]) for name in ("filter", "subarray")))
        found[key] = value
    return found


def _text(entry: object) -> str:
    return "" if np.ma.is_masked(entry) else str(entry)
