"""Draws weighed by new rows: what they must hold."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from xarray import Dataset, DataTree

from designs import crowded_design
from miri_facts import MIRI
from mirical.cards.card import load_card
from mirical.errors import InputError
from mirical.updating.weighing import Weighing, weigh
from mirical.weighting.pareto import Weights


def test_a_variable_that_a_posterior_lacks_is_named_and_not_made_up():
    """NumPyro would draw it from its prior, the same in all draws."""
    design, card = crowded_design(), load_card("hierarchical", "test", MIRI)
    draws = Dataset({"sigma": (("chain", "draw", "row"), np.ones((1, 4, len(design.rows))))})
    parent = SimpleNamespace(folder=Path("old"), posterior=DataTree.from_dict({"posterior": draws}))
    inputs = SimpleNamespace(design=design, card=card)
    update: Any = SimpleNamespace(parent=parent, before=inputs, inputs=inputs, seed=1)
    with pytest.raises(InputError, match=r"^old/posterior\.nc: has no variable '.*run the job"):
        weigh(update)


@pytest.mark.parametrize(
    ("k", "effective", "said"),
    [
        (0.9, 10.0, r"Pareto k of the weights of all at once is 0\.90, its limit 0\.70"),
        (0.1, 320.0, "leave 320 effective draws of what the run knows least, and 400 are needed"),
        (0.1, 800.0, "leave too few effective draws of a reported quantity"),
    ],
)
def test_why_the_weights_do_not_do_is_said(k: float, effective: float, said: str):
    nothing: Any = None
    weights = Weights(np.full(4000, 1 / 4000), k, effective)
    found = Weighing(4, {}, nothing, weights, effective, fewest=900.0, p_value=1.0)
    # Where the weights themselves leave enough, it is the verdict on the run that refuses it.
    assert found.enough == (effective > 400) and re.search(said, found.shortage)
