"""Checkpoints: what is kept comes back, only to the same run, and to one at a time."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from mirical.chains.checkpoint import Block, Checkpoint, State, checkpoint_of
from mirical.errors import InputError

IDENTITY = {"rows": "1", "card": "2", "version": "3"}
STATES = {0: State(1, 75, 50, b"zero"), 1: State(1, 50, 25, b"one")}
BLOCKS = [Block(1, 1, b"b"), Block(0, 2, b"d"), Block(0, 1, b"c")]


def opened(path: Path, said: list[str], **changed: str) -> Checkpoint:
    kept = Checkpoint.open(path, Path("out"), IDENTITY | changed, said.append)
    assert kept is not None
    return kept


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file in which two chains are kept."""
    path = tmp_path / "out.unfinished"
    kept = opened(path, [])
    assert not kept.holds
    kept.save(STATES, BLOCKS)
    assert kept.holds and kept.amount == "25 draws a chain"
    kept.close()
    return path


def test_what_is_kept_comes_back_in_order(path: Path):
    said: list[str] = []
    kept = opened(path, said)
    assert kept.states == STATES and said == []
    assert [list(kept.blocks(chain)) for chain in (0, 1)] == [[b"c", b"d"], [b"b"]]
    kept.save({0: State(2, 0, 0, b"again")}, [], anew=True)
    kept.close()
    kept = opened(path, said)
    assert list(kept.blocks(0)) == [] and kept.states[0].content == b"again"
    assert kept.amount == "0 steps of warm-up a chain"
    Path(f"{path}-journal").touch()  # as some releases of SQLite leave it
    kept.remove()
    assert os.listdir(path.parent) == []


def test_the_draws_of_another_run_are_dropped_and_the_reason_is_said(path: Path):
    said: list[str] = []
    kept = opened(path, said, card="other", rows="other")
    assert not kept.holds and list(kept.blocks(0)) == []
    assert said == [
        f"{path}: its draws cannot be used, for the rows and the card changed; the run starts anew."
    ]
    kept.close()


def flip(path: Path) -> None:
    with sqlite3.connect(path) as file:
        file.execute("UPDATE blocks SET content = x'78' WHERE chain = 0 AND number = 1")
    file.close()


DAMAGE = {
    "not a database": lambda path: path.write_bytes(b"\0 something else" * 100),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:5000]),
    "a block changed": flip,
}


@pytest.mark.parametrize("how", ["not a database", "cut", "a block changed"])
def test_a_damaged_file_is_made_anew_and_said_so(how: str, path: Path):
    DAMAGE[how](path)
    said: list[str] = []
    kept = opened(path, said)
    assert not kept.holds
    assert said == [f"{path}: is damaged, so its draws cannot be used; the run starts anew."]
    kept.save(STATES, BLOCKS)
    kept.close()
    assert opened(path, said).states == STATES


HOLD = (
    "import sys, time; from pathlib import Path; from mirical.chains.checkpoint import *\n"
    "kept = Checkpoint.open(Path(sys.argv[1]), Path('out'), {'rows': '1'}, print)\n"
    "kept.save({0: State(0, 25, 0, b'x')}, [])\n"
    "kept._file.execute('BEGIN'); kept._file.execute('DELETE FROM states')\n"
    "kept._file.execute('PRAGMA cache_spill=1'); print('open', flush=True); time.sleep(60)\n"
)


def test_a_second_run_is_refused_until_the_first_one_is_gone(tmp_path: Path):
    path = tmp_path / "out.unfinished"
    with subprocess.Popen([sys.executable, "-c", HOLD, path], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None and other.stdout.readline() == b"open\n"
        with pytest.raises(
            InputError, match=r"^out: another mirical run is writing there \(.*out."
        ):
            Checkpoint.open(path, Path("out"), {"rows": "1"}, print)
        other.send_signal(signal.SIGKILL)
    kept = Checkpoint.open(path, Path("out"), {"rows": "1"}, print)
    assert kept is not None and kept.states == {0: State(0, 25, 0, b"x")}
    kept.close()


def test_a_file_that_cannot_be_made_is_said_and_done_without(tmp_path: Path):
    said: list[str] = []
    (tmp_path / "out.unfinished").mkdir()
    assert Checkpoint.open(tmp_path / "out.unfinished", Path("out"), IDENTITY, said.append) is None
    (tmp_path / "file").write_text("")
    assert Checkpoint.open(tmp_path / "file" / "x", Path("out"), IDENTITY, said.append) is None
    assert [one.split(": cannot be written (")[0] for one in said] == [
        f"{tmp_path / 'out.unfinished'}",
        f"{tmp_path / 'file' / 'x'}",
    ]
    assert all(one.endswith("if the run is interrupted, its draws are lost.") for one in said)


def test_what_was_kept_stays_where_there_is_no_more_room(path: Path):
    said: list[str] = []
    kept = opened(path, said)
    pages = kept._file.execute("PRAGMA page_count").fetchone()[0]
    kept._file.execute(f"PRAGMA max_page_count={pages}")
    for _ in range(2):
        kept.save({0: State(1, 100, 75, b"more")}, [Block(0, 3, bytes(100_000))])
    assert kept.states == STATES and len(said) == 1
    assert said[0].startswith(f"{path}: cannot be written any more (database or disk is full); if")
    kept.close()
    assert opened(path, said).states == STATES


def test_the_file_lies_beside_the_folder(tmp_path: Path):
    assert checkpoint_of(tmp_path / "table5") == tmp_path / "table5.unfinished"
    assert checkpoint_of(tmp_path / "table5" / "..") == tmp_path.with_name(
        f"{tmp_path.name}.unfinished"
    )
