"""Which cards are compared: those that are asked for, the shipped ladder, or the run's own."""

from __future__ import annotations

from collections.abc import Sequence

from mirical.cards.card import Card, load_card
from mirical.cards.card_variants import without_term
from mirical.errors import InputError
from mirical.instruments.cards import DEFAULT
from mirical.instruments.instrument import Instrument
from mirical.rivals.fits import LADDER, TIME_LAWS

DISPENSABLE = (
    "response_loss",
    "subarray",
    "type_band_offset",
    "star_band_offset",
    "visit_offset",
    "step",
    "time_departure",
    "rate_slope",
    "well_slope",
    "reduction_offset",
)
"""Terms without which a run's card is compared: what does each gain?"""

_OF_TIME = "response_loss", "step", "time_departure"


def rival_cards(
    names: Sequence[str] | None, own: Card, instrument: Instrument, reference: str
) -> tuple[list[Card], tuple[str, ...]]:
    """Return the cards to compare, and the names of those that are asked for other times.

    Parameters
    ----------
    names : sequence of str or None
        Cards that a user asks for. By default those of `LADDER` and `TIME_LAWS` for the instrument
        they were made for; for another one the run's own, and it without each of its terms.
    own : Card
        The run's.
    instrument : Instrument
        Whose rows they are.
    reference : str
        How the run names the instrument.

    Raises
    ------
    InputError
        If a card cannot be used, or two have the same name.
    """
    if names is None and reference != DEFAULT:
        terms = [term for term in DISPENSABLE if own.has(term)]
        of_term = {term: without_term(own, term) for term in terms}
        timed = (own, *(card for term, card in of_term.items() if term in _OF_TIME))
        return [own, *of_term.values()], tuple(card.name for card in timed)
    asked = dict.fromkeys((*LADDER, *TIME_LAWS)) if names is None else names
    cards = [load_card(name, "rivals", instrument) for name in asked]
    if len({card.name for card in cards}) < len(cards):
        raise InputError("rivals: two --models have the same name; rename one.")
    # A rung of the ladder has the default's time law, and would tell the same of other times.
    timed = [c.name for c in cards if c.name in TIME_LAWS or c.name not in LADDER]
    return cards, tuple(timed)
