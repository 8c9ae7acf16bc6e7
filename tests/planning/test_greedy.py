"""The exact update of a Gaussian by observations, and the greedy choice of them."""

from __future__ import annotations

import numpy as np
import pytest

from mirical.planning.greedy import Prospect, choose, path


def rows(*numbers: int) -> np.ndarray:
    return np.array(numbers, dtype=np.intp)


def some_prospect(forms: int = 1, candidates: int = 5) -> Prospect:
    root = np.random.default_rng(3).normal(size=(forms + candidates, forms + candidates + 2))
    return Prospect(root @ root.T, np.linspace(0.5, 2.0, candidates), forms)


def test_one_row_lowers_the_variance_as_worked_out_by_hand():
    """Goal of variance 4, effect of variance 9, covariance 3, error of variance 3: 4 - 9 / 12."""
    prospect = Prospect(np.array([[4.0, 3.0], [3.0, 9.0]]), np.array([3.0]), 1)
    assert prospect.gain(rows(0)) == pytest.approx(0.75)
    after = prospect.after(rows(0))
    np.testing.assert_allclose(after.covariance, [[3.25, 0.75], [0.75, 2.25]])
    # Once more with the same error: 2.25 + 3 = 5.25, so 3.25 - 0.75^2 / 5.25.
    assert after.after(rows(0)).variance == pytest.approx(3.25 - 0.5625 / 5.25)


def test_rows_in_turn_and_together_leave_the_same():
    prospect = some_prospect(forms=2)
    in_turn = prospect.after(rows(3)).after(rows(0, 2))
    together = prospect.after(rows(0, 2, 3))
    np.testing.assert_allclose(in_turn.covariance, together.covariance, rtol=1e-9, atol=1e-12)
    assert prospect.variance - prospect.gain(rows(0, 2, 3)) == pytest.approx(together.variance)
    assert path(prospect, [rows(3), rows(0, 2)])[-1] == pytest.approx(together.variance)


def test_the_worst_form_counts():
    """Two forms of variance 4 and 3; a row that tells all of the first leaves the second."""
    covariance = np.diag([4.0, 3.0, 4.0])
    covariance[0, 2] = covariance[2, 0] = 4.0
    prospect = Prospect(covariance, np.array([1e-12]), 2)
    assert prospect.variance == 4.0
    assert prospect.gain(rows(0)) == pytest.approx(1.0)


def test_the_choice_is_by_gain_an_hour_within_the_budget():
    """Independent parts of the goal: gains are those alone; the best an hour that fits is next."""
    gains = np.array([1.0, 3.0, 2.0])
    covariance = np.eye(4)
    covariance[0] = covariance[:, 0] = np.sqrt([10.0, 1.0, 3.0, 2.0])
    covariance[0, 0], covariance[1:, 1:] = 10.0, np.eye(3)
    prospect = Prospect(covariance, np.full(3, 1e-12), 1)
    units = [rows(0), rows(1), rows(2)]
    assert [prospect.gain(unit) for unit in units] == pytest.approx(gains)
    chosen = choose(prospect, units, [0.25, 6.0, 2.0], 7.0)
    assert [step.unit for step in chosen] == [0, 2]  # 4 and 1 an hour; the third costs too much
    assert [step.variance for step in chosen] == pytest.approx([9.0, 7.0])
    assert choose(prospect, units, [0.25, 6.0, 2.0], 0.1) == []


def test_what_tells_nothing_is_not_chosen():
    prospect = Prospect(np.diag([4.0, 1.0]), np.array([1.0]), 1)
    assert choose(prospect, [rows(0)], [1.0], 10.0) == []
