"""Standard normals as one sample site."""

from __future__ import annotations

import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist
from jaxtyping import Array


def unit_normals(name: str, *shape: int) -> Array:
    """Sample standard normals of a shape, as one site."""
    return numpyro.sample(name, dist.Normal(jnp.zeros(shape), 1.0).to_event(len(shape)))
