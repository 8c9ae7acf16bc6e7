"""Sizes of a simulated program's errors and faults, as a command line states them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import fields, replace

from mirical.errors import InputError, did_you_mean
from mirical.instruments.instrument import Instrument
from mirical.simulation.errors_and_faults import Errors, Faults

_OF_ERRORS, _OF_FAULTS = ([field.name for field in fields(of)] for of in (Errors, Faults))
EFFECTS = (*_OF_ERRORS, *_OF_FAULTS)
"""Names of all sizes that can be stated."""


def stated_effects(given: Sequence[str]) -> tuple[Errors, Faults]:
    """Return errors and faults with the sizes stated as ``NAME=NUMBER``, the others as usual.

    Raises
    ------
    InputError
        If a name is none of `EFFECTS` or stated twice, or what it is to be is no number that it
        can be.
    """
    sizes: dict[str, float] = {}
    for text in given:
        name, _, number = text.partition("=")
        if name not in EFFECTS:
            raise InputError(f"simulate: effect {name!r} is unknown{did_you_mean(name, EFFECTS)}")
        if name in sizes:
            raise InputError(f"simulate: effect {name} is stated twice; state it once.")
        sizes[name] = _size(name, number)
    of_errors = {name: sizes[name] for name in _OF_ERRORS if name in sizes}
    of_faults = {name: sizes[name] for name in _OF_FAULTS if name in sizes}
    return replace(Errors(), **of_errors), replace(Faults(), **of_faults)


OF_MIRI = "debris_disk", "fnd_rate_slope", "reduction"
"""Faults of MIRI's own program alone: of one of its stars, its bands and its pipeline."""


def card_effects(given: Sequence[str], instrument: Instrument) -> tuple[Errors, Faults]:
    """Return what `stated_effects` does, for a program made from an instrument's card.

    Raises
    ------
    InputError
        Also if an effect is one that MIRI's own program alone can have.
    """
    for text in given:
        name = text.partition("=")[0]
        if name in OF_MIRI:
            raise InputError(
                f"simulate: effect {name} is of MIRI's own program; leave it out for one of "
                f"{instrument.name}."
            )
    errors, faults = stated_effects(given)
    return errors, replace(faults, debris_disk=0.0)


_SIGNED = "step", "fnd_rate_slope"
"""Effects that may go either way; all others are sizes."""
_SHARES = "off_visit", "deviant_rows"
"""Fractions of a whole."""


def _size(name: str, text: str) -> float:
    try:
        size = float(text)
    except ValueError:
        size = math.nan
    if not math.isfinite(size):
        raise InputError(f"simulate: {name}={text}; expected a finite number, such as {name}=0.02.")
    if size < 0 and name not in _SIGNED:
        raise InputError(f"simulate: {name}={text}; expected zero or more.")
    if size >= 1 and name in _SHARES:
        raise InputError(f"simulate: {name}={text}; expected a fraction below one.")
    return size
