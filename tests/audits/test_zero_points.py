"""The audit of zero points: parts that are planted come out as such, and add up."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr
from astropy import units as u
from astropy.table import QTable

from designs import crowded_design
from mirical.audits.zero_points import PARTS, audit_zero_points, zero_point_sentences
from mirical.calibration.zero_point_table import ZeroPointCalibration
from mirical.instruments.cards import load_instrument
from mirical.laws.timelaw import LINEAR

WFC3 = load_instrument("wfc3", "test")
BANDS, SCALE = ("F275W", "F336W"), np.log(10) / 2.5
FAINTER = {"F275W": 0.01, "F336W": 0.02}
LEVEL, RATE, D = -0.5, 0.01, 0.97
AT_REFERENCE = -np.log1p(-RATE * 100.0 / 365)
"""The loss at the epoch at which zero points are quoted, 100 days after t0."""


@pytest.fixture
def audited() -> QTable:
    """Two stars in two cycles; fluxes brighter by 10 and 20 mmag than assumed, the zero points
    2 mmag off the mean of the rows, the model's factor 1 mmag off its weighted mean."""
    from dataclasses import replace

    elapsed = np.array([-300.0, 0.0, 100.0, 200.0] * 4)
    band, star = np.repeat([0, 0, 1, 1], 4), np.repeat([0, 1, 0, 1], 4)
    subarray = np.tile([1, 0, 0, 0], 4)
    z = LEVEL - np.log1p(-RATE * elapsed / 365) - subarray * np.log(D)
    n = len(z)
    design = replace(
        crowded_design(n, flux_errors=False),
        log_factor=z, log_factor_unc=np.full(n, 1e-3), elapsed=elapsed,
        band=band.astype(np.int32), star=star.astype(np.int32),
        subarray=subarray.astype(np.int32), visit=np.arange(n, dtype=np.int32),
        star_type=np.zeros(2, dtype=np.int32), free=np.zeros(2), bands=BANDS,
        subarrays=WFC3.subarrays, stars=("GD 71", "GD 153"), types=WFC3.types,
        visits=tuple(map(str, range(n))), rows=tuple(range(1, n + 1)), t0=WFC3.t0,
        flux_unc=np.zeros((2, 2)),
    )  # fmt: skip
    rows = QTable({"row": np.arange(1, n + 1), "name": [design.stars[i] for i in star]})
    rows["filter"] = [BANDS[i] for i in band]
    rows["model_flux"] = np.full(n, 3631e-3) * u.mJy  # AB magnitude 15
    factors = SimpleNamespace(observations=SimpleNamespace(table=rows))
    inputs = SimpleNamespace(
        design=design, instrument=WFC3, factors=factors, card=SimpleNamespace(law=LINEAR)
    )
    shape = (2, 3)
    variables = {
        "loss_per_year": (("band",), np.full((*shape, 2), RATE)),
        "D_band": (("band", "subarray"), np.tile([1.0, D], (*shape, 2, 1))),
        "C_ref": (("band",), np.full((*shape, 2), np.exp(LEVEL + AT_REFERENCE + 0.001 * SCALE))),
        "sigma": (("row",), np.full((*shape, n), 1e-3)),
    }
    posterior = xr.Dataset({k: (("chain", "draw", *d), v) for k, (d, v) in variables.items()})
    tree = xr.DataTree.from_dict({"posterior": posterior})
    tree.attrs |= {"reference_mjd": WFC3.t0 + 100, "simulated": 1}
    # Rows of the reference readout are at 0, 100 and 200 days: their mean is later than t0.
    later = np.mean(-np.log1p(-RATE * np.array([0.0, 100.0, 200.0]) / 365))
    assumed = {(s, b): 15.0 + m for s in design.stars for b, m in FAINTER.items()}
    factor = np.exp(LEVEL + later - SCALE * (np.array([0.01, 0.02]) + 0.002)) * WFC3.factor_unit
    table = QTable({"filter": list(BANDS), "A": factor, "B": 0 * factor})
    table["tau"], table["sigma_cf_pct"] = [np.inf] * 2 * u.d, [0.1, 0.1] * u.percent
    table.add_index("filter")
    published = ZeroPointCalibration(table, {}, {}, assumed, WFC3)
    return audit_zero_points(tree, inputs, published)


def test_each_part_is_what_was_planted(audited: QTable):
    mmag = {name: 1000 * audited[name].value for name in (*PARTS, "total")}
    np.testing.assert_allclose(mmag["rows"], -2.0, atol=1e-9)
    np.testing.assert_allclose(mmag["fluxes"], [-10.0, -20.0], atol=1e-9)
    np.testing.assert_allclose(mmag["remainder"], -1.0, atol=0.01)
    np.testing.assert_allclose(mmag["weighting"], 0.0, atol=0.01)
    later = np.mean(-np.log1p(-RATE * np.array([0.0, 100.0, 200.0]) / 365))
    of_law = 1000 / SCALE * (later - AT_REFERENCE)
    np.testing.assert_allclose(mmag["law"] + mmag["readouts"], of_law, atol=1e-9)
    np.testing.assert_allclose(sum(mmag[name] for name in PARTS), mmag["total"], atol=1e-9)


def test_a_sentence_a_band_names_the_biggest_part_and_the_remainder(audited: QTable):
    first, second = zero_point_sentences(audited)
    assert first.startswith("F275W: ") and "predicted fluxes of the standard stars" in first
    assert "−20.0 mmag" in second and second.endswith("remainder −1.0 mmag.")
