"""Rows put behind those of a run: what the new table leaves out is meant as it would be alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from miri_facts import MIRI
from mirical.calibration.store import StoredRun
from mirical.inference.jobs import Job, resolve_job
from mirical.reporting.update import obstacle, prepare_update
from mirical.tables.photometry import load_photometry
from samples import repeated, write_ecsv


def of_run(folder: Path, **columns: object) -> tuple[StoredRun, Job]:
    path = write_ecsv(repeated(4, **columns), folder / "old.ecsv")
    (folder / "manifest.json").write_text("{}")
    posterior = SimpleNamespace(attrs={"job": "made"})
    run = StoredRun(folder, posterior, MIRI, True, ())  # type: ignore[arg-type]
    return run, Job("job", str(path), "hierarchical")


def prepared(folder: Path, later: dict[str, object], **columns: object):
    run, job = of_run(folder, **columns)
    before = resolve_job(job)
    new = write_ecsv(repeated(2, time=[60000.0, 60010.0], **later), folder / "new.ecsv")
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


@pytest.mark.parametrize(
    ("later", "said"),
    [
        ({"filter": "F560W"}, "the run has no rows of F560W"),
        ({"reduction": "1.15"}, "the new rows change the reductions"),
    ],
)
def test_what_is_no_update_is_said(later: dict[str, object], said: str, tmp_path: Path):
    found = prepared(tmp_path, later)
    assert said in str(obstacle(found))
    unbelieved = replace(found, parent=replace(found.parent, believable=False))
    assert obstacle(unbelieved) == "the run itself must not be believed"
