"""A card without one of its terms."""

from __future__ import annotations

from dataclasses import replace

from mirical.cards.card import Card
from mirical.laws.timelaw import ADDITIVE


def without_term(card: Card, term: str) -> Card:
    """Return the card with `term`, which the model can do without, out of use."""
    gone = {one.name for one in card.stated(term)}
    name = f"no-{term.replace('_', '-')}"
    # As a file with this base would say it.
    text = f'base = "{card.name}"\n[term.{term}]\nuse = false\n'
    return replace(
        card,
        name=name,
        title=f"{card.name} without {term.replace('_', ' ')}",
        priors={n: prior for n, prior in card.priors.items() if n not in gone},
        centres={n: centre for n, centre in card.centres.items() if n not in gone},
        terms=tuple(one for one in card.terms if one != term),
        meanings={one: means for one, means in card.meanings.items() if one != term},
        law=ADDITIVE if term == "response_loss" else card.law,
        texts={name: text} | card.texts,
        settings={one: of for one, of in card.settings.items() if one != term},
    )
