"""Which cards `mirical rivals` compares."""

from __future__ import annotations

from pathlib import Path

import pytest

from miri_facts import MIRI
from mirical.cards.card import load_card
from mirical.errors import InputError
from mirical.instruments.cards import load_instrument
from mirical.rivals.choice import rival_cards
from mirical.rivals.fits import LADDER, TIME_LAWS

WFC3 = load_instrument("wfc3", "test")
OWN = load_card("wfc3", "test", WFC3)


def test_the_shipped_ladder_is_that_of_the_instrument_it_was_made_for():
    cards, timed = rival_cards(None, load_card("update", "test", MIRI), MIRI, "miri")
    assert [card.name for card in cards] == list(dict.fromkeys((*LADDER, *TIME_LAWS)))
    assert set(timed) == set(TIME_LAWS)


def test_a_run_of_another_instrument_is_compared_with_its_card_less_each_term():
    cards, timed = rival_cards(None, OWN, WFC3, "wfc3")
    less = ("no-response-loss", "no-subarray", "no-star-band-offset", "no-visit-offset")
    assert [card.name for card in cards] == ["wfc3", *less]
    assert timed == ("wfc3", "no-response-loss")
    for card, term in zip(cards[1:], less, strict=True):
        assert set(OWN.terms) - set(card.terms) == {term[3:].replace("-", "_")}
        assert {p.name for p in card.priors.values()} < {p.name for p in OWN.priors.values()}


def test_cards_that_a_user_names_tell_of_other_times(tmp_path: Path):
    own = tmp_path / "flat.toml"
    own.write_text('base = "wfc3"\n[term.response_loss]\nuse = false\n')
    cards, timed = rival_cards(["wfc3", str(own)], OWN, WFC3, "wfc3")
    assert [card.name for card in cards] == ["wfc3", "flat"] and timed == ("wfc3", "flat")
    assert rival_cards(["pooled"], OWN, MIRI, "miri")[1] == ()
    with pytest.raises(InputError, match="two --models have the same name; rename one"):
        rival_cards(["wfc3", "wfc3"], OWN, WFC3, "wfc3")
