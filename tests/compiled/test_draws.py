"""Draws computed in blocks of one size."""

from __future__ import annotations

import numpy as np
import pytest

from mirical.compiled.draws import map_draws


@pytest.mark.parametrize("number", [1, 100, 203])
def test_blocks_hold_each_draw_once_and_in_order(number: int):
    draws = np.arange(2.0 * number).reshape(number, 2), np.arange(number)
    twice, both = map_draws(lambda draw: (2 * draw[0], draw[0].sum() + draw[1]), draws)
    np.testing.assert_array_equal(twice, 2 * draws[0])
    np.testing.assert_array_equal(both, draws[0].sum(axis=1) + draws[1])
