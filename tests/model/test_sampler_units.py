from __future__ import annotations

import numpy as np
import pytest

from mirical.model.sampler_units import measure_units

TRUE_LOSS, SCATTER, ROWS = 0.25, 0.002, 24


def monitored(deviant: dict[int, float]) -> tuple:
    """Return one star's rows in one band over two years, the last in another subarray."""
    random = np.random.default_rng(2)
    elapsed = np.linspace(5, 700, ROWS)
    z = np.log1p(np.expm1(-TRUE_LOSS) * np.exp(-elapsed / 200))
    z = z + SCATTER * random.standard_normal(ROWS)
    for row, shift in deviant.items():
        z[row] += shift
    nothing = np.zeros(ROWS, dtype=int)
    subarray = np.where(np.arange(ROWS) < ROWS - 1, 0, 2)
    place = nothing, nothing, subarray, np.arange(ROWS)
    return z, np.full(ROWS, 1e-4), elapsed, place, (1, 1, 5, ROWS)


@pytest.mark.parametrize("deviant", [{}, {0: 0.33}, {3: 0.2, 20: 0.3}])
def test_the_estimates_survive_deviant_rows(deviant):
    units = measure_units(*monitored(deviant))
    # The chord of the law, log in C, is a little flatter than the law at t0.
    assert float(units.loss[0, 0]) == pytest.approx(TRUE_LOSS, abs=0.02)
    assert float(units.log_scatter[0]) == pytest.approx(np.log(SCATTER), abs=0.7)
    sound = [i for i in range(ROWS - 1) if i not in deviant]
    decay = np.exp(-monitored({})[2][sound] / 200)
    leverage = np.sum((decay - decay.mean()) ** 2)
    assert float(units.loss_leverage[0, 0]) == pytest.approx(leverage, rel=0.1)


def test_repeats_count_rows_beyond_one_per_star_and_subarray():
    z, unc, elapsed, place, shape = monitored({})
    units = measure_units(z, unc, elapsed, place, shape)
    assert float(units.scatter_information[0]) == pytest.approx(2 * (ROWS - 2), rel=0.01)


def test_what_visits_share_is_not_taken_for_repeatability():
    """The two bands' rows of a visit move together by 1 %, and alone by 0.1 %."""
    random = np.random.default_rng(3)
    shared = 0.01 * random.standard_normal(60)
    z = np.concatenate([shared, shared]) + 0.001 * random.standard_normal(120)
    nothing, half = np.zeros(120, dtype=int), np.repeat([0, 1], 60)
    elapsed = np.tile(np.linspace(2000, 4000, 60), 2)
    place = nothing, half, nothing, np.tile(np.arange(60), 2)
    units = measure_units(z, np.zeros(120), elapsed, place, (1, 2, 5, 60))
    assert np.all(np.asarray(units.scatter_information) < 0.1 * 2 * 59)


def test_stars_of_different_epochs_tell_of_the_loss_too():
    elapsed = np.array([0.0, 0.0, 2000.0, 2000.0])
    z = np.array([-0.051, -0.049, 0.001, -0.001])
    star, nothing = np.arange(4), np.zeros(4, dtype=int)
    units = measure_units(z, np.zeros(4), elapsed, (star, nothing, nothing, star), (4, 1, 5, 4))
    assert np.asarray(units.loss_leverage)[:, 0] == pytest.approx([0, 0, 1.0], abs=1e-3)
    assert float(units.loss[2, 0]) == pytest.approx(0.05, rel=1e-3)
