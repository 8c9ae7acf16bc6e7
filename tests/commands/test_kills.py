"""Every command that writes leaves whole outputs, killed at any moment or refused room.

All commands together take a minute, so they are tried by `make check-slow`; `test_resuming` kills
a run, and `tests/storage` the writing of files.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import kills
from kills import CASES, NOTES, SEEDS
from mirical.cli import main
from mirical.storage.atomic_writes import Hidden

KILLED = [name for name, case in CASES.items() if case.step]
SAME = NOTES, "hierarchical.toml"
"""Files that an earlier run and its successor have in common."""

NOT_JSON, NO_KEYS = '{"places": ["', "{}"
WRONG_TYPES = '{"places": [1], "moves": [], "folders": []}'
NO_MOVE = '{"places": ["PLACE"], "moves": [{"staged": "a"}], "folders": []}'


@pytest.fixture(scope="module")
def tried(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder in which all commands were tried."""
    folder = tmp_path_factory.mktemp("tried")
    # JAX warns of every fork; the processes that are forked do not use it.
    line = [sys.executable, "-W", "ignore", kills.__file__, str(folder)]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (folder / "found.json").write_text(done.stdout)
    return folder


@pytest.fixture(scope="module")
def found(tried: Path) -> dict[str, Any]:
    """Return what was found, by command."""
    return json.loads((tried / "found.json").read_text())


def written(files: dict[str, str]) -> dict[str, str]:
    """Return the files that a command writes anew."""
    return {name: text for name, text in files.items() if not name.endswith(SAME)}


@pytest.mark.slow
@pytest.mark.parametrize("name", KILLED)
def test_outputs_are_the_earlier_or_the_new_ones_wherever_a_command_is_killed(
    name: str, found: dict[str, Any]
):
    old, new, trials = (found[name][key] for key in ("old", "new", "kills"))
    assert len(trials) >= 8
    assert all(text != old.get(file) for file, text in written(new).items())
    for trial in trials:
        assert trial["ended"] is None, trial
        assert trial["hidden"] == [], trial
        seen = written(trial["visible"])
        if CASES[name].outputs == ("out",):  # a folder is not even mixed for a moment
            assert seen in (written(old), written(new)), trial
        else:
            assert set(seen) == set(written(old)), trial
            assert all(seen[file] in (old[file], new[file]) for file in seen), trial
        if "again" in trial:
            assert trial["again"]["status"] in (0, 1) and trial["after"] == new, trial
            assert trial["unfinished"] == [], trial
        else:
            assert trial["after"] in (old, new), trial
    ends = [trial["after"] for trial in trials if "again" not in trial]
    assert old in ends and new in ends
    assert any("again" in trial for trial in trials)


@pytest.mark.slow
def test_a_run_that_was_killed_is_opened_as_the_earlier_or_the_new_one(found: dict[str, Any]):
    trials = found["run"]["kills"]
    assert {trial["opened"] for trial in trials} == {str(seed) for seed in SEEDS}
    for trial in trials:
        if "again" not in trial:
            place = "old" if trial["opened"] == str(SEEDS[0]) else "new"
            assert trial["after"] == found["run"][place], trial


@pytest.mark.slow
def test_at_least_thirty_kills_of_four_commands(found: dict[str, Any]):
    commands = {CASES[name].line[0] for name in KILLED}
    assert commands == {"run", "photometry", "apply", "export"}
    assert sum(len(found[name]["kills"]) for name in KILLED) >= 30


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_a_full_disk_is_one_sentence_and_leaves_what_stood_there(name: str, found: dict[str, Any]):
    assert len(found[name]["full"]) == len(kills.LIMITS)
    for trial in found[name]["full"]:
        assert trial["ended"]["status"] == 2, trial
        said = trial["ended"]["err"]
        assert "Traceback" not in said and ".mirical-" not in said, said
        assert said.count("mirical: ") == 1 and ": cannot be written (" in said, said
        assert trial["visible"] == found[name]["old"] and trial["hidden"] == [], trial


@pytest.mark.parametrize(
    "text", [NOT_JSON, NO_KEYS, WRONG_TYPES, NO_MOVE, "[]", "", "\xff", 9999 * "["]
)
def test_a_damaged_journal_is_one_sentence(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    line = ["factors", "published", "--filter", "F770W", "--mjd", "60000", "--out", "c.ecsv"]
    line.append("--overwrite")
    assert main(line) == 0
    before = Path("c.ecsv").read_bytes()
    held = Hidden(tmp_path)
    (held.path / "journal").write_bytes(text.encode("latin-1"))
    assert held._held is not None
    os.close(held._held)  # as when its process ends
    capsys.readouterr()
    assert main(line) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"mirical: {held.path}: ") and said.count("\n") == 1
    assert "its file 'journal' is damaged" in said and "remove this folder" in said
    assert Path("c.ecsv").read_bytes() == before
    shutil.rmtree(held.path)
    assert main(line) == 0
