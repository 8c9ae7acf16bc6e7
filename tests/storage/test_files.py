"""Outputs appear whole and all together, whatever happens to the process that writes them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mirical.errors import InputError
from mirical.storage import atomic_writes
from mirical.storage.atomic_writes import LIST, Hidden
from mirical.storage.files import check_outputs, settle, together, whole_file, whole_folder

# Replaces the folder 'run' and two files, and is killed at the call of that number among all that
# change the disk; says how many there are if it lives.
WRITER = """
import os, shutil, signal, sys
from pathlib import Path
from mirical.storage import atomic_writes, files

kill, way = int(sys.argv[1]), sys.argv[2]
calls = 0

def deadly(function):
    def call(*args, **options):
        global calls
        calls += 1
        if calls == kill:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*args, **options)
    return call

for name in ("rename", "replace", "mkdir", "unlink", "rmdir", "fsync"):
    setattr(os, name, deadly(getattr(os, name)))
swap = atomic_writes.exchange if way != "no-exchange" else lambda one, other: False
atomic_writes.exchange = deadly(swap)
Path.write_bytes, shutil.rmtree = deadly(Path.write_bytes), deadly(shutil.rmtree)
if way == "inside":
    os.chdir("run")
here = Path("..") if way == "inside" else Path()
with files.together():
    with files.whole_folder(here / "run", former=("old/*",), listed=True) as folder:
        for name in ("a", "b", "figures/new"):
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_bytes(b"new")
    for name in ("rows", "covariance"):
        with files.whole_file(here / name) as path:
            path.write_bytes(b"new")
print(calls)
"""


def content(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != LIST
    }


def hidden(folder: Path) -> list[Path]:
    return list(folder.rglob(".mirical-*"))


OLD = {"run/a": "old", "run/b": "old", "run/c": "old", "run/figures/old": "old", "run/old/x": "old"}
OLD |= {"rows": "old", "covariance": "old"}
OWN = {"run/notes": "own", "run/figures/mine": "own"}
NEW = {"run/a": "new", "run/b": "new", "run/figures/new": "new", "rows": "new", "covariance": "new"}


def prepared(folder: Path) -> Path:
    """Return a folder with what earlier commands wrote, and two files of a user's own."""
    folder.mkdir()
    with whole_folder(folder / "run", listed=True) as beside:
        for name in ("a", "b", "c", "figures/old"):
            (beside / name).parent.mkdir(exist_ok=True)
            (beside / name).write_text("old")
    (folder / "run" / "old").mkdir()
    for name, text in (OLD | OWN).items():
        (folder / name).write_text(text)
    return folder


def write(folder: Path, kill: int, way: str) -> int | None:
    """Run the writer; return the number of its calls, None if it was killed."""
    command = [sys.executable, "-c", WRITER, str(kill), way]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode == -signal.SIGKILL:
        return None
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


@pytest.mark.parametrize("way", ["exchange", "inside", "no-exchange"])
def test_outputs_are_whole_and_together_wherever_their_writer_is_killed(tmp_path: Path, way: str):
    calls = write(prepared(tmp_path / "whole"), 0, way)
    assert calls is not None and content(tmp_path / "whole") == NEW | OWN
    assert not hidden(tmp_path / "whole")
    found = []
    for kill in range(1, calls + 1, 1 if way == "exchange" else 3):
        folder = prepared(tmp_path / str(kill))
        assert write(folder, kill, way) is None
        if way == "exchange":  # not even for a moment is the folder mixed
            assert len({(folder / "run" / name).read_text() for name in "ab"}) == 1
        settle(folder / "run")
        settle(folder / "run")
        assert not hidden(folder)
        found.append(content(folder))
        assert found[-1] in (OLD | OWN, NEW | OWN), kill
    assert found[0] == OLD | OWN and found[-1] == NEW | OWN


