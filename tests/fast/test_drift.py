"""Drift of exact steps: by hand."""

from __future__ import annotations

import numpy as np

from mirical.fast.drift import drift_of, drift_sentences

BANDS = {"band": ["F560W", "F770W"]}


def steps(shift: float) -> list[np.ndarray]:
    """Return six steps of 400 points and two draws, the last two moved in the second band."""
    random = np.random.default_rng(4)
    places = 2 * [0.0] + 2 * [0.5 * shift] + 2 * [shift]
    return [random.normal(size=(400, 2, 2)) + np.array([0.0, at]) for at in places]


def test_a_mean_that_moves_beyond_its_noise_is_named():
    drift = {"tau": drift_of(steps(1.0))}
    np.testing.assert_allclose(drift["tau"].shift[1], 1.0, atol=0.25)  # four standard errors
    (sentence,) = drift_sentences(drift, ("tau", "A"), BANDS, "run without --fast")
    assert "the mean of tau[F770W], by +" in sentence and "run without --fast" in sentence


def test_noise_and_what_is_infinite_do_not_drift():
    still = {"tau": drift_of(steps(0.0)), "A": drift_of([np.full((9, 2, 2), np.inf)] * 2)}
    assert list(drift_sentences(still, ("tau", "A"), BANDS, "")) == []
    assert np.all(still["A"].shift == 0)
