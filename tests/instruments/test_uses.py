"""What an instrument cannot be used for is refused in a sentence."""

from __future__ import annotations

import pytest

from miri_facts import MIRI
from mirical.errors import InputError
from mirical.instruments.cards import load_instrument
from mirical.instruments.uses import require_staged


def test_the_staged_procedure_is_for_instruments_whose_card_has_it():
    require_staged(MIRI, "staged")
    expected = "compare --with staged: the procedure is not meant for WFC3: its card has no "
    with pytest.raises(InputError, match=expected):
        require_staged(load_instrument("wfc3", "test"), "compare --with staged")
