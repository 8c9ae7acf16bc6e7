"""`mirical monitor` from the command line: rows of one year more, as they were and changed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table

from mirical.calibration.manifest import write_manifest
from mirical.calibration.store import read_run
from mirical.cli import main
from mirical.console.shared import ALARM
from mirical.storage.shipped import data_file
from simulated_outputs import silent, undescribed

FEW = ["--draws", "60", "--streams", "60", "--delay-streams", "4"]
LATER = 420.0


@pytest.fixture(scope="module")
def run(short_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the short run, said to be believable: what is tested is what a user of one is told."""
    folder = Path(shutil.copytree(short_run, tmp_path_factory.mktemp("watched") / "table5"))
    path = folder / "diagnostics.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"believable": True}))
    write_manifest(folder, read_run(short_run).posterior.attrs)
    return folder


def new_rows(path: Path, seed: int = 3, step: float = 0.0, **meta: object) -> Path:
    """Write the run's fitted rows of the repeated star again, a year later and as they are now.

    Rates have fallen by what the published law says; `step` is added to ln C.
    """
    table = Table.read(data_file("table5"), format="ascii.ecsv")
    table = table[[name == "2MASS J17430448+6655015" for name in table["name"]]]
    random = np.random.default_rng(seed)
    table["iflux"] *= np.exp(0.003 * random.standard_normal(len(table)) - step)
    table["time"] += LATER
    table.meta |= meta
    table.write(path, format="ascii.ecsv", overwrite=True)
    return path


def record(folder: Path) -> dict:
    return json.loads((folder / "monitor.json").read_text())


def test_a_large_step_of_all_rows_is_an_alarm(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    rows, out = new_rows(tmp_path / "new.ecsv", step=0.25, simulated=True), tmp_path / "out"
    assert main(["monitor", str(run), str(rows), *FEW, "--out", str(out)]) == ALARM
    said = capsys.readouterr().out
    assert "SIMULATED DATA" in said and "ALARM: " in said and "What to do: " in said
    told = record(out)
    assert told["alarm"] and told["statistic_highest"] >= told["alarm_level"]
    assert "red" in {light["light"] for light in told["lights"]}
    assert silent(out) == []
    tables = sorted(out.rglob("*.ecsv"))
    assert {path.stem for path in tables} == {"rows", "statistics", "lights", "delays"}
    assert [undescribed(path) for path in tables] == [[]] * len(tables)
    page = (out / "monitor.html").read_text()
    assert page.index('id="lights"') < page.index('id="verdict"') < page.index('id="light-table"')
    for name in ("residuals", "statistic"):
        assert (out / "figures" / f"{name}.png").stat().st_size > 5000


def test_rows_as_expected_are_no_alarm_and_are_kept(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    rows, history = new_rows(tmp_path / "new.ecsv"), tmp_path / "history"
    command = ["monitor", str(run), str(rows), *FEW, "--history", str(history)]
    assert main([*command, "--out", str(tmp_path / "a")]) == 0
    assert "No alarm: 19 rows of 4 epochs" in capsys.readouterr().out
    kept = (history / "rows.ecsv").read_bytes()
    # The same rows again are the same stream.
    assert main([*command, "--out", str(tmp_path / "b")]) == 0
    assert (history / "rows.ecsv").read_bytes() == kept
    first, again = record(tmp_path / "a"), record(tmp_path / "b")
    assert first == again and not first["alarm"] and first["rows"] == 19
    assert 0 < first["false_alarms_per_year"]["simulated"] <= 0.1
    assert "SIMULATED" not in (tmp_path / "a" / "monitor.html").read_text()
    assert len(first["delays"]) == 4 * len({one["filter"] for one in first["delays"]})


def test_rows_that_the_run_has_are_not_counted_twice(run: Path, tmp_path: Path):
    table = Table.read(data_file("table5"), format="ascii.ecsv")
    later = Table.read(new_rows(tmp_path / "later.ecsv"), format="ascii.ecsv")
    for row in later:
        table.add_row([row[name] for name in table.colnames])
    table.write(tmp_path / "all.ecsv", format="ascii.ecsv")
    command = ["monitor", str(run), str(tmp_path / "all.ecsv"), *FEW[:4], "--delay-streams", "0"]
    assert main([*command, "--out", str(tmp_path / "out")]) == 0
    told = record(tmp_path / "out")
    assert (told["rows"], told["rows_known"], told["delays"]) == (19, 31, [])


MISTAKES = {
    "{rows} --false-alarms-per-year 0": "--false-alarms-per-year is 0; expected 0.0001 to 10",
    "{rows} --cadence 0": "--cadence is 0; expected days, above 1.",
    "{rows} --draws 10": "--draws is 10; expected at least 50.",
    "{rows} --streams 0": "--streams is 0; expected 1 to 100000.",
    "{rows} --streams 5": "are needed to tell a level; give --streams",
    "{rows} --history {run}": "holds no rows.ecsv of an earlier call",
    "table5": "table5: holds no row that can be watched; 31 the run has already.",
    "nowhere.ecsv": "photometry file 'nowhere.ecsv' does not exist",
}


@pytest.mark.parametrize("options", MISTAKES)
def test_a_mistake_is_one_sentence(
    run: Path, tmp_path: Path, options: str, capsys: pytest.CaptureFixture[str]
):
    rows = new_rows(tmp_path / "new.ecsv")
    given = options.format(run=tmp_path, rows=rows).split()
    out = tmp_path / "out"
    assert main(["monitor", str(run), *given, "--out", str(out)]) == 2
    said = capsys.readouterr()
    assert said.out == "" and said.err.count("\n") == 1 and MISTAKES[options] in said.err
    assert not out.exists()
