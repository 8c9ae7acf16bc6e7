"""Goals: the numbers whose error a plan is to lower, as linear forms of ln C and ln D."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mirical.errors import InputError, did_you_mean, shown
from mirical.instruments.instrument import Instrument

Floats = NDArray[np.float64]

EXPECTED = (
    "'F2550W at MJD 61500', 'F770W/F1500W at MJD 61500', 'mean of all bands at MJD 61500', "
    "'worst band at MJD 61500', 'D of SUB64' or 'D of SUB64 in F770W'"
)
"""The forms a goal may have."""

_DATE = r"\s+at\s+(?:MJD\s*)?(?P<mjd>\S+)"
_MEAN = re.compile(rf"mean\s+of\s+all\s+bands{_DATE}", re.IGNORECASE)
_WORST = re.compile(rf"worst\s+band{_DATE}", re.IGNORECASE)
_READOUT = re.compile(r"D\s+of\s+(?P<subarray>\S+)(?:\s+in\s+(?P<band>\S+))?", re.IGNORECASE)
_BANDS = re.compile(rf"(?P<band>[^\s/]+)(?:\s*/\s*(?P<other>[^\s/]+))?{_DATE}", re.IGNORECASE)


@dataclass(frozen=True)
class Atom:
    """One logarithm a goal is made of: ln C of a band at an epoch, or ln D of a readout.

    Attributes
    ----------
    band : str or None
        None for what is common to all bands of a readout's D.
    subarray : str or None
        None for ln C.
    mjd : float
        Epoch of ln C, MJD in days; NaN for ln D.
    """

    band: str | None
    subarray: str | None = None
    mjd: float = np.nan


@dataclass(frozen=True)
class Goal:
    """What a plan is for.

    Attributes
    ----------
    text : str
        As it was asked for, in the spelling of the card.
    names : tuple of str
        Of its forms: one, or each band where the worst one counts.
    atoms : tuple of Atom
        What the forms are made of.
    weights : (form, atom) array
        Each form is so many times each atom. The goal's variance is the largest of its forms'.
    """

    text: str
    names: tuple[str, ...]
    atoms: tuple[Atom, ...]
    weights: Floats


def parse_goal(
    text: str, instrument: Instrument, bands: Sequence[str], private_readouts: bool
) -> Goal:
    """Return the goal that a text states.

    Parameters
    ----------
    text : str
        One of the forms of `EXPECTED`.
    instrument : Instrument
        Whose bands and readouts.
    bands : sequence of str
        Bands that the run has rows in.
    private_readouts : bool
        Whether bands have nothing in common of a readout's throughput.

    Raises
    ------
    InputError
        If it is none of these, or of a band, a readout or an epoch that cannot be.
    """
    said = " ".join(text.split())
    where = f"plan: --goal {shown(said)}"
    if match := _MEAN.fullmatch(said):
        mjd = _epoch(match["mjd"], instrument, where)
        atoms = tuple(Atom(band, mjd=mjd) for band in bands)
        weights = np.full((1, len(bands)), 1 / len(bands))
        return Goal(said, ("mean of all bands",), atoms, weights)
    if match := _WORST.fullmatch(said):
        mjd = _epoch(match["mjd"], instrument, where)
        return Goal(said, tuple(bands), tuple(Atom(b, mjd=mjd) for b in bands), np.eye(len(bands)))
    if match := _READOUT.fullmatch(said):
        return _readout_goal(match, instrument, bands, private_readouts, where)
    if match := _BANDS.fullmatch(said):
        mjd = _epoch(match["mjd"], instrument, where)
        of = [_band(name, bands, where) for name in (match["band"], match["other"]) if name]
        if len(set(of)) < len(of):
            raise InputError(f"{where}: a colour is of two bands; expected another one.")
        signs = np.array([[1.0, -1.0]])[:, : len(of)]
        return Goal(said, ("/".join(of),), tuple(Atom(b, mjd=mjd) for b in of), signs)
    raise InputError(f"{where} is no goal; expected {EXPECTED}.")


def _readout_goal(
    match: re.Match[str],
    instrument: Instrument,
    bands: Sequence[str],
    private_readouts: bool,
    where: str,
) -> Goal:
    asked, band = match["subarray"], match["band"] and _band(match["band"], bands, where)
    by_folded = {name.casefold(): name for name in instrument.known_readouts}
    term = instrument.assumed_term(by_folded.get(asked.casefold(), asked), where)
    if term == instrument.reference:
        raise InputError(f"{where}: D of {asked} is 1 by definition; expected another readout.")
    if band is None and private_readouts:
        raise InputError(
            f"{where}: this run's card gives each band a D of its own; add 'in {bands[0]}', say."
        )
    of = f"D of {term}" + (f" in {band}" if band else "")
    return Goal(of, (of,), (Atom(band, term),), np.ones((1, 1)))


def _band(name: str, bands: Sequence[str], where: str) -> str:
    by_folded = {band.casefold(): band for band in bands}
    if name.casefold() not in by_folded:
        raise InputError(
            f"{where}: the run has no rows in a band {name!r}{did_you_mean(name, bands)}"
        )
    return by_folded[name.casefold()]


def _epoch(word: str, instrument: Instrument, where: str) -> float:
    first, last = instrument.epochs
    try:
        mjd = float(word)
    except ValueError:
        mjd = np.nan
    if not first <= mjd <= last:
        raise InputError(
            f"{where}: {word!r} is no epoch of {instrument.observatory}; expected an MJD in days, "
            f"such as {instrument.reference_mjd:.0f}."
        )
    return mjd
