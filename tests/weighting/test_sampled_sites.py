"""The sampler's sites told from draws as a posterior names them: constrained, the draws again."""

from __future__ import annotations

from functools import partial

import jax
import numpy as np
import pytest
from numpyro.infer import Predictive

from designs import crowded_design
from detector_card import detector_card_text
from miri_facts import MIRI
from mirical.cards.card import Card, load_card, parse_card
from mirical.compiled.draws import map_draws
from mirical.inference.runtime import plain_keys
from mirical.model.joint import joint
from mirical.model.nesting import Rows, plain_rows
from mirical.model.terms import colour_correlation, given_names
from mirical.moves.round import GibbsRound
from mirical.weighting.sampled_sites import sampled_sites

CARDS = {
    "linear": load_card("linear", "test", MIRI),
    "detector": parse_card(detector_card_text('["F560W"]'), "detector", "test", MIRI),
}


@pytest.mark.parametrize("card", CARDS.values(), ids=CARDS)
def test_told_sites_are_those_of_which_the_draws_are_made(card: Card):
    design = crowded_design()
    rows = plain_rows(design, colour_correlation(design, card))
    model = partial(joint, card=card, observed=False)
    drawn = Predictive(model, num_samples=6)(jax.random.key(2), design)
    sampled = "_unit", "_volume"
    named = [name for name in given_names(design, card) if not name.endswith(sampled)]
    values = {name: np.asarray(drawn[name]) for name in named if name in drawn}

    def there_and_back(keyed, rows: Rows):
        key, values = jax.random.wrap_key_data(keyed[0]), keyed[1]
        told = sampled_sites(key, rows.design, card, values)
        return GibbsRound(card).known(told, values["colour_precision"], rows.design)[1]

    again = map_draws(there_and_back, (plain_keys(3, "test", 6), values), rows)
    assert set(values) <= set(again)
    for name, value in values.items():
        np.testing.assert_allclose(again[name], value, rtol=1e-7, atol=1e-9, err_msg=name)
