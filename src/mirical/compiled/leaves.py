"""Leaves of trees as plain numbers: shapes, kinds of numbers, and random keys as their data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp


@dataclass(frozen=True)
class Kind:
    """What compiled code must know of an array.

    Attributes
    ----------
    shape : tuple of int
        Its shape; that of the keys where it holds random keys.
    dtype : str
        Of its numbers.
    weak : bool
        Whether JAX lets other arrays choose the type of a result.
    keys : str or None
        The random generator whose keys these are; no name if it has none.
    """

    shape: tuple[int, ...]
    dtype: str
    weak: bool
    keys: Any

    @property
    def leaf(self) -> jax.ShapeDtypeStruct:
        """Return the shape of the array, as JAX tells it."""
        if self.keys is None:
            return jax.ShapeDtypeStruct(self.shape, self.dtype, weak_type=self.weak)
        keys = jax.eval_shape(lambda: jax.random.key(0, impl=self.keys))
        return jax.ShapeDtypeStruct(self.shape, keys.dtype)

    @property
    def numbers(self) -> jax.ShapeDtypeStruct:
        """Return the shape of its numbers."""
        return self.leaf if self.keys is None else jax.eval_shape(as_numbers, self.leaf)

    def restored(self, numbers: Any) -> Any:
        """Return the array of such numbers."""
        if self.keys is None:
            return numbers
        return jax.random.wrap_key_data(numbers, impl=self.keys)


def kind_of(leaf: Any) -> Kind:
    """Return the kind of an array, of a number, or of a `jax.ShapeDtypeStruct`.

    Raises
    ------
    TypeError
        If it is nothing of that.
    """
    known = leaf if isinstance(leaf, jax.ShapeDtypeStruct) else jax.typeof(leaf)
    if not _is_key(known):
        return Kind(tuple(known.shape), jnp.dtype(known.dtype).name, bool(known.weak_type), None)
    names: list[Any] = []
    jax.eval_shape(lambda keys: names.append(jax.random.key_impl(keys)), _shape(known))
    return Kind(tuple(known.shape), "", False, names[0])


def as_numbers(leaf: Any) -> Any:
    """Return an array's numbers: the data of random keys, any other as it is."""
    return jax.random.key_data(leaf) if _is_key(leaf) else leaf


def _is_key(leaf: Any) -> bool:
    return hasattr(leaf, "dtype") and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _shape(known: Any) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(known.shape, known.dtype)
