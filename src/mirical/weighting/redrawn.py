"""Offsets drawn again, exactly, given draws of everything else."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float
from numpyro import handlers

from mirical.cards.card import Card
from mirical.compiled.draws import map_draws
from mirical.inference.posterior import Reference, derived
from mirical.inference.runtime import plain_keys, random_key
from mirical.inference.sampling import flux_scale_draws
from mirical.inference.schema import Arrays
from mirical.model.collapsed import integrate, row_variance
from mirical.model.design import Data, Design
from mirical.model.nesting import Rows
from mirical.model.redraw import redraw
from mirical.model.terms import Given, given, given_names


def redrawn_sites(
    sites: Arrays,
    outlier: Float[Data, "draw row"],
    rows: Rows,
    card: Card,
    seed: int,
    reference_mjd: float,
) -> Arrays:
    """Draw every offset given the rows and each draw of the rest.

    Parameters
    ----------
    sites : dict of {str : (draw, ...) array}
        Draws of what `mirical.model.terms.given` samples, either as it samples them
        (``loss_unit``) or as the posterior names them (``loss``), ``colour_precision`` included.
    outlier : (draw, row) array
        One for an outlier, zero for any other.
    rows, card : Rows, Card
        The rows and the model.
    seed : int
        Fixes the offsets drawn.
    reference_mjd : float
        Epoch of ``C_ref``, MJD in days.

    Returns
    -------
    dict of {str : (draw, ...) array}
        The sites, the offsets, ``B``, ``C_ref`` and the rows' ``expected`` and ``sigma``.
    """
    number = len(outlier)
    keys = plain_keys(seed, "offsets", number)
    reference = Reference(reference_mjd, rows.design.t0)
    of_draw = partial(_of_draw, card=card, reference=reference)
    sites = {name: sites[name] for name in given_names(rows.design, card) if name in sites}
    drawn = map_draws(of_draw, (keys, sites, np.asarray(outlier)), rows)
    key = random_key(seed, "flux scale")
    return drawn | flux_scale_draws(card, key, (number,))


def known_at(design: Design, card: Card, values: dict[str, Any]) -> tuple[Given, dict[str, Any]]:
    """Return what makes the rest linear at values of sites, and all sites that they determine."""
    model = handlers.trace(handlers.substitute(handlers.seed(given, 0), data=values))
    known = model(design, card)
    named = {
        name: site["value"]
        for name, site in model.trace.items()
        if site["type"] == "deterministic" or (name in values and not site["is_observed"])
    }
    return known, named


def _of_draw(
    keyed: tuple[jax.Array, dict[str, Any], jax.Array],
    rows: Rows,
    *,
    card: Card,
    reference: Reference,
) -> dict[str, Any]:
    key, values, outlier = jax.random.wrap_key_data(keyed[0]), keyed[1], keyed[2]
    design, blocks = rows
    known, named = known_at(design, card, values)
    y = jnp.asarray(design.log_factor) - known.sampled_effect
    integrated = integrate(design, blocks, known.scales, y, row_variance(known, outlier))
    offsets = redraw(key, design, blocks, known.scales, integrated)
    of_rows = {"expected": known.sampled_effect + offsets.at_rows(design), "sigma": known.sigma}
    sites: dict[str, Any] = named | offsets.quantities(design) | of_rows
    return sites | derived(sites, card.law, reference, design.covariates)
