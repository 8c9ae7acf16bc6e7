"""Sites that the sampler moves, in its units, told from draws as a posterior names them.

A posterior keeps losses, time constants and repeatabilities themselves; the sampler moves in units
that the rows at hand set (`mirical.model.sampler_units`), so that draws of other rows must be told
in these anew.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.flatten_util
import jax.numpy as jnp
from jaxtyping import Array, Float
from numpyro import handlers
from numpyro.distributions import biject_to

from mirical.cards.card import Card
from mirical.model.design import Design
from mirical.model.detector_terms import DETECTOR_TERMS
from mirical.model.terms import Scatter, given, given_names, loss_per_year_unit, loss_unit, tau_unit

Values = dict[str, Any]


def told_names(design: Design, card: Card) -> list[str]:
    """Return the names of what tells the sampler's sites in whatever units."""
    of_units = "_unit", "_volume"
    return [name for name in given_names(design, card) if not name.endswith(of_units)]


def sampled_sites(key: jax.Array, design: Design, card: Card, values: Values) -> Values:
    """Return the sites that `mirical.model.terms.given` samples, unconstrained.

    Parameters
    ----------
    key : key
        Fixes what the values do not tell: the parts of a detector term's sum.
    design, card : Design, Card
        Whose units they are.
    values : dict of {str : array}
        A draw as the posterior names it, with ``colour_precision``, which stays as it is.
    """
    model = handlers.trace(handlers.substitute(handlers.seed(given, 0), data=values))
    known = model(design, card)
    of = {name: site["value"] for name, site in model.trace.items() if site["type"] != "plate"}
    sampled = {
        name: site
        for name, site in model.trace.items()
        if site["type"] == "sample" and not site["is_observed"] and name != "colour_precision"
    }
    found = {
        name: biject_to(site["fn"].support).inv(site["value"])
        for name, site in sampled.items()
        if name in values
    }
    common = Scatter(*(of[f"repeatability_{name}"] for name in Scatter._fields))
    found["repeatability_unit"] = common.unit(of["repeatability"], design)
    if "loss_unit" in sampled:
        found["loss_unit"] = loss_unit(design, card, known.scales, known.sigma, of)
        found["tau_unit"] = tau_unit(design, card, of)
    if "loss_per_year_unit" in sampled:
        found["loss_per_year_unit"] = loss_per_year_unit(design, card, of)
    linear = {name: site["value"] for name, site in sampled.items() if name not in found}
    return found | _linear(key, design, card, values, linear)


def _linear(key: jax.Array, design: Design, card: Card, values: Values, sites: Values) -> Values:
    """Draw the standard normals of the detector terms, which are linear in them, given their sums.

    With v = J u, u standard normal, u given v is J+ v + (1 - J+ J) n, n standard normal.
    """
    if not sites:
        return {}
    start, shaped = jax.flatten_util.ravel_pytree(sites)
    others = {name: value for name, value in values.items() if name not in DETECTOR_TERMS}

    def terms(flat: Float[Array, " unit"]) -> Float[Array, " number"]:
        data = others | shaped(flat)
        model = handlers.trace(handlers.substitute(handlers.seed(given, 0), data=data))
        model(design, card)
        return jnp.concatenate(
            [jnp.ravel(model.trace[name]["value"]) for name in DETECTOR_TERMS if card.has(name)]
        )

    told = jnp.concatenate([jnp.ravel(values[name]) for name in DETECTOR_TERMS if card.has(name)])
    by = jax.jacfwd(terms)(jnp.zeros_like(start))
    inverse = jnp.linalg.pinv(by)
    noise = jax.random.normal(key, start.shape)
    return shaped(inverse @ told + noise - inverse @ (by @ noise))
