"""A stack's factorisations stay in the thread that asks for them."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.scipy.linalg import solve_triangular

from mirical.model.forms import few_at_once


@pytest.mark.parametrize(
    ("n_stacked", "size", "columns"), [(300, 14, 1), (5, 60, 1), (64, 30, 1), (40, 14, 100)]
)
def test_no_call_is_worth_splitting_over_threads(n_stacked, size, columns):
    """XLA splits calls worth more than about 250 000 multiplications; one matrix is never split."""
    random = np.random.default_rng(1)
    half = random.standard_normal((n_stacked, size, size))
    stack = jnp.asarray(half @ half.transpose(0, 2, 1) + np.eye(size))
    beside = jnp.asarray(random.standard_normal((n_stacked, size, columns)))

    def whiten(stack, beside):
        def each(pair):
            root = jnp.linalg.cholesky(pair[0], symmetrize_input=False)
            return solve_triangular(root, pair[1], lower=True)

        return few_at_once(each, (stack, beside))

    traced = str(jax.make_jaxpr(whiten)(stack, beside))
    for call, wide in (("cholesky", size), ("triangular_solve", columns)):
        shapes = re.findall(rf"f\d+\[([\d,]+)\] = {call}", traced)
        assert shapes
        for shape in shapes:
            *count, _, _ = map(int, shape.split(","))
            assert not count or count[0] * size**2 * wide <= 250_000
    expected = np.linalg.solve(np.linalg.cholesky(stack), beside)
    np.testing.assert_allclose(whiten(stack, beside), expected, rtol=1e-8, atol=1e-10)
