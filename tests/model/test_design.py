"""Designs made of tables."""

from __future__ import annotations

from pathlib import Path

from miri_facts import MIRI, SUBARRAYS
from mirical.model.design import make_design
from mirical.tables.apertures import published_apertures
from mirical.tables.calibration_factors import calibration_factors
from mirical.tables.photometry import load_photometry
from samples import photometry, write_ecsv


def test_rows_in_newer_readouts_have_the_term_that_is_assumed(tmp_path: Path):
    table = photometry()
    table["subarray"] = ["SUB64_IP", "SUB128_IP", "BRIGHTSKY"]
    table["model_flux"] = [1.0, 1.0, 1.0]
    table["model_flux"].unit = "mJy"
    observations = load_photometry(str(write_ecsv(table, tmp_path / "rows.ecsv")), MIRI, "test")
    assert list(observations.table["subarray"]) == ["SUB64_IP", "SUB128_IP", "BRIGHTSKY"]
    design = make_design(calibration_factors(observations, {}, published_apertures(MIRI)))
    assert [SUBARRAYS[i] for i in design.subarray] == ["SUB64", "SUB128", "BRIGHTSKY"]
