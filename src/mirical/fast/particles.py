"""Points of the posterior moved side by side by the exact steps of the sampler."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mirical.cards.card import Card
from mirical.fast.coordinates import Coordinates
from mirical.fast.proposal import Floats, Proposal
from mirical.inference.kernels import CollapsedKernel, CollapsedState
from mirical.inference.runtime import cores, random_key
from mirical.model.design import Design

_AT_ONCE = 16  # points of one call
_STEP_SIZE = 0.4  # of the sampler's trajectories, in the widths of the approximation
_ACCEPTANCE = 0.9  # unused where nothing adapts


Named = Callable[[dict[str, Any], Design], Any]
"""What is wanted of a draw: of all its sites, and the design."""


class Moved(NamedTuple):
    """Points after a step, and what was drawn in it.

    Attributes
    ----------
    state : CollapsedState
        Of every point.
    drawn : tree of (point, draw, ...) arrays
        What is wanted of each draw of the step.
    stats : dict of {str : (point,) array}
        Statistics of the step.
    """

    state: Any
    drawn: Any
    stats: dict[str, Any]


class Mover:
    """The sampler's step, for many points.

    Parameters
    ----------
    design, card : Design, Card
        What is fitted.
    coordinates : Coordinates
        Of the points' vectors.
    named : callable
        What is wanted of a draw.
    """

    def __init__(self, design: Design, card: Card, coordinates: Coordinates, named: Named) -> None:
        self._kernel = CollapsedKernel(design, card, _ACCEPTANCE)
        self._coordinates, self._named, self._data = coordinates, named, self._kernel.data
        self._like = jax.eval_shape(
            partial(self._kernel.start, warmup=0), jax.random.key(0), self._kernel.data
        )
        shaped = jax.ShapeDtypeStruct
        states = jax.tree.map(lambda leaf: shaped((_AT_ONCE, *leaf.shape), leaf.dtype), self._like)
        self._lowered = jax.jit(self._many).lower(states, shaped((), int), self._data)
        self._compiled: Any = None

    def compile(self) -> None:
        """Compile the step; call once, in any thread, before the first."""
        self._compiled = self._lowered.compile()

    def moved_to(self, design: Design) -> Mover:
        """Return the step for other rows of the same stars, bands, subarrays and visits."""
        other = copy(self)
        other._data = (design, *self._data[1:])
        return other

    def states(self, x: Floats, outlier: Floats, proposal: Proposal, seed: int) -> CollapsedState:
        """Return the sampler's states at points, its metric that of the approximation."""
        number = len(x)
        sites = jax.vmap(self._coordinates.sites)(x)
        design = self._data[0]
        colour = jax.vmap(lambda one: self._coordinates.colour_precision(one, design))(x)
        keys = jax.random.split(random_key(seed, "moves"), 2 * number)
        filled = jax.tree.map(partial(_filled, number), self._like)
        width = np.sqrt(np.sum(np.asarray(proposal.root) ** 2, axis=1))
        of_sites = width[: sum(value[0].size for value in sites.values())]
        adapt = filled.hmc.adapt_state
        (group,) = adapt.inverse_mass_matrix
        adapt = adapt._replace(
            step_size=np.full(number, _STEP_SIZE),
            inverse_mass_matrix={group: np.tile(of_sites**2, (number, 1))},
            mass_matrix_sqrt={group: np.tile(1 / of_sites, (number, 1))},
            mass_matrix_sqrt_inv={group: np.tile(of_sites, (number, 1))},
        )
        hmc = filled.hmc._replace(
            i=np.ones(number, dtype=int), z=sites, adapt_state=adapt, rng_key=keys[:number]
        )
        return CollapsedState(hmc, jnp.asarray(outlier), colour, keys[number:])

    def step(self, states: CollapsedState) -> Moved:
        """Move every point by one step."""
        number = len(states.outlier)
        parts = [np.arange(i, min(i + _AT_ONCE, number)) for i in range(0, number, _AT_ONCE)]

        def some(part: np.ndarray) -> Moved:
            filled = np.resize(part, _AT_ONCE)
            taken = jax.tree.map(lambda leaf: leaf[filled], states)
            moved = self._compiled(taken, np.array(len(part)), self._data)
            return jax.tree.map(lambda leaf: leaf[: len(part)], Moved(*moved))

        with ThreadPoolExecutor(max_workers=cores()) as pool:
            each = list(pool.map(some, parts))
        return jax.tree.map(lambda *leaves: jnp.concatenate(leaves), *each)

    def _many(self, states: Any, count: Any, data: tuple[Any, ...]) -> Any:
        def one(i: Any) -> Any:
            return self._one(jax.tree.map(lambda leaf: leaf[i], states), data)

        empty = jax.tree.map(lambda shape: _nothing(_AT_ONCE, shape), jax.eval_shape(one, 0))
        return jax.lax.fori_loop(
            0, count, lambda i, kept: jax.tree.map(lambda a, v: a.at[i].set(v), kept, one(i)), empty
        )

    def _one(self, state: Any, data: tuple[Any, ...]) -> Any:
        state, hmc, draws = self._kernel.step(state, data)

        def named(draw: Any) -> Any:
            return self._named(self._kernel.sites(draw, data), data[0])

        stats = {
            "diverging": hmc.diverging,
            "energy": hmc.energy,
            "lp": -hmc.potential_energy,
            "n_steps": hmc.num_steps,
            "acceptance_rate": hmc.accept_prob,
            "step_size": hmc.adapt_state.step_size,
        }
        return state, jax.lax.map(named, draws), stats


def _nothing(number: int, shape: Any) -> Any:
    if jnp.issubdtype(shape.dtype, jax.dtypes.prng_key):
        return jax.random.split(jax.random.key(0), (number, *shape.shape))
    return jnp.zeros((number, *shape.shape), shape.dtype)


def _filled(number: int, shape: Any) -> Any:
    if jnp.issubdtype(shape.dtype, jax.dtypes.prng_key):
        return jax.random.split(jax.random.key(0), (number, *shape.shape))
    return np.zeros((number, *shape.shape), shape.dtype)
