"""Levels of hardly known cells: first rows that are outliers, and rows that are not tested."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mirical.monitoring.changes import Watched, changes, epochs_of
from mirical.monitoring.innovations import Expected, innovations
from mirical.monitoring.statistic import shiryaev_roberts

SIGMA, WIDE, SHARE, ROWS = 0.005, 0.2, 0.06, 8


def expected(level: float = 10.0, fraction: float = SHARE) -> Expected:
    """Return rows of one cell whose level has a standard deviation."""
    covariance = level**2 + SIGMA**2 * np.eye(ROWS)
    root = np.asarray(np.linalg.cholesky(covariance), dtype=float)
    return Expected(
        mean=np.zeros(ROWS),
        root=root,
        kappa=np.sqrt(1 + WIDE**2 / np.diag(root) ** 2),
        outlier_fraction=fraction,
        band=np.zeros(ROWS, dtype=int),
        cell=np.full(ROWS, 7),
        own=np.full(ROWS, SIGMA),
        freedom=np.full(1, 1e12),
    )


def sound() -> np.ndarray:
    return 1.3 + SIGMA * np.random.default_rng(4).standard_normal(ROWS)


@pytest.mark.parametrize(
    ("wrong", "first"),
    [({}, 3), ({0: 0.05}, 4), ({1: -0.3}, 4), ({0: 0.05, 1: -0.3}, 6), ({0: 1.0, 2: 0.1}, 6)],
)
def test_a_level_is_that_of_rows_that_agree_three_or_four(wrong: dict[int, float], first: int):
    """Two outliers agree by chance in one cell of ten thousand; two more ask for a fourth row."""
    rows = sound()
    for row, off in wrong.items():
        rows[row] += off
    found = innovations(rows[:, None], expected())
    np.testing.assert_array_equal(found.tested[:, 0], np.arange(ROWS) >= first)
    tested = found.tested
    assert np.all(np.abs(found.value[tested]) < 3) and np.all(found.outlier[tested] < 0.5)
    # What is not tested tells nothing of the scatter.
    np.testing.assert_array_equal(found.unit[: first + 1], 1.0)


def test_rows_of_a_level_that_the_run_knows_are_all_tested():
    for known in (expected(level=SIGMA), expected(fraction=0.0)):
        assert innovations(sound()[:, None], known).tested.all()


def test_a_row_with_an_error_wider_than_an_outlier_is_not_tested():
    """One that a bad exposure has: far off in its own error, and no outlier of the run's is."""
    of, rows = expected(level=SIGMA), sound() - 1.3
    own = np.where(np.arange(ROWS) == 4, 2 * WIDE, SIGMA)
    root = np.linalg.cholesky(SIGMA**2 + np.diag(own**2))
    of = replace(of, own=own, root=root, kappa=np.sqrt(1 + WIDE**2 / np.diag(root) ** 2))
    rows[4] = 7 * 2 * WIDE
    found = innovations(rows[:, None], of)
    np.testing.assert_array_equal(found.tested[:, 0], np.arange(ROWS) != 4)
    np.testing.assert_allclose(found.unit, 1.0)


def test_levels_are_known_stream_by_stream():
    rows = np.repeat(sound()[:, None], 2, axis=1)
    rows[0, 1] += 0.4
    both = innovations(rows, expected())
    for stream in range(2):
        alone = innovations(rows[:, [stream]], expected())
        np.testing.assert_allclose(both.value[:, [stream]], alone.value)
        np.testing.assert_array_equal(both.tested[:, [stream]], alone.tested)
    assert both.tested.sum(axis=0).tolist() == [5, 4]


def test_outliers_among_first_rows_do_not_make_a_change():
    """Two thousand streams of a star nobody has seen, 6 % outliers: none is above the bound.

    The statistic of 0.4 years without a change exceeds 400 in one stream of a thousand at most.
    """
    of, streams, random = expected(), 2000, np.random.default_rng(3)
    mjd = np.linspace(60020.0, 60000.0 + 20.0 * ROWS, ROWS)
    one = np.zeros(ROWS, dtype=int)
    w = Watched(mjd, epochs_of(mjd), one, one, ("F770W",), ("FULL",), 60000.0)
    shape = ROWS, streams
    own = np.where(random.uniform(size=shape) < SHARE, np.hypot(SIGMA, WIDE), SIGMA)
    rows = 10 * random.standard_normal(streams) + own * random.standard_normal(shape)
    parts = shiryaev_roberts(innovations(rows, of), changes(w, of), of, ROWS)
    assert np.mean(parts.sum(axis=0).max(axis=0) > 400) < 0.001 + 3 * np.sqrt(0.001 / streams)
    assert parts.sum(axis=0)[-1].mean() < 0.5
