"""Settings of a card's terms."""

from __future__ import annotations

import pytest

from detector_card import detector_card_text
from miri_facts import MIRI
from mirical.cards.card import parse_card
from mirical.errors import InputError


def test_settings_are_read():
    card = parse_card(detector_card_text(), "test", "test", MIRI)
    assert card.steps == (59900.0, 60200.0)
    assert card.settings["rate_slope"] == ("FND",)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("dates = [59900.0, 60200.0]", "", "term 'step': dates is missing"),
        ("dates = [59900.0, 60200.0]", "dates = []", "dates is"),
        ("59900.0, 60200.0", "60200.0, 59900.0", "in order"),
        ("59900.0, 60200.0", "2460000.5", "epochs of JWST"),
        ("59900.0, 60200.0", "true", "epochs of JWST"),
        ('["FND"]', '["FNDD"]', "did you mean 'FND'"),
        ('["FND"]', "[3]", "is no band"),
        ("[term.reduction_offset]\n", "[term.reduction_offset]\nbands = 3\n", "unknown key"),
    ],
)
def test_a_wrong_setting_is_refused_with_the_remedy(old: str, new: str, said: str):
    text = detector_card_text()
    assert old in text
    with pytest.raises(InputError, match="test: term") as raised:
        parse_card(text.replace(old, new, 1), "test", "test", MIRI)
    assert said in str(raised.value)
