"""Settings of a card's terms that are no priors: dates of steps, bands that a term is on in."""

from __future__ import annotations

from typing import Any

from mirical.errors import InputError, did_you_mean, shown
from mirical.instruments.instrument import Instrument

SETTINGS = {"step": "dates", "rate_slope": "bands", "well_slope": "bands"}
"""The setting each term needs."""


def read_setting(
    term: str, content: dict[str, object], where: str, instrument: Instrument
) -> tuple[Any, ...]:
    """Return a term's setting: dates in order, or bands.

    Raises
    ------
    InputError
        If it is missing or no list of epochs, or of bands.
    """
    key = SETTINGS[term]
    place = f"{where}: term {term!r}"
    example = (
        f"[{_example(instrument)}]" if key == "dates" else f'["{next(iter(instrument.bands))}"]'
    )
    values = content.get(key)
    if not isinstance(values, list) or not values:
        given = "is missing" if key not in content else f"is {shown(values)}"
        raise InputError(f"{place}: {key} {given}; expected a list such as {example}.")
    read = _dates if key == "dates" else _bands
    return read(values, place, instrument)


def _example(instrument: Instrument) -> float:
    return instrument.reference_mjd + 340.0


def _dates(values: list[object], place: str, instrument: Instrument) -> tuple[float, ...]:
    first, last = instrument.epochs
    for value in values:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not first <= float(value) <= last:  # type: ignore[arg-type]
            raise InputError(
                f"{place}: dates has {shown(value)}; expected epochs of "
                f"{instrument.observatory}, MJD in days, such as {_example(instrument)}."
            )
    dates = tuple(float(value) for value in values)  # type: ignore[arg-type]
    if sorted(set(dates)) != list(dates):
        raise InputError(f"{place}: dates are {shown(values)}; expected them in order, once each.")
    return dates


def _bands(values: list[object], place: str, instrument: Instrument) -> tuple[str, ...]:
    for value in values:
        if not isinstance(value, str) or value not in instrument.bands:
            hint = did_you_mean(value, instrument.bands) if isinstance(value, str) else "."
            raise InputError(
                f"{place}: bands has {shown(value)}, which is no band of {instrument.name}{hint} "
                "A card that fits any instrument is 'imager'."
            )
    return tuple(map(str, values))
