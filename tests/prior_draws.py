"""Rows drawn from the model's own prior, with the draw they came from."""

from __future__ import annotations

from dataclasses import replace
from functools import cache, partial

import jax
import numpy as np
from numpyro.infer import Predictive

from designs import crowded_design
from miri_facts import MIRI
from mirical.cards.card import load_card
from mirical.inference.sampling import without_leverage
from mirical.model.design import Design
from mirical.model.joint import joint

CARD = load_card("hierarchical", "test", MIRI)


@cache
def prior_draws(number: int, seed: int = 5) -> tuple[Design, dict[str, np.ndarray]]:
    """Return a crowded design and that many prior draws of the model's sites, rows included."""
    design = without_leverage(crowded_design())
    model = partial(joint, card=CARD, observed=False)
    drawn = Predictive(model, num_samples=number)(jax.random.key(seed), design)
    return design, {name: np.asarray(value) for name, value in drawn.items()}


def drawn_design(draw: int, number: int = 1) -> tuple[Design, dict[str, np.ndarray]]:
    """Return the design with the rows of one draw, and that draw's sites (one draw long)."""
    design, sites = prior_draws(number)
    rows = sites["log_factor"][draw]
    return replace(design, log_factor=rows), {k: v[draw : draw + 1] for k, v in sites.items()}
