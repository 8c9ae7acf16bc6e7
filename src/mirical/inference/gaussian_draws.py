"""Posterior draws in the form that the Gaussian of the rows takes."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from mirical.cards.card import Card
from mirical.inference.gaussian import BAND_SCALES, ROW_SITES, SCALES
from mirical.inference.schema import Arrays
from mirical.laws.timelaw import LAWS
from mirical.model.design import Design
from mirical.model.detector_terms import DETECTOR_TERMS

Floats = NDArray[np.float64]


def needed(card: Card) -> tuple[str, ...]:
    """Return the sites of a draw that `Gaussians` needs, those judged first."""
    scalars = [name for name, term in SCALES.items() if card.has(term)]
    if card.has("response_loss"):
        scalars += LAWS[card.law].common
    # What a card fixes has no R-hat.
    scalars.sort(key=lambda name: card.priors[name].is_fixed)
    of_bands = [name for name in BAND_SCALES if name in card.priors]
    detector = [name for name in DETECTOR_TERMS if card.has(name)]
    return (*scalars, *of_bands, *LAWS[card.law].of_band, *detector, *ROW_SITES)


def row_sites(sites: Mapping[str, NDArray[Any]], card: Card) -> Arrays:
    """Return what `Gaussians` needs of the sites of some chains, one draw after another."""
    found = {name: np.asarray(sites[name]) for name in needed(card)}
    return {name: value.reshape(-1, *value.shape[2:]) for name, value in found.items()}


class Packing:
    """The sites of a draw and the repeatabilities in one array, as refits keep them.

    Attributes
    ----------
    judged : int
        The first so many numbers are those whose R-hat tells whether to believe a chain: free
        scalars of the card, or the repeatabilities where it has none.
    """

    def __init__(self, design: Design, card: Card) -> None:
        n_rows, n_bands, n_stars = len(design.rows), len(design.bands), len(design.stars)
        in_bands = dict.fromkeys(LAWS[card.law].of_band, (n_bands,))
        of_rows = {"expected": (n_rows,), "sigma": (n_rows,)}
        colours = {"star_band_offset": (n_stars, n_bands)}
        seen = design.covariates
        detector = {
            "step": (len(seen.steps), n_bands),
            "time_departure": (len(seen.knots), n_bands),
            "rate_slope": (n_bands,),
            "well_slope": (n_bands,),
            "reduction_offset": (len(seen.reductions), len(design.subarrays)),
        }
        known: dict[str, tuple[int, ...]] = in_bands | of_rows | colours | detector
        self._shapes = {name: known.get(name, ()) for name in needed(card)}
        scalars = [n for n, shape in self._shapes.items() if not shape and n not in BAND_SCALES]
        free = sum(not card.priors[name].is_fixed for name in scalars)
        repeatability = {"repeatability": (n_bands,)}
        self._shapes = self._shapes | repeatability if free else repeatability | self._shapes
        self.judged = free or n_bands

    def values(self, sites: dict[str, Any], design: Design) -> jax.Array:
        """Return the sites of a draw as one array; `design` is not looked at."""
        return jnp.concatenate([jnp.ravel(jnp.asarray(sites[name])) for name in self._shapes])

    def sites(self, values: Floats) -> Arrays:
        """Return the sites of draws from their arrays, shape (draw, number)."""
        ends = np.cumsum([prod(shape) for shape in self._shapes.values()])
        parts = np.split(values, ends[:-1], axis=1)
        return {
            name: part.reshape(-1, *shape)
            for (name, shape), part in zip(self._shapes.items(), parts, strict=True)
        }
