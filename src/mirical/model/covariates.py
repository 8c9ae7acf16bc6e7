"""What the detector saw of each row: rates, well depths, reductions, and the dates of steps."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import numpy as np
from astropy.table import QTable
from jaxtyping import Float, Int
from numpy.typing import NDArray

from mirical.cards.card import Card
from mirical.errors import InputError
from mirical.model.sampler_units import Data

_KNOTS_A_LENGTH = 4  # a Matern-3/2 process keeps 96 % of its variance between them
_MOST_KNOTS = 200

UNNAMED = "not stated"
"""Reduction of rows whose table states none."""


@dataclass(frozen=True)
class Covariates:
    """Covariates of the rows' detector terms.

    Attributes
    ----------
    log_rate, log_well : (row,) array
        Decades of the central pixel's count rate [DN/s] and of what it collected [DN]; 0 where
        not stated.
    reduction : (row,) int array
        Index into the names below.
    rated, welled : tuple of str
        Bands all of whose rows state a rate, or a well depth.
    reductions : tuple of str
        In order of their names. The last one is the reference: the latest version, if they are
        named so.
    steps : tuple of float
        Dates of steps, MJD in days.
    knots : tuple of float
        Epochs at which a departure from the time law is given, MJD in days.
    """

    log_rate: Float[Data, " row"]
    log_well: Float[Data, " row"]
    reduction: Int[Data, " row"]
    rated: tuple[str, ...] = ()
    welled: tuple[str, ...] = ()
    reductions: tuple[str, ...] = (UNNAMED,)
    steps: tuple[float, ...] = ()
    knots: tuple[float, ...] = ()


jax.tree_util.register_dataclass(
    Covariates,
    data_fields=["log_rate", "log_well", "reduction"],
    meta_fields=["rated", "welled", "reductions", "steps", "knots"],
)


def covariates_of(rows: QTable, card: Card | None) -> Covariates:
    """Return the covariates of rows of a photometry table, for the terms of a card.

    Raises
    ------
    InputError
        If the card's departure from the time law changes too fast for the span of the rows.
    """
    rate, well = (_decades(rows, name) for name in ("pixrate", "pixwelldepth"))
    names = [UNNAMED] * len(rows)
    if "reduction" in rows.colnames:
        names = [str(name) or UNNAMED for name in rows["reduction"]]
    reductions = tuple(sorted(set(names), key=lambda name: (name != UNNAMED, name)))
    return Covariates(
        log_rate=np.nan_to_num(rate),
        log_well=np.nan_to_num(well),
        reduction=np.array([reductions.index(name) for name in names], dtype=np.int32),
        rated=_bands_with(rows, rate),
        welled=_bands_with(rows, well),
        reductions=reductions,
        steps=() if card is None else card.steps,
        knots=() if card is None else _knots(rows["time"].to_value("d"), card),
    )


def _knots(mjd: NDArray[np.float64], card: Card) -> tuple[float, ...]:
    """Return the knots of the card's departure, from the first row to a length after the last."""
    if not card.has("time_departure"):
        return ()
    length = card.fixed("departure_length")
    spacing = length / _KNOTS_A_LENGTH
    count = int(np.ceil((mjd.max() + length - mjd.min()) / spacing)) + 1
    if count > _MOST_KNOTS:
        shortest = _KNOTS_A_LENGTH * (mjd.max() - mjd.min()) / (_MOST_KNOTS - 10)
        raise InputError(
            f"card {card.name!r}: departure_length is {length:g} d; expected {shortest:.0f} d or "
            "more for rows over so long a time."
        )
    return tuple((mjd.min() + spacing * np.arange(count)).tolist())


def _decades(rows: QTable, name: str) -> NDArray[np.float64]:
    """Return the decimal logarithm of a column, NaN where it is not a positive number."""
    if name not in rows.colnames:
        return np.full(len(rows), np.nan)
    column = rows[name]
    values = np.asarray(getattr(column, "value", column), dtype=float)
    if hasattr(column, "mask"):
        values = np.where(np.asarray(column.mask), np.nan, values)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(values > 0, np.log10(values), np.nan)


def _bands_with(rows: QTable, decades: NDArray[np.float64]) -> tuple[str, ...]:
    bands = np.array([str(band) for band in rows["filter"]])
    return tuple(
        str(band) for band in dict.fromkeys(bands) if np.all(np.isfinite(decades[bands == band]))
    )