def test_a_folder_that_a_living_process_holds_is_not_swept(tmp_path: Path):
    held, abandoned = Hidden(tmp_path), Hidden(tmp_path)
    assert abandoned._held is not None
    os.close(abandoned._held)  # as when its process ends
    settle(tmp_path / "file")
    assert hidden(tmp_path) == [held.path]
    held.remove()
    assert not hidden(tmp_path)


def test_a_folder_of_another_machine_is_left_for_a_day(tmp_path: Path):
    other = tmp_path / ".mirical-0f0f0f-abcdefgh"
    other.mkdir()
    settle(tmp_path / "file")
    assert hidden(tmp_path) == [other]
    os.utime(other, (0, 0))
    settle(tmp_path / "file")
    assert not hidden(tmp_path)


def test_a_list_that_leads_out_of_its_folder_removes_nothing(tmp_path: Path):
    run = tmp_path / "run"
    run.mkdir()
    (tmp_path / "precious").write_text("own")
    (run / LIST).write_text(f"../precious\n{tmp_path}/precious\n")
    with whole_folder(run, listed=True) as folder:
        (folder / "a").write_text("new")
    assert content(tmp_path) == {"precious": "own", "run/a": "new"}


def test_if_one_output_cannot_be_put_in_its_place_none_appears(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "first").write_text("old")
    exchange = atomic_writes.exchange

    def full(one: Path, other: Path) -> bool:
        if other.name == "third":
            raise OSError(28, "No space left on device")
        return exchange(one, other)

    (tmp_path / "third").write_text("old")
    monkeypatch.setattr(atomic_writes, "exchange", full)
    with pytest.raises(InputError, match=r"third: cannot be written \(No space left .*make room"):
        with together():
            for name in ("first", "second", "third"):
                with whole_file(tmp_path / name) as path:
                    path.write_text("new")
            assert content(tmp_path)["first"] == "old"
    assert content(tmp_path) == {"first": "old", "third": "old"}
    assert not hidden(tmp_path)


def test_a_link_stays_one_and_a_device_is_no_file_to_replace(tmp_path: Path):
    (tmp_path / "target").write_text("old")
    (tmp_path / "link").symlink_to("target")
    (tmp_path / "null").symlink_to(os.devnull)
    for name in ("link", "null"):
        check_outputs([tmp_path / name])
        with whole_file(tmp_path / name) as path:
            path.write_text("new")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "target").read_text() == "new"
    assert (tmp_path / "null").is_symlink() and Path(os.devnull).is_char_device()


REFUSED = {
    "no/file": r"no/file: cannot be written \(No such file or directory\); choose another path.",
    "file/below": r"file/below: cannot be written \(Not a directory\)",
    "folder": "folder: is a folder; give the name of a file to write.",
    "file": "file: is read as input; choose another path to write.",
    "alias": "alias: is read as input",
    "lost": r"lost: cannot be written \(No such file or directory\)",
}


@pytest.mark.parametrize("name", REFUSED)
def test_an_output_that_cannot_be_is_found_before_the_work(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    Path("folder").mkdir()
    Path("alias").symlink_to("file")
    Path("lost").symlink_to("nowhere/file")
    before = sorted(Path().rglob("*"))
    with pytest.raises(InputError, match=REFUSED[name]):
        check_outputs([Path("good"), Path(name)], inputs=[Path("file")])
    assert sorted(Path().rglob("*")) == before


def test_two_outputs_of_one_name_and_a_file_for_a_folder_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="a: is asked for twice"):
        check_outputs([Path("a"), Path("b/../a"), None])
    Path("file").touch()
    with pytest.raises(InputError, match="file: is a file; --out needs a folder"):
        check_outputs(folders=[Path("file")])
    with pytest.raises(InputError, match=r"file/run: cannot be written \(Not a directory\)"):
        check_outputs(folders=[Path("file/run")])
    check_outputs(folders=[Path("to/be/made")])
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
