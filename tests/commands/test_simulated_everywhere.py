"""Every output of simulated rows says so, and where its numbers come from."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table

from drawn import drawn_stars, write_drawn
from miri_facts import FACTOR
from mirical.cli import main
from mirical.commands.exporting import EXPORTS
from simulated_outputs import silent, undescribed

POINTS = ["--filter", "F770W", "F2550W", "--mjd", "60000.5"]
NAMES = {
    "jwst-photom": "photom.fits",
    "jwst-photom-draws": "draws",
    "covariance": "cov.fits",
    "latex": "table.tex",
    "mrt": "table.txt",
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run's folder of simulated rows, its posterior made by hand."""
    folder = tmp_path_factory.mktemp("runs") / "drawn"
    write_drawn(folder)
    return folder


def test_answers_of_a_simulated_run_say_so(run: Path, tmp_path: Path):
    out = {name: str(tmp_path / name) for name in ("c.ecsv", "c.npy", "c.fits", "d.npy", "e.ecsv")}
    asked = ["factors", str(run), *POINTS, "--out", out["c.ecsv"], "--draws", out["d.npy"]]
    assert main([*asked, "--covariance", out["c.npy"]]) == 0
    assert main([*asked[:2], *POINTS, "--covariance", out["c.fits"]]) == 0
    matrix = ["--out", out["e.ecsv"], "--covariance", str(tmp_path / "e.npy")]
    assert main(["error", str(run), *POINTS, *matrix]) == 0
    assert silent(tmp_path) == []
    for name in ("c.ecsv", "e.ecsv"):
        table = Table.read(out[name], format="ascii.ecsv")
        known = {"calibration": "drawn", "card": "made", "seed": 5, "simulated": True}
        assert {key: table.meta[key] for key in known} == known
        assert table.meta["photometry_sha256"].startswith("c0ffee")
        assert table.meta["rows_mjd"] == [59730.0, 60620.0] and table.meta["mirical"]
        assert undescribed(Path(out[name])) == [] and str(table["mjd"].unit) == "d"
    beside = json.loads((tmp_path / "d.npy.json").read_text())
    assert beside["axes"] == ["draw", "point"] and beside["unit"] == FACTOR.to_string()
    assert beside["shape"] == list(np.load(tmp_path / "d.npy").shape)


def test_comparisons_of_a_simulated_run_say_so(run: Path, tmp_path: Path):
    assert main(["compare", str(run), "--out", str(tmp_path / "folder")]) == 0
    assert main(["compare", str(run), "--out", str(tmp_path / "factors.ecsv")]) == 0
    assert silent(tmp_path) == []
    table = Table.read(tmp_path / "factors.ecsv", format="ascii.ecsv")
    assert table.meta["of_ours"]["card"] == "made" and "Gordon" in table.meta["of_theirs"]["source"]
    tables = sorted(tmp_path.rglob("*.ecsv"))
    assert [undescribed(path) for path in tables] == [[]] * len(tables)


def test_an_applied_table_of_a_simulated_run_says_so(run: Path, tmp_path: Path):
    mine, made = tmp_path / "mine.ecsv", tmp_path / "made"
    made.mkdir()
    table = Table({"filter": ["F770W"], "subarray": ["FULL"], "mjd": [60000.0], "iflux": [4300.0]})
    table["mjd"].unit, table["iflux"].unit = "d", "DN/s"
    table.write(mine, format="ascii.ecsv")
    assert main(["apply", str(run), str(mine), "--out", str(made / "f.ecsv")]) == 0
    assert silent(made) == []


def test_fluxes_of_the_stars_of_a_simulated_run_say_so(tmp_path: Path):
    run, made = tmp_path / "run", tmp_path / "made"
    made.mkdir()
    write_drawn(run, tree=drawn_stars())
    asked = ["--out", str(made / "s.ecsv"), "--covariance", str(made / "s.npy")]
    assert main(["stars", str(run), *asked]) == 0
    assert silent(made) == [] and undescribed(made / "s.ecsv") == []
    assert np.load(made / "s.npy").shape == (3, 3)


@pytest.mark.parametrize("kind", NAMES)
def test_exports_of_a_simulated_run_say_so(kind: str, run: Path, tmp_path: Path):
    assert set(EXPORTS) == {*NAMES, "jwst-apcorr"}  # which asks for the apertures of a job
    more = ["--draws", "2"] if kind == "jwst-photom-draws" else []
    # Five bands alone make no photom file that may be used.
    status = 1 if kind == "jwst-photom" else 0
    assert main(["export", str(run), "--to", kind, str(tmp_path / NAMES[kind]), *more]) == status
    assert silent(tmp_path) == []


def test_simulated_programs_and_their_staged_fits_say_so(tmp_path: Path):
    assert main(["simulate", "--seed", "3", "--out", str(tmp_path / "program")]) == 0
    rows = str(tmp_path / "program" / "photometry.ecsv")
    assert main(["staged", rows, "--out", str(tmp_path / "staged")]) == 0
    assert silent(tmp_path) == []
    assert main(["fetch", rows, "--out", str(tmp_path / "fetched" / "rows.ecsv")]) == 0
    assert silent(tmp_path / "fetched") == []
    record = json.loads((tmp_path / "fetched" / "rows.source.json").read_text(encoding="utf-8"))
    assert record["simulated"] is True
    meta = Table.read(tmp_path / "staged" / "coefficients.ecsv", format="ascii.ecsv").meta
    assert meta["photometry"] == "photometry.ecsv" and len(meta["rows_mjd"]) == 2


WALKS = {
    "check": "test_round_trip.py",
    "rivals": "test_round_trip.py",
    "run": "test_round_trip.py",
    "monitor": "test_monitor_command.py",
    "plan": "test_update_command.py",
    "update": "test_update_command.py",
    "photometry": "test_photometry_command.py",
    "mosaic": "test_mosaic.py",
    "sample": "test_shipped_commands.py",
    "index": "../pages/test_links.py",
    "apertures": "../imaging/test_measured_apertures.py",
    "sbc": "../validation/test_sbc.py",
    "plot": "../api/test_figures.py",
    **dict.fromkeys(("factors", "error", "stars", "compare", "apply"), ""),
    **dict.fromkeys(("export", "fetch", "simulate", "staged"), ""),
}
"""File whose tests walk what a command writes; this one where none is named."""

WITHOUT_ROWS = {
    "preflight": "writes no file",
    "fluxes": "of stars' spectra alone",
    "instrument": "writes a card to begin with",
    **dict.fromkeys(("cards", "jobs"), "copy what is shipped"),
    **dict.fromkeys(("doctor", "completion"), "of this machine"),
}
"""Commands whose output no rows are behind, and why."""


def test_every_command_that_writes_is_walked(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        main(["--help"])
    commands = re.findall("^ {4}([a-z]+)\\b", capsys.readouterr().out, re.MULTILINE)
    assert set(commands) == {*WALKS, *WITHOUT_ROWS}
    here = Path(__file__)
    for command, name in WALKS.items():
        text = (here.parent / name if name else here).read_text(encoding="utf-8")
        assert f'["{command}"' in text or f'"{command}": [' in text, command
        assert "SIMULATED" in text if command == "mosaic" else "silent(" in text, command
