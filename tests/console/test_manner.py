"""The manner of a command's answer: JSON, CSV, quiet, verbose, and plain where it is piped."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy import units as u
from astropy.table import MaskedColumn, QTable, Table
from rich.console import Console

from drawn import drawn_stars, write_drawn
from miri_facts import MIRI
from mirical.calibration.published import PublishedCalibration
from mirical.cli import main
from mirical.console.shared import write_table
from mirical.json_answer import JsonAnswer
from mirical.terminal import print_sheet

POINT = ["--filter", "F770W", "--mjd", "60000"]
FACTORS = ["factors", "published", *POINT]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run's folder of simulated rows, its posterior made by hand."""
    folder = tmp_path_factory.mktemp("runs") / "drawn"
    write_drawn(folder, tree=drawn_stars())
    return folder


def answered(command: list[str], capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """Return the JSON document a command prints, after checking its status."""
    status = main([*command, "--json"])
    document = json.loads(capsys.readouterr().out)
    assert document["status"] == status
    assert document["command"].split() == command[: len(document["command"].split())]
    return document


def test_factors_as_json_are_full_numbers_with_units_and_their_record(
    capsys: pytest.CaptureFixture[str],
):
    document = answered(FACTORS, capsys)
    (table,) = document["tables"]
    (row,) = table["rows"]
    (wanted,) = PublishedCalibration(MIRI).factor(["F770W"], ["FULL"], [60000.0]).mean
    assert row["c_mean"] == wanted and row["filter"] == "F770W"
    of = {column["name"]: column for column in table["columns"]}
    assert u.Unit(of["c_mean"]["unit"]) == u.Unit("MJy pix s / (DN sr)")
    assert of["c_mean"]["description"] and table["about"]["calibration"] == "published"
    assert document["simulated"] is False
    assert any("sigma(CF)" in note for note in document["notes"])


@pytest.mark.parametrize(
    "command",
    [["factors", "RUN", *POINT], ["error", "RUN", *POINT], ["stars", "RUN"], ["compare", "RUN"]],
    ids=lambda command: command[0],
)
def test_an_answer_of_simulated_rows_says_so_as_json(
    command: list[str], run: Path, capsys: pytest.CaptureFixture[str]
):
    document = answered([str(run) if word == "RUN" else word for word in command], capsys)
    assert document["simulated"] is True
    assert all(table["rows"] and "SIMULATED" in table["title"] for table in document["tables"])


@pytest.mark.parametrize(
    "command",
    [["cards"], ["jobs", "list"], ["doctor"], ["instrument", "check", "wfc3"]],
    ids=" ".join,
)
def test_other_tables_come_as_json_too(command: list[str], capsys: pytest.CaptureFixture[str]):
    (table,) = answered(command, capsys)["tables"]
    assert table["rows"] and set(table["rows"][0]) == {one["name"] for one in table["columns"]}


def test_what_json_cannot_say_is_null():
    table = QTable({"a": [1.5, np.nan] * u.mJy, "b": MaskedColumn([1, 2], mask=[True, False])})
    table["c"] = np.array([True, False])
    answer = JsonAnswer()
    print_sheet("t", ("a",), [("1",), ("2",)], answer, table=table)
    answer.print("a [bold]word", markup=False)
    document = json.loads(answer.text(status=0))
    assert document["tables"][0]["rows"] == [
        {"a": 1.5, "b": None, "c": True},
        {"a": None, "b": 2, "c": False},
    ]
    assert document["sentences"] == ["a [bold]word"]


def test_a_mistake_leaves_no_half_document(capsys: pytest.CaptureFixture[str]):
    assert main(["factors", "published", "--filter", "F770", "--mjd", "60000", "--json"]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("mirical: query: band 'F770'") and err.count("\n") == 1


def test_a_quiet_command_notes_nothing_and_answers_the_same(capsys: pytest.CaptureFixture[str]):
    assert main(FACTORS) == 0
    loud = capsys.readouterr()
    assert main([*FACTORS, "--quiet"]) == 0
    quiet = capsys.readouterr()
    assert quiet.out == loud.out and "note: " in loud.err and quiet.err == ""


def test_a_verbose_command_tells_versions_time_memory_and_where_a_mistake_was_found(
    capsys: pytest.CaptureFixture[str],
):
    assert main([*FACTORS, "--verbose"]) == 0
    out, err = capsys.readouterr()
    assert "numpyro" in err and " s, at most " in err and "numpyro" not in out
    assert main(["factors", "published", "--verbose"]) == 2
    err = capsys.readouterr().err
    assert "Traceback" in err and "mirical: factors: give --filter" in err.splitlines()[-1]


def test_a_pipe_gets_neither_frame_nor_colour_nor_cut_lines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("COLUMNS", "40")
    assert main(FACTORS) == 0
    title, heads, row = capsys.readouterr().out.splitlines()
    assert heads.split()[:3] == ["band", "subarray", "MJD"] and title.startswith("C in ")
    assert row.split()[:4] == ["F770W", "FULL", "60000.0", "0.2579"] and len(row) > 80
    assert heads.index("C ") == row.index("0.2579") + 5  # numbers end where their heads do
    assert not set("\x1b│┃┏└") & set(heads + row)


def test_a_terminal_gets_a_frame():
    with Console(force_terminal=True, color_system=None, width=60) as console:
        with console.capture() as shown:
            print_sheet("t", ("a",), [("1",)], console)
    assert "┃" in shown.get() and "│ 1 │" in shown.get()


def test_a_table_is_written_as_csv_by_its_name(run: Path, tmp_path: Path):
    csv, ecsv = tmp_path / "c.csv", tmp_path / "c.ecsv"
    for out in (csv, ecsv):
        assert main(["factors", str(run), *POINT, "--out", str(out)]) == 0
    ours, theirs = Table.read(csv, format="ascii.csv", comment="#"), Table.read(ecsv)
    assert ours.colnames == theirs.colnames
    assert [tuple(row) for row in ours] == [tuple(row) for row in theirs]
    lines = csv.read_text(encoding="utf-8").splitlines()
    assert "# SIMULATED DATA" in lines and "# mjd [d]: Epoch, MJD" in lines
    assert any(line.startswith("# photometry_sha256: c0ffee") for line in lines)
    assert main(["compare", str(run), "--out", str(tmp_path / "d.csv")]) == 0
    assert (tmp_path / "d.csv").is_file()


def test_masked_and_odd_entries_survive_in_csv(tmp_path: Path):
    table = Table({"name": ['a, "b"', "c"], "flux": MaskedColumn([1.0, 2.0], mask=[False, True])})
    table["flux"].unit, table.meta["title"] = "mJy", "two\nlines"
    write_table(table, tmp_path / "t.csv")
    back = Table.read(tmp_path / "t.csv", format="ascii.csv", comment="#")
    assert list(back["name"]) == ['a, "b"', "c"] and list(back["flux"].mask) == [False, True]
    lines = (tmp_path / "t.csv").read_text(encoding="utf-8").splitlines()
    assert [line[0] for line in lines] == ["#"] * 3 + ["n", '"', "c"]
