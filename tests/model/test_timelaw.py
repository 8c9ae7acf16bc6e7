"""The response loss with time (paper Eq. 4)."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from mirical.model.timelaw import amplitude, log_relative_factor

A, B, TAU = 0.9064, -0.2011, 235.4  # F2550W of Table 8
LOSS = float(np.log(A / (A + B)))


@pytest.mark.parametrize("elapsed", [0.0, 40.0, 235.4, 1500.0])
def test_the_law_is_additive_in_the_factor(elapsed: float):
    log_factor = log_relative_factor(jnp.array(elapsed), jnp.array(LOSS), jnp.array(TAU))
    assert log_factor.dtype == jnp.float64
    factor = A * np.exp(log_factor)
    assert factor == pytest.approx(A + B * np.exp(-elapsed / TAU), rel=1e-14)


def test_b_follows_from_a_and_the_loss():
    assert amplitude(jnp.array(A), jnp.array(LOSS)) == pytest.approx(B, rel=1e-14)


def test_the_factor_begins_at_a_exp_minus_loss_and_tends_to_a():
    loss = jnp.array([-0.1, 0.0, 0.05, 3.0])
    tau = jnp.full(4, 200.0)
    np.testing.assert_allclose(log_relative_factor(jnp.zeros(4), loss, tau), -loss, atol=1e-15)
    np.testing.assert_array_equal(log_relative_factor(jnp.full(4, 1e6), loss, tau), np.zeros(4))


def test_after_one_time_constant_the_difference_to_a_has_fallen_by_e():
    at = [
        float(jnp.expm1(log_relative_factor(jnp.array(x), jnp.array(0.3), jnp.array(150.0))))
        for x in (0.0, 150.0, 300.0)
    ]
    assert at[0] / at[1] == pytest.approx(np.e, rel=1e-13)
    assert at[1] / at[2] == pytest.approx(np.e, rel=1e-13)


def test_without_a_time_constant_the_factor_stays_where_it_began():
    law = log_relative_factor(jnp.array([0.0, 1000.0]), jnp.array(0.2), jnp.array(jnp.inf))
    np.testing.assert_allclose(law, [-0.2, -0.2], rtol=1e-14)
