"""Published coefficients of an instrument, from the tables its card names."""

from __future__ import annotations

from functools import cache

from astropy import units as u
from astropy.table import QTable

from mirical.errors import InputError
from mirical.instruments.card_entries import Published
from mirical.instruments.instrument import Instrument


def require_published(instrument: Instrument) -> Published:
    """Return what an instrument's card states of published coefficients.

    Raises
    ------
    InputError
        If it states none.
    """
    if instrument.published is None:
        raise InputError(
            f"instrument {instrument.name}: its card states no published coefficients, so there is "
            "nothing to compare with; add [published] to the card."
        )
    return instrument.published


@cache
def published_coefficients(instrument: Instrument) -> QTable:
    """Return the published filter, A, B, tau, sigma_cf, sigma_cf_pct and sigma_repeat_pct."""
    of_factors, percent = instrument.factor_unit, u.percent
    columns = {"filter": None, "A": of_factors, "B": of_factors, "tau": u.d}
    columns |= {"sigma_cf": of_factors, "sigma_cf_pct": percent, "sigma_repeat_pct": percent}
    return instrument.table(require_published(instrument).coefficients, columns)


@cache
def published_throughput(instrument: Instrument) -> dict[str, float]:
    """Return the published throughput D by subarray."""
    columns = {"subarray": None, "d_sa": u.dimensionless_unscaled}
    table = instrument.table(require_published(instrument).throughput, columns)
    return {str(row["subarray"]): float(row["d_sa"]) for row in table}
