"""A stack's factorisations stay in the thread that asks for them."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mirical.model.forms import few_at_once


@pytest.mark.parametrize(("n_stacked", "size"), [(300, 14), (5, 60), (64, 30)])
def test_no_call_is_worth_splitting_over_threads(n_stacked, size):
    """XLA splits calls worth more than about 250 000 multiplications; one matrix is never split."""
    random = np.random.default_rng(1)
    half = random.standard_normal((n_stacked, size, size))
    stack = jnp.asarray(half @ half.transpose(0, 2, 1) + np.eye(size))

    def factor(stack):
        return few_at_once(lambda each: jnp.linalg.cholesky(each[0]), (stack, stack))

    calls = re.findall(r"f\d+\[([\d,]+)\] = cholesky", str(jax.make_jaxpr(factor)(stack)))
    assert calls
    for call in calls:
        *count, _, _ = map(int, call.split(","))
        assert not count or count[0] * size**3 <= 250_000
    np.testing.assert_allclose(factor(stack), np.linalg.cholesky(stack), rtol=1e-10, atol=1e-10)
