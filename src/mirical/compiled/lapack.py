"""LAPACK's routines that compiled code calls, and how a process comes by them."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Any

import jax


def _triangular_solve(root: jax.Array, vector: jax.Array) -> jax.Array:
    return jax.lax.linalg.triangular_solve(root, vector, left_side=True, lower=True)


_LOWERED_BY: dict[str, tuple[Callable[..., Any], int]] = {
    "lapack_dpotrf_ffi": (jax.lax.linalg.cholesky, 1),
    "lapack_dtrsm_ffi": (_triangular_solve, 2),
    "lapack_dgesdd_ffi": (jax.lax.linalg.svd, 1),
}
"""By routine, an operation of so many matrices that calls it."""

_CALL = re.compile(r"custom_call @([\w.$]+)\(")


def routines(text: str) -> list[str] | None:
    """Return the routines outside XLA that a lowered function calls, given its text.

    None if it calls anything else than those known here, such as a function of Python: code that
    was loaded would not find it again, and crash.
    """
    found = _CALL.findall(text)
    known = len(found) == text.count("custom_call") and set(found) <= set(_LOWERED_BY)
    return sorted(set(found)) if known else None


@cache
def provide(routine: str) -> None:
    """Have JAX load a routine, which it does where a function that calls it is lowered.

    Without, loaded code calls nothing: the process ends.
    """
    operation, number = _LOWERED_BY[routine]
    jax.jit(operation).lower(*[jax.ShapeDtypeStruct((1, 1), float)] * number)
