"""A run that is killed, interrupted or out of time goes on to the bytes of an unbroken one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mirical.chains.checkpoint import Checkpoint
from mirical.cli import main
from mirical.console.progress import ChainWatch
from mirical.storage.files import Unwritable

SHORT = ["--chains", "2", "--warmup", "100", "--draws", "120"]
"""As the run of `short_run`, which nothing interrupts."""

KILLED = """
import os, signal, sys
from mirical.chains import running
from mirical.chains.checkpoint import Checkpoint
from mirical.cli import main

running.EVERY, save, left = 0.0, Checkpoint.save, int(sys.argv[1])

def deadly(self, *args, **options):
    global left
    left -= 1
    if not left:
        # In the middle of a transaction, whose journal is on the disk.
        self._file.execute("PRAGMA cache_size=1")
        self._write = lambda *args, **options: (
            self._file.execute("BEGIN"),
            self._file.execute("DELETE FROM blocks"),
            self._file.execute("DELETE FROM states"),
            os.kill(os.getpid(), signal.SIGKILL),
        )
    save(self, *args, **options)

Checkpoint.save = deadly
main(sys.argv[2:])
"""


def content(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_a_killed_run_goes_on_to_the_same_bytes(short_run: Path, tmp_path: Path, capfd):
    out = tmp_path / "table5"
    line = ["run", *SHORT, "--out", str(out)]
    done = subprocess.run([sys.executable, "-c", KILLED, "6", *line], check=False)
    assert done.returncode == -signal.SIGKILL
    assert {path.name.split("-")[0] for path in tmp_path.iterdir()} == {"table5.unfinished"}
    capfd.readouterr()
    assert main(line) in (0, 1)
    assert f" a chain kept in {out}.unfinished.\n" in capfd.readouterr().err
    assert content(out) == content(short_run)
    assert os.listdir(tmp_path) == ["table5"]


def after_blocks(monkeypatch: pytest.MonkeyPatch, number: int, then: Callable[[], None]) -> None:
    """Do something once the chains have made so many blocks."""
    advance, blocks = ChainWatch.advance, []

    def counted(*args: int) -> None:
        advance(*args)
        blocks.append(args)
        if len(blocks) == number:
            then()

    monkeypatch.setattr(ChainWatch, "advance", counted)


@pytest.mark.slow
def test_interrupts_and_time_limits_lose_nothing(
    short_run: Path, tmp_path: Path, capfd, monkeypatch: pytest.MonkeyPatch
):
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it
    out, kept = tmp_path / "table5", tmp_path / "table5.unfinished"
    line = ["run", *SHORT, "--out", str(out)]
    with monkeypatch.context() as patch:
        patch.setattr(Checkpoint, "save", lambda *_, **__: None)
        after_blocks(patch, 1, lambda: os.kill(os.getpid(), signal.SIGINT))
        assert main(line) == 130
    said = "mirical: interrupted before there was anything to keep.\n"
    assert capfd.readouterr().err.endswith(said) and os.listdir(tmp_path) == []
    with monkeypatch.context() as patch:

        def twice() -> None:
            for _ in range(2):
                os.kill(os.getpid(), signal.SIGINT)

        # Of 14 that the two chains need: the blocks under way end, and one more under the limit.
        after_blocks(patch, 9, twice)
        assert main(line) == 130
    err = capfd.readouterr().err
    assert f" draws a chain are kept in {kept}; the same command goes on.\n" in err
    assert main([*line, "--time-limit", "1e-9"]) == 1
    err = capfd.readouterr().err
    assert "note: the time limit ended the run; " in err and kept.exists() and out.is_dir()
    before = content(out)
    with monkeypatch.context() as patch:

        def full(run: object, folder: Path) -> None:
            raise Unwritable(folder, OSError(28, "No space left on device"))

        patch.setattr("mirical.reporting.run_folder.write_run", full)
        assert main(line) == 2
    assert capfd.readouterr().err.endswith(
        f"mirical: {out}: cannot be written (No space left on device), and is as it was; 150 draws "
        f"a chain are kept in {kept}: the same command writes the run once there is room.\n"
    )
    with monkeypatch.context() as patch:

        def late(run: object, folder: Path) -> None:
            os.kill(os.getpid(), signal.SIGTERM)

        patch.setattr("mirical.reporting.run_folder.write_run", late)
        assert main(line) == 130
    said = (
        f"mirical: interrupted; 150 draws a chain are kept in {kept}; the same command goes on.\n"
    )
    assert capfd.readouterr().err.endswith(said)
    assert content(out) == before
    assert main(line) in (0, 1)
    assert content(out) == content(short_run) and os.listdir(tmp_path) == ["table5"]
