"""Functions of each draw of a posterior, computed in blocks of draws on all cores."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import jax
import numpy as np

from mirical.compiled.functions import stored
from mirical.many.processes import cores

_DRAWS = 25  # of one call; 100 draws still keep four cores busy


def map_draws(function: Callable[..., Any], draws: Any, *data: Any) -> Any:
    """Return a function of each draw, in blocks of draws side by side on all cores.

    All blocks are of one size, the last one filled up: the compiled function is then the same
    however many draws there are, and a later run finds it in the store. Within a block draw comes
    after draw, for XLA may lock up on batches of thousands of factorisations, and all at once take
    half a gigabyte for a program of 500 rows.

    Parameters
    ----------
    function : callable
        Given one draw, a tree of arrays, and `data`, returns a tree of arrays. To be stored it
        must be one that `mirical.compiled.functions.prepare` knows.
    draws : tree of (draw, ...) arrays
        At least one draw.
    *data : tree of arrays
        What all draws have in common; what is compiled serves other data of the same shapes.
    """
    number = len(jax.tree.leaves(draws)[0])

    def part(start: int) -> Any:
        at = np.minimum(np.arange(start, start + _DRAWS), number - 1)
        return jax.tree.map(lambda values: values[at], draws)

    each = stored(partial(_each, function=function), part(0), *data)

    def block(start: int) -> Any:
        made = each(part(start), *data)
        return jax.tree.map(lambda values: np.asarray(values)[: number - start], made)

    with ThreadPoolExecutor(max_workers=cores()) as pool:
        done = list(pool.map(block, range(0, number, _DRAWS)))
    return jax.tree.map(lambda *blocks: np.concatenate(blocks), *done)


def _each(block: Any, *data: Any, function: Callable[..., Any]) -> Any:
    return jax.lax.map(lambda one: function(one, *data), block)
