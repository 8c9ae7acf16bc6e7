"""Simulated programs, as the command line and Python ask for them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mirical.simulation.simulated_program import SimulatedProgram


def simulate(
    seed: int,
    *,
    instrument: str | Path = "miri",
    truth: str | None = None,
    law: str | None = None,
    effects: Mapping[str, float] | None = None,
) -> SimulatedProgram:
    """Simulate the photometry of a whole program whose true factors are known; writes nothing.

    Parameters
    ----------
    seed : int
        Fixes every random number.
    instrument : str or Path
        Instrument card. MIRI's program is that of the paper's Tables 1-3, any other one is made
        from the card.
    truth : {"published", "perturbed"}, optional
        True coefficients: the published ones, or drawn by the seed; published by default, where
        there are such.
    law : str, optional
        True time law of MIRI's program, one of `mirical.laws.timelaw.LAWS`.
    effects : mapping of {str : float}, optional
        Sizes of errors and faults other than the usual, as fractions: ``{"step": 0.02}``
        (docs/checks.md).

    Returns
    -------
    SimulatedProgram
        ``photometry``, a table for `fit` that says of itself that it is simulated; ``truth``, its
        true values in long form; ``save(folder)`` writes both.

    Raises
    ------
    InputError
        If a name or a size is none.
    """
    stated = [f"{name}={float(size)!r}" for name, size in (effects or {}).items()]
    return simulated_program(seed, str(instrument), truth, law, stated)


def simulated_program(
    seed: int, instrument: str, truth: str | None, law: str | None, effects: list[str]
) -> SimulatedProgram:
    """Simulate a program; effects are stated as ``NAME=SIZE``, see `simulate`."""
    from mirical.errors import InputError
    from mirical.instruments.cards import DEFAULT, load_instrument
    from mirical.laws.timelaw import ADDITIVE
    from mirical.simulation.card_simulation import simulate_card
    from mirical.simulation.effects import stated_effects
    from mirical.simulation.simulated_program import simulate_program

    if instrument == DEFAULT:
        errors, faults = stated_effects(effects)
        return simulate_program(seed, truth or "published", faults, errors, law or ADDITIVE)
    if law is not None:
        raise InputError("simulate: --law is for MIRI's own program; leave it or --instrument out.")
    return simulate_card(load_instrument(instrument, "simulate"), seed, truth, effects)
