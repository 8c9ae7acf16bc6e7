"""MIRI's card, for what only MIRI has: its images, its masks, the JWST pipeline's files."""

from __future__ import annotations

from mirical.instruments.cards import load_instrument
from mirical.instruments.instrument import Instrument


def miri() -> Instrument:
    """Return MIRI as its shipped card states it."""
    return load_instrument("miri", "MIRI")
