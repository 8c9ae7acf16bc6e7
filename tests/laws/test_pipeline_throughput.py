"""The pipeline's relative throughputs: its own formulas, and our laws in its tables."""

from __future__ import annotations

import numpy as np
import pytest
from jwst.photom import time_dependence

from mirical.laws.pipeline_throughput import exact_tables, relative_throughput
from mirical.laws.timelaw import log_relative_factor

X = np.array([0.0, 3.5, 120.0, 365.0, 900.0, 2280.0])
T0 = np.full(2, 59720.0)
TABLES = {
    "exponential": {
        "t0": T0,
        "amplitude": np.array([0.0, 0.25]),
        "tau": np.array([200.0, 235.4]),
        "const": np.array([1.0, 0.98]),
    },
    "linear": {"t0": T0, "lossperyear": np.array([0.002, -0.01])},
    "powerlaw": {
        "t0": T0,
        "year1value": np.array([0.97, 1.0]),
        "tsoft": np.array([50.0, 5.0]),
        "alpha": np.array([-0.02, 0.0]),
    },
}
FORMULAS = {
    "exponential": time_dependence.exponential_correction,
    "linear": time_dependence.linear_correction,
    "powerlaw": time_dependence.powerlaw_correction,
}


@pytest.mark.parametrize("name", TABLES)
def test_each_function_is_the_installed_pipelines(name: str):
    for x in X:
        ours = relative_throughput({name: TABLES[name]}, 59720.0 + x)
        np.testing.assert_allclose(ours, FORMULAS[name](59720.0 + x, **TABLES[name]), rtol=1e-14)


def test_functions_that_have_a_table_are_multiplied_and_none_is_one():
    whole = relative_throughput(TABLES, 60000.0)
    parts = [relative_throughput({name: TABLES[name]}, 60000.0) for name in TABLES]
    np.testing.assert_allclose(whole, np.prod(parts, axis=0), rtol=1e-14)
    assert relative_throughput({}, 60000.0) == 1.0


@pytest.mark.parametrize("law", ["exponential", "exponential-linear", "linear", "power"])
def test_a_law_of_the_pipelines_kind_is_held_exactly(law: str):
    of = {
        "A": np.array([0.3, 0.9]),
        "loss": np.array([0.01, 0.25]),
        "tau": np.array([200.0, 150.0]),
        "loss_per_year": np.array([0.001, 0.004]),
    }
    exact = exact_tables(law, of, 59720.0)
    assert exact is not None
    photmjsr, tables = exact
    band = np.array([0, 1])
    for x in X:
        ours = of["A"] * np.exp(log_relative_factor(law, np.full(2, x), of, band))
        np.testing.assert_allclose(
            photmjsr / relative_throughput(tables, 59720.0 + x), ours, rtol=1e-13
        )


@pytest.mark.parametrize("law", ["additive", "two-exponentials"])
def test_a_law_the_pipeline_has_not_is_not_held_exactly(law: str):
    of = {name: np.ones(2) for name in ("A", "loss", "tau")}
    assert exact_tables(law, of, 59720.0) is None
