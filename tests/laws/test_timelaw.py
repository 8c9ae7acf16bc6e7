"""The response loss with time (paper Eq. 4), and the laws it is compared with."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from mirical.laws.timelaw import ADDITIVE, LATE, LAWS, amplitude, log_relative_factor

A, B, TAU = 0.9064, -0.2011, 235.4  # F2550W of Table 8
LOSS = float(np.log(A / (A + B)))
OTHERS = {"loss_per_year": 0.004, "slow_share": 0.3, "slow_ratio": 5.0}


def law_of(law: str, elapsed: list[float], loss: float, tau: float, **others: float) -> np.ndarray:
    bands = {"loss": [loss], "tau": [tau]} | {k: [v] for k, v in others.items() if "year" in k}
    of = {k: np.array(v) for k, v in (others | bands).items()}
    return log_relative_factor(law, np.array(elapsed), of, np.zeros(len(elapsed), dtype=int))


@pytest.mark.parametrize("elapsed", [0.0, 40.0, 235.4, 1500.0])
def test_the_law_is_additive_in_the_factor(elapsed: float):
    factor = A * np.exp(law_of(ADDITIVE, [elapsed], LOSS, TAU))
    assert factor == pytest.approx([A + B * np.exp(-elapsed / TAU)], rel=1e-14)


def test_b_follows_from_a_and_the_loss():
    assert amplitude(jnp.array(A), jnp.array(LOSS)) == pytest.approx(B, rel=1e-14)


@pytest.mark.parametrize("law", [name for name, law in LAWS.items() if law.settles])
@pytest.mark.parametrize("loss", [-0.1, 0.0, 0.05, 3.0])
def test_the_factor_begins_at_a_exp_minus_loss(law: str, loss: float):
    assert law_of(law, [0.0], loss, TAU, **OTHERS) == pytest.approx([-loss], abs=1e-14)


@pytest.mark.parametrize("law", ["additive", "exponential", "two-exponentials"])
def test_laws_that_settle_tend_to_a(law: str):
    assert law_of(law, [1e6], 0.3, TAU, **OTHERS) == pytest.approx([0.0], abs=1e-14)


def test_the_power_law_is_the_pipeline_s_and_has_a_at_a_late_date():
    at = [0.0, 100.0, LATE]
    found = law_of("power", at, LOSS, TAU)
    assert found[-1] == pytest.approx(0.0, abs=1e-14)
    # The pipeline divides by year1value ((x + tsoft) / (365 + tsoft))^alpha.
    alpha = -LOSS / np.log1p(LATE / TAU)
    throughput = ((np.array(at) + TAU) / (365 + TAU)) ** alpha
    np.testing.assert_allclose(np.exp(found - found[0]), throughput[0] / throughput, rtol=1e-13)


def test_throughputs_are_those_of_the_pipeline():
    at = np.array([0.0, 200.0, 900.0])
    b = np.expm1(0.2)
    exponential = 1 + b * np.exp(-at / 150.0)
    found = law_of("exponential", at.tolist(), 0.2, 150.0)
    np.testing.assert_allclose(np.exp(-found), exponential, rtol=1e-13)
    found = law_of("exponential-linear", at.tolist(), 0.2, 150.0, loss_per_year=0.004)
    np.testing.assert_allclose(np.exp(-found), exponential * (1 - 0.004 * at / 365), rtol=1e-13)
    found = law_of("two-exponentials", at.tolist(), 0.2, 150.0, slow_share=0.3, slow_ratio=5.0)
    two = 1 + b * (0.7 * np.exp(-at / 150) + 0.3 * np.exp(-at / 750))
    np.testing.assert_allclose(np.exp(-found), two, rtol=1e-13)


def test_the_linear_law_loses_its_rate_every_year_from_a_on():
    of = {"loss_per_year": np.array([0.01, -0.02])}
    found = np.exp(
        log_relative_factor("linear", np.array([0.0, 365.0, 730.0]), of, np.array([0, 0, 1]))
    )
    np.testing.assert_allclose(found, [1.0, 1 / 0.99, 1 / 1.04], rtol=1e-14)


def test_after_one_time_constant_the_difference_to_a_has_fallen_by_e():
    at = np.expm1(law_of(ADDITIVE, [0.0, 150.0, 300.0], 0.3, 150.0))
    assert at[0] / at[1] == pytest.approx(np.e, rel=1e-13)
    assert at[1] / at[2] == pytest.approx(np.e, rel=1e-13)


def test_without_a_time_constant_the_factor_stays_where_it_began():
    law = law_of(ADDITIVE, [0.0, 1000.0], 0.2, np.inf)
    np.testing.assert_allclose(law, [-0.2, -0.2], rtol=1e-14)


@pytest.mark.parametrize("law", LAWS)
def test_jax_and_numpy_agree_draw_by_draw(law: str):
    random = np.random.default_rng(5)
    of = {"loss": random.uniform(0, 0.3, (6, 2)), "tau": random.uniform(50, 400, (6, 2))}
    of |= {"loss_per_year": random.normal(0, 0.01, (6, 2))}
    of |= {"slow_share": random.uniform(0, 1, 6), "slow_ratio": random.uniform(1, 9, 6)}
    elapsed, band = np.array([0.0, 30.0, 700.0]), np.array([1, 0, 1])
    found = log_relative_factor(law, elapsed, of, band)
    assert found.shape == (6, 3)
    one = {name: jnp.asarray(value[4]) for name, value in of.items()}
    in_jax = log_relative_factor(law, jnp.asarray(elapsed), one, jnp.asarray(band))
    assert in_jax.dtype == jnp.float64
    np.testing.assert_allclose(in_jax, found[4], rtol=1e-12, atol=1e-15)
