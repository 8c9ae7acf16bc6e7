"""Stars of unknown flux among the rows of a table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table

from miri_facts import MIRI
from mirical.errors import InputError
from mirical.model.design import make_design
from mirical.tables.apertures import published_apertures
from mirical.tables.calibration_factors import CalibrationFactors, calibration_factors
from mirical.tables.photometry import load_photometry
from samples import repeated, write_ecsv

KNOWN = {("G 191-B2B", "F770W"): 0.4607, ("GD 153", "F1130W"): 0.05}


def factors(table: Table, folder: Path, free_stars: bool = True) -> CalibrationFactors:
    observations = load_photometry(str(write_ecsv(table, folder / "rows.ecsv")), MIRI, "test")
    return calibration_factors(
        observations, KNOWN, published_apertures(MIRI), free_stars=free_stars
    )


def rows() -> Table:
    """Return two rows of a star with a prediction, three without, one with another band's."""
    return repeated(
        6,
        name=["G 191-B2B", "G 191-B2B", "Star 1", "Star 1", "Star 1", "GD 153"],
        iflux=[4300.0, 4400.0, 100.0, 110.0, 150.0, 700.0],
        ifluxunc=[6.0, 6.0, 1.0, 1.0, 1.0, 1.0],
        flux=[np.nan] * 6,
    )


def with_other_band(table: Table) -> Table:
    """Return the table with a row of GD 153 where its flux is known."""
    table.add_row(dict(zip(table.colnames, table[5], strict=True)))
    table["filter"] = ["F770W"] * 6 + ["F1130W"]
    return table


def test_a_star_without_any_prediction_is_free_and_its_median_factor_the_band_s(tmp_path: Path):
    made = factors(with_other_band(rows()), tmp_path)
    assert list(made.table["free"]) == [False, False, True, True, True, False, False]
    # A star with a prediction in another band is none of unknown flux.
    assert list(made.observations.table["flag"]) == ["", "", "", "", "", "no_prediction", ""]
    z = np.asarray(made.table["log_factor"])
    assert np.median(z[2:5]) == pytest.approx(np.median(z[:2]), abs=1e-13)
    assert z[2] - z[3] == pytest.approx(np.log(1.1), abs=1e-13)
    nominal = made.table["nominal_flux"].to_value("mJy")
    level = 0.4607 / np.sqrt(4300 * 4400)
    np.testing.assert_allclose(nominal[2:5], level * 110, rtol=1e-13)
    assert np.all(np.isnan(nominal[[0, 1, 5, 6]]))
    design = make_design(made)
    assert dict(zip(design.stars, design.free, strict=True)) == {
        "G 191-B2B": 0.0,
        "Star 1": 1.0,
        "GD 153": 0.0,
    }
    assert design.has_free and not design.states_flux_unc


def test_without_the_term_such_rows_are_flagged(tmp_path: Path):
    made = factors(rows(), tmp_path, free_stars=False)
    assert list(made.observations.table["flag"]) == ["", ""] + ["no_prediction"] * 4
    assert not np.any(made.table["free"]) and not make_design(made).has_free


def test_a_band_of_free_stars_alone_is_refused(tmp_path: Path):
    table = rows()
    table["filter"] = ["F770W"] * 4 + ["F1000W", "F770W"]
    sentence = (
        r"^rows\.ecsv: no star with a predicted flux was observed in F1000W, so that nothing says "
        r"what its factor is; give the model_flux of a star there, or leave the band's rows out\.$"
    )
    with pytest.raises(InputError, match=sentence):
        factors(table, tmp_path)
