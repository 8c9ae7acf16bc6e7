"""The command line: a user's mistake is one sentence, status 2 and nothing written."""

from __future__ import annotations

import argparse
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from astropy.table import QTable, Table

from miri_facts import FACTOR
from mirical import __version__
from mirical.cli import _parser, main
from mirical.console.command_parsers import CommandParser
from mirical.console.shared import STATUSES
from samples import blanking, card_text, photometry, setting, unit, write_ecsv


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder with inputs that are each wrong in one way."""
    monkeypatch.chdir(tmp_path)
    for name, change in {
        "band": setting("filter", 2, "F700W"),
        "unit": unit("iflux", "mJy"),
        "negative": setting("iflux", 1, -1.0),
    }.items():
        table = photometry()
        change(table)
        write_ecsv(table, tmp_path / f"{name}.ecsv")
    flagged = photometry()[:1]
    blanking("iflux", 1)(flagged)
    write_ecsv(flagged, tmp_path / "flagged.ecsv")
    job = 'photometry = "table5"\nmodel = "hierarchical"\n'
    Path("keys.toml").write_text(job + "[sampler]\ndrwas = 1\n")
    Path("card.toml").write_text(card_text().replace("scale = 0.15", "scal = 0.15"))
    Path("file").touch()
    return tmp_path


def grid(**columns: object) -> Table:
    table = {"filter": ["F770W", "F1065C"], "subarray": ["FULL", "MASK1065"], "mjd": [59760, 60000]}
    return Table(table | columns)


MISTAKES = {
    "run nothing.toml": "job: no job 'nothing.toml' is shipped or found as a file; expected one of",
    "run --photometry nothing.ecsv": "job table5: photometry file 'nothing.ecsv' does not exist; ",
    "run --photometry band.ecsv": "band.ecsv row 2: band 'F700W' is not a MIRI band; did you mean",
    "run --photometry unit.ecsv": "unit.ecsv: column 'iflux' is in mJy; expected DN / s or a unit",
    "run --photometry negative.ecsv": "negative.ecsv row 1: column 'iflux' is -1 DN / s; expected",
    "run --photometry flagged.ecsv": "flagged.ecsv: every row is flagged (not_measured); nothing",
    "run --photometry file": "file: not a table that is known; expected ECSV, CSV or",
    "run keys.toml": "keys.toml: sampler: unknown key 'drwas'; did you mean 'draws'?",
    "run --model card.toml": "card.toml: prior 'loss_scale': unknown key 'scal'; did you mean",
    "run --model hierarchcal": "job table5: no model card 'hierarchcal' is shipped or found as a",
    "run --draws 0": "options: sampler draws is 0; expected a whole number >= 4.",
    "run --seed -1": "--seed is -1; expected a whole number from 0 to 4294967295.",
    "simulate --seed 4294967296 --out x": "--seed is 4294967296; expected a whole number from 0",
    "apply published file --out x --seed -1": "--seed is -1; expected a whole number from 0 to",
    "rivals file --until nan": "rivals: --until is nan; expected an epoch up to MJD 100000.",
    "rivals file --until 1e400": "rivals: --until is inf; expected an epoch up to MJD 100000.",
    "rivals file --cuts 1000000000": "rivals: --cuts is 1000000000; expected 0 to 100.",
    "sbc --replicates 1000000000000": "sbc: --replicates is 1000000000000; expected 4 to 100000.",
    "sbc --out file": "file: is a file; --out needs a folder.",
    "run --out file": "file: is a file; --out needs a folder.",
    "factors published": "factors: give --filter and --mjd (and --subarray), or --at GRID.ecsv.",
    "factors published --filter F770 --mjd 59760": "query: band 'F770' is not a MIRI band; did you",
    "factors published --filter F770W --mjd 260500": "query: mjd 260500 is not an epoch of JWST;",
    "factors published --filter F770W --subarray SUB46 --mjd 59760": (
        "query: subarray 'SUB46' is unknown; did you mean 'SUB64'?"
    ),
    "factors published --filter F770W --mjd 59760 --out no/c.ecsv": "no/c.ecsv: cannot be written",
    "factors published --filter F770W --mjd 59760 --covariance no/c.npy": (
        "no/c.npy: cannot be written (No such file or directory); choose another path."
    ),
    "factors nothing --filter F770W --mjd 59760": "run 'nothing' does not exist; give a run's",
    "factors published --at nothing.ecsv": "nothing.ecsv: no such file; expected a table",
    "factors published --at file": "file: not a table that is known; expected ECSV, CSV or",
    "compare nothing": "run 'nothing' does not exist; give a run's folder",
    "compare published --mjd 59760 1": "query row 2: mjd 1 is not an epoch of JWST; expected one",
    "fluxes nothing": "nothing: no such folder; expected a folder of CALSPEC FITS files.",
    "fluxes .": ".: no CALSPEC spectrum of a program star there; expected files such as",
    "fluxes . --star Mine": "fluxes: --star 'Mine'; expected NAME=FILE.",
    "fluxes . --star Mine=file": "file: cannot be read as a CALSPEC spectrum (",
    "fluxes . --star Mine=no.fits": "no.fits: no such file; expected a CALSPEC spectrum.",
}


def refused(command: list[str], folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """Run a command that must fail; return its sentence after checking that nothing was written."""
    before = sorted(folder.rglob("*"))
    assert main(command) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("mirical: ") and err.endswith("\n") and err.count("\n") == 1
    assert sorted(folder.rglob("*")) == before
    return err.removeprefix("mirical: ")


@pytest.mark.parametrize("command", MISTAKES)
def test_a_mistake_is_one_sentence_status_2_and_nothing_written(
    command: str, here: Path, capsys: pytest.CaptureFixture[str]
):
    assert refused(command.split(), here, capsys).startswith(MISTAKES[command])


@pytest.mark.parametrize(
    ("command", "after"),
    [
        (["simulate", "--seed", "1", "--out", ""], "--out"),
        (["run", " "], "run"),
        (["staged", "table5", "--out="], "table5"),
        (["photometry", "file", "--out", "x", "--filter", ""], "--filter"),
    ],
)
def test_an_empty_name_or_path_is_refused(
    command: list[str], after: str, here: Path, capsys: pytest.CaptureFixture[str]
):
    sentence = f"an argument after {after!r} is empty; expected a name or a path there.\n"
    assert refused(command, here, capsys) == sentence


GRIDS = {
    "missing column": (
        grid().__getitem__(["filter", "mjd"]),
        "grid.ecsv: column 'subarray' is missing; "
        "expected a table with columns filter, subarray, mjd.",
    ),
    "unknown band": (
        grid(filter=["F770W", "F1066C"]),
        "grid.ecsv row 2: band 'F1066C' is not a MIRI band; did you mean 'F1065C'?",
    ),
    "mask of another band": (
        grid(subarray=["FULL", "MASK1140"]),
        "grid.ecsv row 2: band 'F1065C' is not observed in 'MASK1140'; expected FULL or MASK1065.",
    ),
    "not numeric": (
        grid(mjd=["soon", "later"]),
        "grid.ecsv: column 'mjd' is not numeric; expected numbers in d.",
    ),
    "blank epoch": (
        grid(mjd=np.ma.MaskedArray([59760.0, 60000.0], [False, True])),
        "grid.ecsv row 2: mjd nan is not an epoch of JWST; expected one such as 59760.",
    ),
    "no rows": (
        grid()[:0],
        "grid.ecsv: no rows; give at least one band, subarray and epoch.",
    ),
}


@pytest.mark.parametrize("case", GRIDS)
def test_a_grid_that_has_no_answer_is_refused(
    case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    table, sentence = GRIDS[case]
    path = write_ecsv(table, tmp_path / "grid.ecsv")
    assert refused(["factors", "published", "--at", str(path)], tmp_path, capsys) == f"{sentence}\n"


USAGES = {
    "fit": "mirical",
    "run --draws many": "mirical run",
    "factors published --mjd soon": "mirical factors",
    "run --drwas 100": "mirical run",
    "apply published": "mirical apply",
    "instrument check miri --all": "mirical instrument check",
    "instrument test": "mirical instrument",
}


@pytest.mark.parametrize("command", USAGES)
def test_a_wrong_option_shows_the_usage_of_its_command_and_exits_with_status_2(
    command: str, capsys: pytest.CaptureFixture[str]
):
    with pytest.raises(SystemExit) as end:
        main(command.split())
    assert end.value.code == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith(f"usage: {USAGES[command]} [-h]")
    assert f"{USAGES[command]}: error: " in err and f"'{USAGES[command]} --help'" in err
    assert ("did you mean --draws?" in err) == ("drwas" in command)


@pytest.mark.parametrize("command", ["", "instrument"])
def test_a_command_alone_that_needs_another_word_prints_its_help(
    command: str, capsys: pytest.CaptureFixture[str]
):
    assert main(command.split()) == 2
    alone, _ = capsys.readouterr()
    with pytest.raises(SystemExit):
        main([*command.split(), "--help"])
    assert alone == capsys.readouterr().out != ""


def every_parser(parser: argparse.ArgumentParser) -> list[CommandParser]:
    """Return the parsers of all commands and of their actions."""
    found = []
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                found += every_parser(inner) or [inner]
    return found


@pytest.mark.parametrize("parser", every_parser(_parser()), ids=lambda parser: parser.prog)
def test_every_command_says_what_it_does_by_words_examples_and_defaults(parser: CommandParser):
    assert parser.brief and len(parser.description or "") > len(parser.brief) and parser.examples
    for example in parser.examples:
        program, *arguments = shlex.split(example.partition(" >")[0])
        assert program == "mirical" and _parser().parse_args(arguments).command is not None
        assert example.startswith(parser.prog)
    for action in parser._actions:
        assert action.help, action.dest
        if action.default not in (None, False, True, [], (), argparse.SUPPRESS):
            stated = any(end in action.help for end in ("]", "the default"))
            assert stated or action.required, f"{parser.prog} {action.dest}: default not stated"


def test_the_help_lists_every_exit_status(capsys: pytest.CaptureFixture[str]):
    assert main([]) == 2
    out = capsys.readouterr().out
    stated = {int(number) for number in re.findall(r"^    (\d+) ", out, re.MULTILINE)}
    assert stated == set(STATUSES) == {0, 1, 2, 3, 130}
    page = (Path(__file__).parents[1] / "docs" / "README.md").read_text(encoding="utf-8")
    assert {int(number) for number in re.findall(r"^\| (\d+) \|", page, re.MULTILINE)} == stated


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out == f"mirical {__version__}\n"


def test_factors_of_a_grid_come_back_in_its_order_with_its_own_columns(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    path = write_ecsv(grid(note=["a", "b"]), tmp_path / "grid.ecsv")
    out, covariance = tmp_path / "c.ecsv", tmp_path / "c.npy"
    options = ["--at", str(path), "--out", str(out), "--covariance", str(covariance)]
    assert main(["factors", "published", *options]) == 0
    table = QTable.read(out, format="ascii.ecsv")
    assert table.colnames == [
        *("filter", "subarray", "mjd", "note", "c_mean", "c_std", "c_relative_std"),
        *("c_q16", "c_q84", "c_aperture_std", "basis"),
    ]
    assert list(table["filter"]) == ["F770W", "F1065C"] and list(table["note"]) == ["a", "b"]
    # Table 8: A + B exp(-x / tau), 0.37 % and 0.42 % of it
    expected = [0.2579 - 0.0001 * np.exp(-40 / 200), 3.1125 - 0.0234 * np.exp(-280 / 200)]
    assert table["c_mean"].unit == FACTOR
    np.testing.assert_allclose(table["c_mean"].value, expected, rtol=1e-12)
    std = np.multiply(expected, [0.0037, 0.0042])
    np.testing.assert_allclose(table["c_std"].value, std, rtol=1e-12)
    np.testing.assert_allclose(np.load(covariance), np.diag(std**2), rtol=1e-12)
    assert "note: the published error is sigma(CF)" in capsys.readouterr().err


def test_one_factor_is_printed(capsys: pytest.CaptureFixture[str]):
    assert main("factors published --filter F1550C --subarray MASK1550 --mjd 59720".split()) == 0
    out, _ = capsys.readouterr()
    assert "3.753" in out  # A + B = 3.8974 - 0.1441
    assert "± aperture" in out
    assert "(MJy/sr)/(DN/s/pixel)" in out


def test_a_calibration_compared_with_itself_differs_nowhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    out = tmp_path / "compared.ecsv"
    command = ["compare", "published", "--with", "published", "--mjd", "59760", "--out", str(out)]
    assert main(command) == 0
    table = QTable.read(out, format="ascii.ecsv")
    assert len(table) == 14 and set(table["diff_sigma"]) == {0.0}
    assert "published against published" in capsys.readouterr().out


def test_predicted_fluxes_are_recomputed_and_written(
    calspec: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    out = tmp_path / "fluxes.ecsv"
    spectrum = calspec / "g191b2b_stiswfcnic_004.fits.gz"
    folder = tmp_path / "spectra"
    folder.mkdir()
    (folder / spectrum.name).symlink_to(spectrum)
    command = ["fluxes", str(folder), "--star", f"My Star={spectrum}", "--out", str(out)]
    assert main(command) == 0
    table = QTable.read(out, format="ascii.ecsv")
    assert list(dict.fromkeys(table["name"])) == ["G 191-B2B", "My Star"]
    assert len(table) == 28
    # 14 of one star agree, its 14 copies are new, and the 26 other stars are missing here.
    assert f"14 fluxes as shipped, {14 + 26 * 14} not." in capsys.readouterr().out
