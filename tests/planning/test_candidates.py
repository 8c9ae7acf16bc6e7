"""Tables of candidates: what is read, assumed and refused, and what candidates cost."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table

from mirical.errors import InputError
from mirical.instruments.card_entries import Overheads
from mirical.jobs.inputs import Inputs, resolve_job
from mirical.jobs.job import load_job
from mirical.planning.assumptions import Known
from mirical.planning.candidates import Candidates, read_candidates, require_few
from mirical.planning.costs import unit_hours

STAR = "16 Cyg B"


@pytest.fixture(scope="module")
def inputs() -> Inputs:
    return resolve_job(load_job("table5"))


def read(inputs: Inputs, folder: Path, **columns: object) -> Candidates:
    """Return the candidates of a table with some columns, lists or one entry for all rows."""
    usual = {"name": STAR, "filter": "F770W", "subarray": "SUB64", "time": 61500.0}
    wanted = {"inttime": 100.0} | usual | columns
    rows = max(len(v) if isinstance(v, list) else 1 for v in wanted.values())
    table = Table({k: v if isinstance(v, list) else [v] * rows for k, v in wanted.items()})
    table.write(folder / "c.ecsv", format="ascii.ecsv", overwrite=True)
    return read_candidates(folder / "c.ecsv", inputs)


def test_what_is_not_stated_is_taken_from_rows_of_that_star_and_band(
    inputs: Inputs, tmp_path: Path
):
    found = read(inputs, tmp_path, name="16 cyg b", filter=["F1130W", "F2550W"], visit="May")
    assert found.stars == (STAR, STAR) and found.units == ("May", "May")
    assert found.types == {STAR: "SolarAnalogs"}
    rows = inputs.factors.observations.table
    mine = (rows["name"] == STAR) & (rows["filter"] == "F2550W") & (rows["flag"] == "")
    scaled = inputs.factors.table["log_factor_unc"][mine] * np.sqrt(
        rows["inttime"][mine].to_value("s") / 100.0
    )
    assert found.unc[1] == pytest.approx(np.median(scaled))
    assert any("2 rows without ifluxunc" in note for note in found.notes)
    assert any("2174 s a visit" in note for note in found.notes)
    # 2174 s a visit, 116 s and 100 s an exposure, 16 % on top.
    assert found.hours == {"May": pytest.approx(1.16 * (2174 + 2 * 216) / 3600)}


def test_stars_of_like_flux_tell_the_error_of_others(inputs: Inputs, tmp_path: Path):
    rows = inputs.factors.observations.table
    of_band = (rows["filter"] == "F770W") & (rows["flag"] == "")
    brightness = rows["model_flux"][of_band].to_value("mJy")
    errors = inputs.factors.table["log_factor_unc"][of_band]
    seconds = rows["inttime"][of_band].to_value("s")
    new = {"name": "NEW", "srctype": "ADwarfs"}
    like = read(inputs, tmp_path, flux=float(brightness.max()), **new)
    alike = brightness > brightness.max() / 2
    expected = np.median((errors * np.sqrt(seconds / 100.0))[alike])
    assert like.unc[0] == pytest.approx(expected)
    assert any("of stars of like flux" in note for note in like.notes)
    assert any("'NEW' has no rows in the run" in note for note in like.notes)
    other = read(inputs, tmp_path, flux=1e-9, **new)
    assert other.unc[0] == pytest.approx(np.median(errors * np.sqrt(seconds / 100.0)))


def test_what_the_table_states_counts(inputs: Inputs, tmp_path: Path):
    found = read(inputs, tmp_path, ifluxunc=[0.01, 0.02], cost_hours=[1.5, 2.5], exposures=[1, 4])
    np.testing.assert_allclose(found.unc, [0.01, 0.02])
    np.testing.assert_allclose(found.exposures, [1, 4])
    assert found.hours == {"row 1": 1.5, "row 2": 2.5}
    assert not any("ifluxunc" in note or "s a visit" in note for note in found.notes)
    rates = read(inputs, tmp_path, iflux=[200.0], ifluxunc=[3.0])
    assert rates.unc[0] == pytest.approx(0.015)


def test_the_error_of_a_flux_is_that_of_the_star_in_other_bands_or_of_other_stars(inputs: Inputs):
    """What nobody states, a zero, counts in no median."""
    design = inputs.design
    errors = np.zeros(np.shape(design.flux_unc))
    star, band = design.stars.index(STAR), design.bands.index("F770W")
    errors[star, :3] = 0.01, 0.03, 0.08
    errors[:, band] = np.where(np.arange(len(errors)) == star, errors[star, band], 0.05)
    stated = replace(inputs, design=replace(design, flux_unc=errors))
    own = errors[star][errors[star] > 0]
    found = Known(stated, [STAR, "NEW", "NEW"], ["F2550W", "F770W", "F2550W"]).flux_errors()
    of_band = errors[:, band][errors[:, band] > 0]
    np.testing.assert_allclose(found, [np.median(own), np.median(of_band), 0.0])


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"filter": "F1065C"}, "row 1: band 'F1065C' is not observed in 'SUB64'"),
        ({"filter": "F770"}, "row 1: band 'F770' is not a MIRI band; did you mean 'F770W'"),
        ({"filter": "F1065C", "subarray": "MASK1065"}, "the run has no rows in 'F1065C'"),
        ({"name": "NEW"}, "no rows of star 'NEW', so that nothing says what type"),
        ({"srctype": "HotStars"}, "is a HotStars here and a SolarAnalogs in the run"),
        (
            {"name": "NEW", "srctype": ["HotStars", "ADwarfs"]},
            "row 2: star 'NEW' is a ADwarfs here and a HotStars above",
        ),
        ({"name": ["", STAR]}, "row 1: column 'name' is blank"),
        ({"time": 1500.0}, "column 'time' is 1500; expected an epoch of JWST"),
        ({"time": [61500.0, float("nan")]}, "row 2: column 'time' is nan"),
        ({"exposures": 0}, "column 'exposures' is 0; expected a whole number from 1"),
        ({"exposures": 1.5}, "column 'exposures' is 1.5"),
        ({"ifluxunc": 1.2}, "column 'ifluxunc' is 1.2; expected a fraction between 0 and 1"),
        ({"inttime": -3.0}, "column 'inttime' is -3; expected a positive number"),
        ({"cost_hours": 0.0}, "column 'cost_hours' is 0; expected hours above 0"),
        ({"cost_hours": [1.0, float("nan")], "visit": "A"}, "to all rows of a visit, or to none"),
        ({"visit": ["row 2", ""]}, "a visit is called 'row 2'"),
    ],
)
def test_entries_that_cannot_be_used_are_refused(
    inputs: Inputs, tmp_path: Path, columns: dict, message: str
):
    with pytest.raises(InputError, match=message):
        read(inputs, tmp_path, **columns)


def test_more_rows_than_matrices_hold_are_refused(inputs: Inputs, tmp_path: Path):
    found = read(inputs, tmp_path)
    require_few(found, 3999, Path("c.ecsv"))
    with pytest.raises(InputError, match="c.ecsv: has 1 candidates beside 4000 rows"):
        require_few(found, 4000, Path("c.ecsv"))


def test_hours_of_visits_by_the_overheads_of_a_card():
    charged = Overheads(source="made", visit_seconds=1000.0, exposure_seconds=50.0, share=0.5)
    nothing, exposures = np.full(3, np.nan), np.array([1.0, 2.0, 3.0])
    seconds = np.array([100.0, 200.0, 300.0])
    hours = unit_hours(("a", "b", "a"), nothing, exposures, seconds, charged, "c")
    # a: 1000 + 150 + 3 * 350; b: 1000 + 2 * 250; half of it on top.
    assert hours == {"a": pytest.approx(2200 * 1.5 / 3600), "b": pytest.approx(1500 * 1.5 / 3600)}
    with pytest.raises(InputError, match=r"row 1: states no cost_hours, and .* no \[overheads\]"):
        unit_hours(("a", "b", "a"), nothing, exposures, seconds, None, "c")
    with pytest.raises(InputError, match="row 2: states neither cost_hours nor inttime"):
        unknown = np.array([1.0, np.nan, 1.0])
        unit_hours(("a", "b", "a"), nothing, exposures, unknown, charged, "c")
