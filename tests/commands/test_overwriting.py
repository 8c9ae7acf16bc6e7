"""No command replaces what a user named and what stands there already, unless it is told to."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import pytest

from mirical.cli import _parser, main
from mirical.console.command_parsers import CommandParser
from mirical.errors import InputError
from mirical.storage.files import check_outputs, keeping

LINES = {
    "run": "table5",
    "update": "run rows.ecsv",
    "compare": "published",
    "staged": "table5",
    "factors": "published --filter F770W --mjd 60000",
    "stars": "run",
    "error": "published --filter F770W --mjd 60000",
    "apply": "published rows.ecsv",
    "export": "published --to covariance",
    "plot": "run curves",
    "check": "run",
    "rivals": "run",
    "monitor": "run rows.ecsv",
    "plan": "run --candidates rows.ecsv --goal x",
    "simulate": "--seed 1",
    "sbc": "table5",
    "fetch": "rows.ecsv",
    "apertures": "image.fits",
    "mosaic": "image.fits",
    "photometry": "image.fits",
    "fluxes": "calspec",
    "instrument new": "ACS",
    "cards copy": "pooled",
    "jobs copy": "table5",
    "sample": "grid",
}
"""What every command that writes is asked, but for its outputs."""


def writers(parsers: argparse._SubParsersAction) -> Iterator[CommandParser]:
    """Yield the parsers of all commands and actions that write."""
    for parser in parsers.choices.values():
        if parser.written is not None:
            yield parser
        if parser.inner is not None:
            yield from writers(parser.inner)


def outputs() -> dict[str, list[argparse.Action]]:
    """Return the options that name outputs, by command."""
    inner = next(one for one in _parser()._actions if isinstance(one, argparse._SubParsersAction))
    return {
        one.prog.removeprefix("mirical "): [
            action for action in one.written._group_actions if action.type is Path
        ]
        for one in writers(inner)
        if one.written is not None
    }


CASES = [(name, action.dest) for name, actions in outputs().items() for action in actions]


def test_every_command_that_writes_is_tried():
    assert set(LINES) == set(outputs()) and len(CASES) > len(LINES)


@pytest.mark.parametrize(("name", "dest"), CASES)
def test_what_a_user_named_stays_unless_overwriting_is_asked_for(
    name: str, dest: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
):
    monkeypatch.chdir(tmp_path)
    assert main(["sample", "photometry", "--out", "rows.ecsv"]) == 0
    Path("image.fits").touch()
    Path("run").mkdir()
    Path("run", "posterior.nc").touch()
    line = [*name.split(), *LINES[name].split()]
    named, is_folder = Path(), False
    for action in outputs()[name]:
        path = Path(action.dest + Path(str(action.metavar)).suffix)
        line += [*action.option_strings[:1], str(path)]
        if action.dest == dest:
            named, is_folder = path, action.metavar in ("DIR", "RUN2")
    stands = named / "mine" if is_folder else named
    stands.parent.mkdir(exist_ok=True)
    stands.write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    capsys.readouterr()
    assert main(line) == 2
    said = capsys.readouterr()
    last = said.err.splitlines()[-1]
    assert last.startswith(f"mirical: {named}: exists") and said.out == ""
    assert last.endswith("; choose another path, or --overwrite to replace it.")
    assert stands.read_text() == "mine" and sorted(tmp_path.rglob("*")) == before


def test_overwriting_replaces_and_leaves_what_no_command_wrote(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    Path("ACS").mkdir()  # an empty folder is no loss
    for command in (["sample", "grid"], ["cards", "copy", "pooled"], ["instrument", "new", "ACS"]):
        assert [main(command), main(command), main([*command, "--overwrite"])] == [0, 2, 0]
    Path("ACS", "notes.txt").write_text("mine")
    assert main(["instrument", "new", "ACS", "--overwrite"]) == 0
    assert Path("ACS", "notes.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("line", "left", "goes"),
    [
        ("run", "", True),
        ("run table5 --seed 3", "", True),
        ("run --model pooled", "", False),
        ("run --photometry table5.ecsv", "", False),
        ("run table5.toml", "", False),
        ("run --fast", "", False),
        ("run --fast", "fast", True),
        ("run table5 --out reports/table5", "", False),
        ("run table5 --out reports/table5", "table5.unfinished", True),
        ("run --model pooled --out reports/table5", "table5.unfinished", False),
        ("run --model pooled --overwrite", "", True),
    ],
)
def test_a_run_renews_its_own_folder_and_no_other(
    line: str, left: str, goes: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
):
    own = Path("reports/table5").absolute() / "job.toml"
    monkeypatch.chdir(tmp_path)
    Path("reports/table5").mkdir(parents=True)
    Path("reports/table5/job.toml").write_bytes(own.read_bytes())
    Path("table5.toml").write_text('photometry = "table5.ecsv"\nmodel = "hierarchical"\n')
    Path("table5.ecsv").touch()
    if left == "fast":  # the end of the file is its provenance
        with Path("reports/table5/job.toml").open("a") as file:
            file.write('"method" = "fast"\n')
    elif left:
        Path("reports", left).touch()

    def resolve(job: object) -> None:
        raise InputError("it goes on")

    monkeypatch.setattr("mirical.jobs.inputs.resolve_job", resolve)
    assert main(line.split()) == 2
    refusal = "reports/table5: exists and is not empty; choose another path, or --overwrite"
    assert ("it goes on" if goes else refusal) in capsys.readouterr().err


def test_python_is_not_asked(tmp_path: Path):
    (tmp_path / "mine").touch()
    check_outputs([tmp_path / "mine"])
    with keeping(), pytest.raises(InputError, match="mine: exists; choose another path"):
        check_outputs([tmp_path / "mine"])
    with keeping():
        check_outputs([tmp_path / "mine"], renewed=True)
