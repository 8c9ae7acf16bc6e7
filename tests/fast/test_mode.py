"""The mode: several outliers of one visit are also tried as its offset."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mirical.errors import InputError
from mirical.fast import mode
from mirical.fast.target import Found

VISIT = np.array([0, 0, 0, 1, 1, 2])
TOLD = np.array([1.0, 0.0, 1.0, 1.0, 0.0, 0.0])
"""Two outliers of the first visit, one of the second."""


class Certain:
    """A density in one number that tells the same outliers wherever it is asked."""

    nothing = None
    coordinates = np.zeros(1)
    data = (SimpleNamespace(rows=VISIT, visit=VISIT), None)

    def at(self, e: Any, outlier: Any, proposal: Any, others: Any) -> Found:
        none = np.zeros((1, len(VISIT)))
        odds = np.where(TOLD > 0, 3.0, -3.0)[None]
        return Found(np.zeros(1), np.zeros(1), np.zeros((1, 1)), odds, none, none)


@pytest.mark.parametrize("better", [True, False])
def test_the_mode_of_the_larger_integral_is_kept(better: bool, monkeypatch: pytest.MonkeyPatch):
    starts = []

    def found(target: Any, plain: Any, start: Any, outlier: Any) -> Any:
        starts.append(outlier)
        evidence = 1.0 if better == (len(starts) == 2) else 0.0
        return SimpleNamespace(mode=SimpleNamespace(outlier=outlier), evidence=evidence)

    monkeypatch.setattr(mode, "_mode_from", found)
    target: Any = Certain()
    best = mode.find_mode(target)
    np.testing.assert_array_equal(starts, [TOLD, [0, 0, 0, 1, 0, 0]])
    assert best.outlier is starts[1 if better else 0]


class Named(list[int]):
    card = SimpleNamespace(name="toy")


class Nowhere(Certain):
    """A density that is nowhere a number."""

    nothing = SimpleNamespace(weight=0.0)
    coordinates = Named([0])

    def at(self, e: Any, outlier: Any, proposal: Any, others: Any) -> Found:
        lost = np.full(len(e), np.nan)
        none = np.zeros((len(e), len(VISIT)))
        return Found(lost, lost, np.full((len(e), 1), np.nan), none, none, none)


def test_a_density_that_is_nowhere_finite_is_said():
    target: Any = Nowhere()
    with pytest.raises(InputError, match="density is not finite .* priors of card 'toy'"):
        mode.find_mode(target)
