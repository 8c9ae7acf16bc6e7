"""Many quantities at once have the diagnostics that ArviZ finds one by one."""

from __future__ import annotations

import numpy as np
import pytest
from arviz_stats.base.array import array_stats

from mirical.chains.effective_draws import TAIL, ess_mean, ess_tail, rhat_and_bulk


def _quantities(chains: int, draws: int) -> np.ndarray:
    """Return quantities that are independent, tied, slow, copied, alternating, and odd."""
    values = np.random.default_rng(8).standard_normal((12, chains, draws))
    values[2] = np.round(values[2])
    values[3] = np.cumsum(values[3], axis=1)
    values[4] = np.repeat(values[4], 4, axis=1)[:, :draws]
    values[5] = 0.1 * values[5] + 5 * (-1.0) ** np.arange(draws)
    values[6, 0, 1] = np.inf
    values[7] = np.where(values[7] > 0.5, values[7], np.inf)
    values[8, 0, 2] = np.nan
    values[9] = 1.0
    values[10, 0] += 3
    values[11, 1:] = 0.0
    return values


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(("chains", "draws"), [(4, 256), (1, 101), (2, 9), (3, 4), (2, 3)])
def test_diagnostics_of_many_quantities_are_those_of_each(chains, draws):
    values = _quantities(chains, draws) if draws > 3 else np.ones((1, chains, draws))

    def ess(method: str, prob: float | None = None) -> np.ndarray:
        found = array_stats.ess(values, chain_axis=1, draw_axis=2, method=method, prob=prob)
        return np.asarray(found)

    rhat, bulk = rhat_and_bulk(values)
    expected = np.asarray(array_stats.rhat(values, chain_axis=1, draw_axis=2))
    np.testing.assert_allclose(rhat, expected, rtol=1e-10)
    np.testing.assert_allclose(bulk, ess("bulk"), rtol=1e-10)
    np.testing.assert_allclose(ess_tail(values), ess("tail", TAIL), rtol=1e-10)
    np.testing.assert_allclose(ess_mean(values), ess("mean"), rtol=1e-10)
