"""Coordinates of all that the collapsed density is sampled in, as one vector.

The sites of the terms come in the sampler's units (unconstrained, about one wide), then for each
star the cube root of its colour precision, standardised so that its gamma prior is about standard
normal (Wilson & Hilferty 1931, PNAS 17, 684), bent where it would be negative.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpyro import handlers
from numpyro.infer.util import constrain_fn, potential_energy

from mirical.cards.card import Card
from mirical.model.collapsed import collapsed
from mirical.model.design import Data, Design
from mirical.model.nesting import Blocks
from mirical.model.terms import Given, given

_BEND = 6.0
"""Sharpness of the bend to positive cube roots."""

Sites = dict[str, Any]


@dataclass(frozen=True)
class Coordinates:
    """The vector of a card on a design.

    Attributes
    ----------
    card : Card
        The model.
    shapes : tuple of (str, tuple of int)
        Sites of the terms, and the shape of each.
    n_stars : int
        How many stars have a colour precision.
    """

    card: Card
    shapes: tuple[tuple[str, tuple[int, ...]], ...]
    n_stars: int

    @classmethod
    def of(cls, design: Design, card: Card) -> Coordinates:
        """Return those of a design."""
        found = jax.eval_shape(partial(_sampled, card=card), design)
        shapes = tuple((name, tuple(found[name].shape)) for name in sorted(found))
        return cls(card, shapes, len(design.stars) if card.has("star_band_offset") else 0)

    def __len__(self) -> int:
        return self.of_sites + self.n_stars

    @property
    def _ends(self) -> list[int]:
        return [
            int(end) for end in np.cumsum([np.prod(shape, dtype=int) for _, shape in self.shapes])
        ]

    @property
    def _half_df(self) -> float:
        return self.card.fixed("colour_tail") / 2

    @property
    def of_sites(self) -> int:
        """How many numbers are of sites; those of the stars' colour precisions come behind."""
        return self._ends[-1]

    def sites(self, x: Float[Data, " number"]) -> Sites:
        """Return the sites in the sampler's units."""
        parts = jnp.split(jnp.asarray(x)[: self.of_sites], self._ends[:-1])
        each = zip(self.shapes, parts, strict=True)
        return {name: part.reshape(shape) for (name, shape), part in each}

    def colour_precision(self, x: Float[Array, " number"], design: Design) -> Float[Array, " star"]:
        """Return the colour precision of each star."""
        if not self.n_stars:
            return jnp.ones(len(design.stars))
        return self._root(x) ** 3

    def vector(self, sites: Sites, colour_precision: Float[Array, " star"]) -> Array:
        """Return the vector of sites in the sampler's units and of the stars' colour precisions."""
        parts = [jnp.ravel(sites[name]) for name, _ in self.shapes]
        if self.n_stars:
            mean, width = self._cube_root()
            bent = _BEND * jnp.cbrt(colour_precision)
            parts.append((bent / _BEND + jnp.log(-jnp.expm1(-bent)) / _BEND - mean) / width)
        return jnp.concatenate(parts)

    def log_density(
        self,
        x: Float[Array, " number"],
        outlier: Float[Array, " row"],
        data: tuple[Design, Blocks],
        added: Float[Array, "2 row"] | None = None,
    ) -> Float[Array, ""]:
        """Return the collapsed log density, given which rows are outliers, per unit of the vector.

        `added` as in `mirical.model.collapsed.collapsed`.
        """
        model = partial(collapsed, card=self.card, added=added)
        arguments = (*data, outlier, self.colour_precision(x, data[0]))
        density = -potential_energy(model, arguments, {}, self.sites(x))
        if not self.n_stars:
            return density
        _, width = self._cube_root()
        root, slope = self._root(x), jax.nn.sigmoid(_BEND * self._unbent(x))
        return density + jnp.sum(jnp.log(3 * root**2 * slope * width))

    def known(self, x: Float[Array, " number"], data: tuple[Design, Blocks]) -> Given:
        """Return what makes the rest of the model linear and Gaussian."""
        design, _ = data
        of_stars = {"colour_precision": self.colour_precision(x, design)}
        terms = handlers.condition(given, data=of_stars)
        values = constrain_fn(terms, (design, self.card), {}, self.sites(x)) | of_stars
        return handlers.substitute(handlers.seed(given, 0), data=values)(design, self.card)

    def _cube_root(self) -> tuple[float, float]:
        """Return mean and width of the cube root of a colour precision under its prior."""
        return 1 - 1 / (9 * self._half_df), 1 / (3 * np.sqrt(self._half_df))

    def _unbent(self, x: Float[Array, " number"]) -> Float[Array, " star"]:
        mean, width = self._cube_root()
        return mean + width * x[self.of_sites :]

    def _root(self, x: Float[Array, " number"]) -> Float[Array, " star"]:
        return jax.nn.softplus(_BEND * self._unbent(x)) / _BEND


def _sampled(design: Design, *, card: Card) -> Sites:
    """Return what the terms sample but the colour precisions."""
    of_stars = {"colour_precision": jnp.ones(len(design.stars))}
    terms = handlers.condition(handlers.seed(given, 0), data=of_stars)
    trace = handlers.trace(terms).get_trace(design, card)
    return {
        name: site["value"]
        for name, site in trace.items()
        if site["type"] == "sample" and not site["is_observed"]
    }
