"""A card without one of its terms is the card that a file with `use = false` gives."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from miri_facts import MIRI
from mirical.cards.card import load_card
from mirical.cards.card_variants import without_term


@pytest.mark.parametrize("term", ["response_loss", "visit_offset", "rate_slope", "subarray"])
def test_a_card_without_a_term_is_that_of_its_file(tmp_path: Path, term: str):
    card = load_card("two-exponentials", "test", MIRI)
    found = without_term(card, term)
    written = found.texts[found.name]
    (tmp_path / f"{found.name}.toml").write_text(written)
    read = load_card(str(tmp_path / f"{found.name}.toml"), "test", MIRI)
    assert found.name == f"no-{term.replace('_', '-')}" and found.texts == read.texts
    assert found == replace(read, title=found.title)
