"""Convergence diagnostics: whose is the worst, and what counts as printed."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from mirical.chains.convergence import diagnose, error_noise_limit, printed_places


def test_few_effective_draws_are_told_by_quantity():
    random = np.random.default_rng(4)
    independent = random.standard_normal((4, 1000, 2))
    slow = np.repeat(random.standard_normal((4, 50)), 20, axis=1)
    independent[:, :, 1] = slow
    drawn = xr.Dataset(
        {
            "A": (("chain", "draw", "band"), independent),
            "D": (("chain", "draw"), np.ones((4, 1000))),
        },
        coords={"band": ["F560W", "F770W"]},
    )
    printed = {"A": np.array([True, True]), "D": np.array(True)}
    found = diagnose(drawn, printed)
    assert found.labels == ("A[F560W]", "A[F770W]")  # D is constant
    of_errors, of_means = found.largest(found.error), found.largest(found.mean)
    assert of_errors[1] == of_means[1] == "A[F770W]"
    assert of_errors[0] == pytest.approx(0.964 / np.sqrt(200), rel=0.5)
    assert of_means[0] == pytest.approx(1 / np.sqrt(200), rel=0.5)
    one = diagnose(drawn, printed, {"A": np.array([0])})
    assert one.labels == ("A[F560W]",) and one.error[0] < error_noise_limit(4000)


def test_a_quantity_that_varies_without_a_finite_diagnostic_is_the_worst():
    values = np.random.default_rng(1).standard_normal((2, 100, 2))
    values[0, 3, 1] = np.nan
    drawn = xr.Dataset({"A": (("chain", "draw", "band"), values)}, {"band": ["F560W", "F770W"]})
    found = diagnose(drawn, {})
    for value, label in (found.largest(found.rhat), found.smallest(found.bulk)):
        assert np.isnan(value) and label == "A[F770W]"


def test_what_is_judged_as_printed_is_all_of_a_variable_that_was_drawn():
    drawn = xr.Dataset({"A": (("chain", "draw", "band"), np.zeros((1, 4, 3)))})
    places = printed_places(drawn, ("A", "B"))
    assert set(places) == {"A"} and places["A"].tolist() == [True] * 3
