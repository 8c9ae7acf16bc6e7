"""Rows that are watched: known ones, bands the run has not, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table, vstack

from detector_card import TERMS
from miri_facts import MIRI
from mirical.errors import InputError
from mirical.jobs.inputs import Inputs, resolve_job
from mirical.jobs.job import load_job
from mirical.monitoring.watched_rows import WatchedRows, watch_rows
from mirical.storage.shipped import data_file
from mirical.tables.photometry import load_photometry


def job(folder: Path, rows: Table, model: str = "hierarchical") -> Inputs:
    rows.write(folder / "old.ecsv", format="ascii.ecsv")
    (folder / "job.toml").write_text(f'photometry = "old.ecsv"\nmodel = "{model}"\n')
    return resolve_job(load_job(str(folder / "job.toml")))


def watch(folder: Path, inputs: Inputs, rows: Table) -> WatchedRows:
    rows.write(folder / "new.ecsv", format="ascii.ecsv")
    new = load_photometry(str(folder / "new.ecsv"), MIRI, "test")
    return watch_rows(folder, inputs, new)


def table(name: str = "table5") -> Table:
    return Table.read(data_file(name), format="ascii.ecsv")


def later(rows: Table, days: float = 400.0) -> Table:
    found = rows.copy()
    found["time"] = found["time"] + days
    return found


def test_rows_of_the_run_are_known_and_bands_it_has_not_are_left_out(tmp_path: Path):
    whole = table()
    red = whole["filter"] == "F2550W"
    inputs = job(tmp_path, whole[~red])
    found = watch(
        tmp_path, inputs, vstack([whole[~red], later(whole)], metadata_conflicts="silent")
    )
    assert found.known == int(np.sum(~red)) and found.old == len(inputs.design.rows)
    assert f"{np.sum(red)} new rows in F2550W, in which the run has none" in found.notes[0]
    assert "1 new rows are flagged inconsistent and not watched." in found.notes
    new = np.asarray(found.design.band)[found.new]
    assert len(new) == np.sum(~red) - 1 and found.design.bands == inputs.design.bands
    assert np.all(np.diff(found.mjd[found.new]) >= 0)
    old = np.asarray(found.design.log_factor)[: found.old]
    np.testing.assert_array_equal(old, np.asarray(inputs.design.log_factor))


def test_a_row_of_the_run_with_other_numbers_is_refused(tmp_path: Path):
    rows = table()
    inputs = job(tmp_path, rows)
    changed = later(rows[:3], 0.0)
    changed["iflux"][1] *= 1.01
    with pytest.raises(InputError, match="row 2: column 'iflux' .*run the job again on the new"):
        watch(tmp_path, inputs, changed)


def test_rows_without_what_the_card_rests_on_are_refused(tmp_path: Path):
    rows = table("program")
    rows = rows[(rows["filter"] == "FND") | (rows["name"] == "P330-E")]
    inputs = job(tmp_path, rows)
    new = later(rows[rows["filter"] == "FND"][:2], 1500.0)
    new.remove_column("pixrate")
    with pytest.raises(InputError, match="rows in FND without pixrate, .*give the column"):
        watch(tmp_path, inputs, new)


def test_rows_of_another_reduction_are_refused(tmp_path: Path):
    rows = table()
    rows["reduction"] = "1.13"
    inputs = job(tmp_path, rows)
    new = later(rows)
    new["reduction"] = "1.14"
    with pytest.raises(InputError, match="of reduction '1.14', .*reduce old and new rows alike"):
        watch(tmp_path, inputs, new)


def test_a_card_that_lets_the_factor_wander_is_refused(tmp_path: Path):
    card = tmp_path / "wandering.toml"
    card.write_text(f'base = "hierarchical"\ntitle = "wandering"\n{TERMS}')
    inputs = job(tmp_path, table(), model="wandering.toml")
    with pytest.raises(InputError, match=r"time_departure.*run the job with a card without that"):
        watch(tmp_path, inputs, later(table()))
