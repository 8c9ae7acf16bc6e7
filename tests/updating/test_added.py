"""Rows put behind those of a run: what the new table leaves out is meant as it would be alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from astropy import units as u
from xarray import Dataset, DataTree

from detector_card import detector_card_text
from miri_facts import MIRI
from mirical.calibration.store import StoredRun
from mirical.calibration.stored_constants import with_fluxes
from mirical.errors import InputError
from mirical.jobs.inputs import Inputs, resolve_job
from mirical.jobs.job import Job
from mirical.reporting import stored_inputs
from mirical.tables.photometry import load_photometry
from mirical.updating.added import obstacle, prepare_update
from samples import repeated, write_ecsv


def of_run(folder: Path, **columns: object) -> tuple[StoredRun, Job]:
    path = write_ecsv(repeated(4, **columns), folder / "old.ecsv")
    (folder / "manifest.json").write_text("{}")
    posterior = SimpleNamespace(attrs={"job": "made"})
    run = StoredRun(folder, posterior, MIRI, True, ())  # type: ignore[arg-type]
    return run, Job("job", str(path), "hierarchical")


def prepared(folder: Path, later: dict[str, object], model: str = "hierarchical", **columns):
    run, job = of_run(folder, **columns)
    job = replace(job, model=model)
    return updated(run, job, resolve_job(job), folder, later)


def updated(run: StoredRun, job: Job, before: Inputs, folder: Path, later: dict[str, object]):
    rows = repeated(2, **({"time": [60000.0, 60010.0]} | later))
    new = write_ecsv(rows, folder / "new.ecsv")
    found = prepare_update(run, job, before, load_photometry(str(new), MIRI, "test"))
    assert found is not None
    return found


def test_a_table_without_errors_of_its_predicted_fluxes_states_none(tmp_path: Path):
    found = prepared(
        tmp_path,
        {"model_flux": [0.47, 0.9], "filter": ["F770W", "F560W"]},
        model_flux=0.47,
        model_flux_unc=0.01,
    )
    rows = found.inputs.factors.observations.table
    np.testing.assert_allclose(rows["model_flux_unc"].value, [0.01] * 5 + [0.0])


def test_rows_of_the_run_stay_what_they_are_fitted_to(tmp_path: Path):
    found = prepared(tmp_path, {})
    assert obstacle(found) is None
    before, after = found.before.design, found.inputs.design
    np.testing.assert_array_equal(after.log_factor[:4], before.log_factor)
    assert after.visits[:4] == before.visits and after.rows == (1, 2, 3, 4, 5, 6)


RATE = 1000 * u.DN / u.s


@pytest.mark.parametrize(
    ("later", "said"),
    [
        ({"filter": "F560W"}, "the run has no rows of F560W"),
        ({"pixrate": np.nan * RATE}, "rows of F770W state no pixrate, which the card's term rate_"),
        ({"reduction": "1.15"}, "term reduction_offset has no rows of reduction 1.15 in the run"),
        ({}, "term time_departure reaches to other dates"),
    ],
)
def test_what_is_no_update_is_said(later: dict[str, object], said: str, tmp_path: Path):
    card = tmp_path / "detector.toml"
    card.write_text(detector_card_text(rate_bands='["F770W"]'))
    found = prepared(tmp_path, {"pixrate": RATE} | later, str(card), pixrate=RATE)
    assert said in str(obstacle(found))
    unbelieved = replace(found, parent=replace(found.parent, believable=False))
    assert obstacle(unbelieved) == "the run itself must not be believed"


@pytest.mark.parametrize("later", [{"reduction": "1.15"}, {"pixrate": np.nan * RATE}])
def test_what_no_term_of_the_card_needs_is_no_obstacle(later: dict[str, object], tmp_path: Path):
    assert obstacle(prepared(tmp_path, later, pixrate=RATE)) is None


def test_rows_that_contradict_the_run_are_named_as_their_tables_count_them(tmp_path: Path):
    message = (
        r"^new\.ecsv, beside the rows of the run: star .* has two predicted fluxes, .* "
        r"\(row 1 of the run\) and .* \(row 1 of new\.ecsv\)"
    )
    with pytest.raises(InputError, match=message):
        prepared(tmp_path, {"model_flux": 9.0})


def test_a_star_of_unknown_flux_keeps_the_flux_it_is_quoted_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Its rows would all move with their median; what a run has not is found from the rows."""
    card = tmp_path / "free.toml"
    card.write_text('base = "hierarchical"\n[term.free_flux]\nmeans = "any flux"\n')
    names, bands = ["Star 1", "Star 1", "GD 153", "GD 153"], ["F770W"] * 3 + ["F560W"]
    bright = {"iflux": [4400.0, 5000.0, 4300.0, 7000.0], "flux": np.nan}
    columns = {"name": names, "filter": bands, "model_flux": [np.nan, np.nan, 0.4, 0.7], **bright}
    later = {
        "name": "Star 1",
        "filter": ["F770W", "F560W"],
        "model_flux": [np.nan, np.nan],
        "iflux": [9000.0, 8000.0],
        "flux": np.nan,
    }
    first = prepared(tmp_path, later, model=str(card), **columns)
    assert obstacle(first) is None
    before, after = first.before.design, first.inputs.design
    np.testing.assert_array_equal(after.log_factor[:4], before.log_factor)
    assert list(after.free) == [1, 0]
    known, found = first.before.factors.nominal_fluxes(), first.inputs.factors.nominal_fluxes()
    assert found[("Star 1", "F770W")] == known[("Star 1", "F770W")] and len(known) == 1
    assert found[("Star 1", "F560W")] == pytest.approx(0.7 * 8000 / 7000)

    later = later | {"time": [60100.0, 60110.0], "iflux": [10000.0, 11000.0]}
    second = updated(first.parent, first.job, first.inputs, tmp_path, later)
    assert obstacle(second) is None
    assert second.inputs.factors.nominal_fluxes() == found

    design = second.inputs.design
    names = {"star": list(design.stars), "band": list(design.bands), "srctype": list(design.types)}
    stored = DataTree.from_dict({"posterior": Dataset(coords=names), "constant_data": Dataset()})
    stored.attrs["photometry_sha256"] = second.inputs.factors.observations.data_hash
    of_second = replace(first.parent, posterior=with_fluxes(stored, second.inputs.factors))
    (tmp_path / "rows.ecsv").write_bytes(second.content)
    (tmp_path / "job.toml").write_text('photometry = "rows.ecsv"\nmodel = "free.toml"\n')
    monkeypatch.setattr(stored_inputs, "read_run", lambda folder: of_second)
    _, _, inputs = stored_inputs.open_job(tmp_path)
    np.testing.assert_array_equal(inputs.design.log_factor, design.log_factor)
