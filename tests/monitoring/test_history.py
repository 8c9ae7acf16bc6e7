"""History of a monitor: rows kept, recognised, refused if changed or of another run."""

from __future__ import annotations

from pathlib import Path

import pytest
from astropy.table import Table

from miri_facts import MIRI
from mirical.errors import InputError
from mirical.monitoring.history import ROWS, require_history, with_history, write_history
from mirical.storage.shipped import data_file
from mirical.tables.photometry import Observations, load_photometry

TABLE5 = Table.read(data_file("table5"), format="ascii.ecsv")


def observed(path: Path, rows: slice, later: float = 0.0, brighter: float = 1.0) -> Observations:
    table = TABLE5[rows]
    table["time"] = table["time"] + later
    table["iflux"] = table["iflux"] * brighter
    table.write(path, format="ascii.ecsv", overwrite=True)
    return load_photometry(str(path), MIRI, "test")


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "manifest.json").write_text("{}")
    return folder


def test_rows_come_back_as_they_were_kept_and_others_follow(run: Path, tmp_path: Path):
    history, path = tmp_path / "history", tmp_path / "new.ecsv"
    first = observed(path, slice(0, 4))
    assert with_history(history, run, first) is first
    write_history(history, run, first)
    assert (history / ROWS).is_file()
    again = with_history(history, run, first)
    names = "name", "filter", "subarray", "time", "iflux", "ifluxunc", "visit", "flag"
    for name in names:
        assert list(again.table[name]) == list(first.table[name]), name
    both = with_history(history, run, observed(path, slice(2, 7)))
    assert len(both.table) == 7 and list(both.table["row"]) == list(range(1, 8))
    write_history(history, run, both)
    third = with_history(history, run, observed(path, slice(6, 7)))
    assert list(third.table["visit"]) == list(both.table["visit"])


def test_a_row_with_other_numbers_is_refused(run: Path, tmp_path: Path):
    path = tmp_path / "new.ecsv"
    write_history(tmp_path, run, observed(path, slice(0, 4)))
    changed = observed(path, slice(3, 5), brighter=1.01)
    with pytest.raises(InputError, match=r"(?s)new.ecsv row 1: .*correct the row in .*rows.ecsv"):
        with_history(tmp_path, run, changed)


def test_the_history_of_another_run_is_refused(run: Path, tmp_path: Path):
    new = observed(tmp_path / "new.ecsv", slice(0, 4))
    write_history(tmp_path / "history", run, new)
    (run / "manifest.json").write_text('{"other": 1}')
    with pytest.raises(InputError, match=r"is the history of another run .*choose an empty folder"):
        with_history(tmp_path / "history", run, new)


def test_a_folder_of_other_things_is_no_history(tmp_path: Path):
    require_history(tmp_path / "none")
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match=r"holds no rows.ecsv .*choose an empty folder"):
        require_history(tmp_path)
    with pytest.raises(InputError, match="is a file; --history needs a folder"):
        require_history(tmp_path / "notes.txt")
