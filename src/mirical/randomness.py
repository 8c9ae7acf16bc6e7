"""Random number generators: one for each purpose, all from one seed."""

from __future__ import annotations

import numpy as np

from mirical.errors import InputError


def generator(seed: int, purpose: str) -> np.random.Generator:
    """Return the generator of one purpose.

    What one purpose draws never moves the numbers of another, so that, say,
    an effect that is switched off leaves the rest of a simulation as it was.

    Parameters
    ----------
    seed : int
        Seed of all purposes, not negative.
    purpose : str
        What the numbers are for, such as ``"star offsets"``.

    Raises
    ------
    InputError
        If the seed is negative.
    """
    if seed < 0:
        raise InputError(f"seed {seed} is negative; expected a whole number from 0 up.")
    return np.random.default_rng([seed, *purpose.encode()])
