"""What factors rest on: rows, a throughput no better than its prior, the time law."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from miri_facts import MIRI, SUBARRAYS
from mirical.calibration.basis import (
    basis_sentences,
    factor_basis,
    level_basis,
    loss_basis,
    subarray_basis,
)
from mirical.calibration.draws import Draws
from mirical.calibration.factors import Query

BANDS = ("F770W", "F1065C", "F2550W")


@pytest.fixture(scope="module")
def posterior() -> Draws:
    """Three bands, the last in SUB64 alone; D of SUB256 is measured, others are the prior's."""
    unit = np.linspace(-1, 1, 200).reshape(2, 100, 1)
    dims = ("chain", "draw")
    wide = {"D": np.repeat(1 + 0.04 * unit, 5, axis=2), "loss": np.repeat(0.1 + unit, 3, axis=2)}
    narrow = wide["D"] * 1.0
    narrow[..., 2] = 1 + 0.004 * unit[..., 0]
    drawn = {"D": narrow, "loss": 0.1 + 0.6 * (wide["loss"] - 0.1)}
    places = {"D": "subarray", "loss": "band"}
    coords = {"band": list(BANDS), "subarray": list(SUBARRAYS)}
    groups = {
        name: xr.Dataset({k: ((*dims, places[k]), v) for k, v in of.items()}, coords=coords)
        for name, of in {"posterior": drawn, "prior": wide}.items()
    }
    rows = {
        "band_index": [0, 0, 1, 2],
        "subarray_index": [0, 2, 0, 4],
        "visit_index": [0, 1, 2, 3],
        "elapsed": [10.0, 400.0, 40.0, 42.0],
    }
    constant = xr.Dataset({name: ("row", np.array(values)) for name, values in rows.items()})
    return Draws.of(xr.DataTree.from_dict(groups | {"constant_data": constant}))


def test_a_band_seen_in_an_unmeasured_subarray_alone_is_partly_prior_in_full(posterior):
    assert level_basis(posterior) == ["data", "data", "partly prior"]
    assert loss_basis(posterior) == ["partly prior", "borrowed", "borrowed"]
    assert subarray_basis(posterior) == ["by definition", "prior", "data", "prior", "prior"]


@pytest.mark.parametrize(
    ("band", "subarray", "mjd", "said"),
    [
        ("F770W", "FULL", 59800, "data"),
        ("F770W", "SUB256", 59730, "data"),
        ("F770W", "SUB64", 59800, "partly prior"),
        ("F770W", "SUB64_IP", 59800, "partly prior, D of SUB64 assumed"),
        ("F770W", "FULL", 60500, "data, extrapolated, loss partly prior"),
        ("F2550W", "SUB64", 59762, "data"),
        ("F2550W", "FULL", 59762, "partly prior"),
        ("F2550W", "SUB256", 59762, "partly prior"),
        ("F2550W", "FULL", 60500, "partly prior, extrapolated, loss borrowed"),
        ("F1065C", "MASK1065", 59760, "data"),
        ("F1065C", "FULL", 59760, "data, D = 1 by definition"),
    ],
)
def test_what_a_factor_rests_on(posterior, band: str, subarray: str, mjd: float, said: str):
    assert factor_basis(posterior, Query.of(MIRI, band, subarray, mjd)) == [said]


def test_points_of_like_basis_share_a_sentence(posterior):
    query = Query.of(MIRI, ["F2550W", "F2550W", "F770W", "F770W"], ["FULL", "SUB256"] * 2, 59762)
    assert basis_sentences(factor_basis(posterior, query), query) == [
        "the factor's basis is partly prior: F2550W in FULL, SUB256."
    ]
