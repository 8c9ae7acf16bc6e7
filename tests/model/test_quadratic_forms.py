"""A stack's factorisations stay in the thread that asks for them."""

import re
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.scipy.linalg import solve_triangular

from mirical.jobs.sampler import Sampler
from mirical.model.quadratic_forms import few_at_once
from mirical.simulation.errors_and_faults import NO_FAULTS
from mirical.validation import oracle_fit
from mirical.validation.recovery import recover

SPLIT = 250_000
"""Multiplications from which XLA splits a stack over threads; one matrix is never split."""


def works(traced):
    """Return the multiplications of every call on a stack in a traced function."""
    calls = re.findall(r"f\d+\[([\d,]+)\] = (?:cholesky|triangular_solve)", str(traced))
    assert calls
    sizes = [list(map(int, call.split(","))) for call in calls]
    return [0] + [np.prod(s) * s[-2] for s in sizes if len(s) > 2]


@pytest.mark.parametrize(
    ("n_stacked", "size", "columns"), [(300, 14, 1), (5, 60, 1), (64, 30, 1), (40, 14, 100)]
)
def test_no_call_is_worth_splitting_over_threads(n_stacked, size, columns):
    random = np.random.default_rng(1)
    half = random.standard_normal((n_stacked, size, size))
    stack = jnp.asarray(half @ half.transpose(0, 2, 1) + np.eye(size))
    beside = jnp.asarray(random.standard_normal((n_stacked, size, columns)))

    def whiten(stack, beside):
        def each(pair):
            root = jnp.linalg.cholesky(pair[0], symmetrize_input=False)
            return solve_triangular(root, pair[1], lower=True)

        return few_at_once(each, (stack, beside))

    assert max(works(jax.make_jaxpr(whiten)(stack, beside))) <= SPLIT
    expected = np.linalg.solve(np.linalg.cholesky(stack), beside)
    np.testing.assert_allclose(whiten(stack, beside), expected, rtol=1e-8, atol=1e-10)


def test_no_call_of_the_floor_is_worth_splitting(monkeypatch):
    """All columns of the curvature taken at once locked up a run of the tests for an hour."""
    seen = []

    def spy(cost, at):
        seen.append((cost, at))
        return jnp.eye(len(at))

    monkeypatch.setattr(oracle_fit, "curvature_of", spy)
    recover(3, Sampler(), NO_FAULTS, ("floor",))
    monkeypatch.undo()
    (cost, _) = seen[0]
    at = jnp.zeros(29)
    assert max(works(jax.make_jaxpr(partial(oracle_fit.curvature_of, cost))(at))) <= SPLIT
