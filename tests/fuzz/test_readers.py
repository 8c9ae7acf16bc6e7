"""Mutated files: every reader refuses in one sentence, or reads numbers that mean something."""

from __future__ import annotations

import ast
import math
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import mirical
from fuzz.judging import (
    Outcome,
    Reader,
    examine,
    mutate_and_examine,
    not_a_covariance,
    not_finite,
)
from fuzz.mutations import TEXT, generator, mutated
from fuzz.readers import READERS
from mirical.errors import InputError

FAST, SLOW = 200, 2000
"""Mutations of all readers together, in `make test` and in `make check-slow`."""
_EACH_FAST, _EACH_SLOW = (math.ceil(total / len(READERS)) for total in (FAST, SLOW))

every_reader = pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.name)


def failures(reader: Reader, folder: Path, numbers: range) -> list[str]:
    """Return a line for each mutation that a reader does not bear, with what shows it again."""
    path = reader.make(folder)
    good = path.read_bytes()
    outcomes = {n: mutate_and_examine(reader, good, path, n) for n in numbers}
    return [
        f"{outcome.sentence}  [again: cd tests; python -m fuzz {reader.name} {n}]"
        for n, outcome in outcomes.items()
        if outcome.kind == "failed"
    ]


@every_reader
def test_a_good_file_is_read(reader: Reader, tmp_path: Path):
    assert examine(reader, reader.make(tmp_path)) == Outcome("read", "")


@every_reader
def test_a_mutated_file_is_refused_or_read_as_numbers_that_mean_something(
    reader: Reader, tmp_path: Path
):
    assert failures(reader, tmp_path, range(_EACH_FAST)) == []


@pytest.mark.slow
@every_reader
def test_no_mutation_of_many_breaks_a_reader(reader: Reader, tmp_path: Path):
    assert failures(reader, tmp_path, range(_EACH_FAST, _EACH_SLOW)) == []


def test_a_seed_always_makes_the_same_mutation():
    content = b"a line of words: 1.5, 2\nanother\n" * 20
    made = [mutated(content, TEXT, generator("x", k)) for k in range(50)]
    assert made == [mutated(content, TEXT, generator("x", k)) for k in range(50)]
    assert len(set(made)) > 40 and made.count(content) < 5


def small(read, judge=lambda _: iter(())) -> Reader:
    def make(folder: Path) -> Path:
        (folder / "small.txt").write_text("1 2 3\n")
        return folder / "small.txt"

    return Reader("small", make, read, judge, TEXT, ())


def refuse(sentence: str, kind: type[Exception] = InputError):
    def read(path: Path):
        raise kind(sentence)

    return read


def hang(path: Path):
    while True:
        pass


def unraisable(path: Path):
    class Closed:
        def __del__(self):
            raise KeyError("closed badly")

    Closed()


BROKEN: dict[str, tuple[Reader, str]] = {
    "a traceback": (small(lambda path: {}["x"]), "KeyError: 'x'"),
    "a warning": (small(lambda path: warnings.warn("odd", stacklevel=2)), "UserWarning: odd"),
    "a hang": (small(hang), "more than 0.2 s of CPU time"),
    "all memory": (small(lambda path: np.ones(10**12)), "MemoryError"),
    "an exception nobody sees": (small(unraisable), "KeyError: 'closed badly'"),
    "no number": (
        small(lambda path: np.nan, lambda found: not_finite("mean", found)),
        "silently wrong: mean is not finite",
    ),
    "a negative number": (
        small(lambda path: -1.0, lambda found: not_finite("mean", found, positive=True)),
        "silently wrong: mean is not positive",
    ),
    "an asymmetric matrix": (
        small(lambda path: np.tri(2), lambda found: not_a_covariance("matrix", found, 2)),
        "silently wrong: matrix is not symmetric",
    ),
    "a matrix that is no covariance": (
        small(lambda path: np.ones((2, 2)) - 1.5 * np.tri(2) * np.tri(2).T,
              lambda found: not_a_covariance("matrix", found, 2)),
        "silently wrong: matrix has a negative variance",
    ),
    "a refusal of nothing": (small(refuse("cannot be read.")), "does not name the file"),
    "a long refusal": (
        replace(small(refuse(f"small.txt: {'x' * 9999}.", OSError)), refuses=(OSError,)),
        "nobody reads to its end",
    ),
    "half a refusal": (small(refuse("small.txt: because")), "a refusal that is no sentence"),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_reader_is_found_out(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    reader, sentence = BROKEN[name]
    monkeypatch.setattr("fuzz.judging.CPU_LIMIT", 0.2)
    outcome = examine(reader, reader.make(tmp_path))
    assert outcome.kind == "failed" and sentence in outcome.sentence
    (line,) = failures(reader, tmp_path, range(7, 8))
    assert line.endswith("[again: cd tests; python -m fuzz small 7]")


_READING = {
    *(
        "read_text",
        "read_bytes",
        "fits.open",
        "np.load",
        "tomllib.loads",
        "json.loads",
        "json.load",
    ),
    *(
        "xr.open_datatree",
        "h5netcdf.File",
        "SourceSpectrum.from_file",
        "read_columns",
        "read_table",
        "h5py.File",
    ),
    *("datamodels.open", "datamodels.ImageModel", "Table.read", "QTable.read", "open", "json.load"),
}
"""Calls that read a file."""

_NOT_A_USERS_FILE: dict[str, str] = {
    "catalogues.keeping": "compares what lies there with what it would write, by checksum",
    "chains.identity": "reads its own sources, whose changes make kept draws useless",
    "chains.running": "reads draws that a run kept, from memory; the checkpoint tells of damage",
    "commands.shipped": "reads the cards and jobs that come with mirical",
    "commands.running": "opens the checkpoint, which tells of damage and begins anew",
    "compiled.files": "reads this user's own entries, by checksum; its tests damage them",
    "compiled.surroundings": "reads its own sources, and what the system tells of the processor",
    "console.csv_tables": "reads the table it has just written",
    "console.streams": "opens the null device",
    "figures.check_figures": "reads tables that a check wrote, and refuses those of other rows",
    "figures.stored_tables": "reads tables whose checksums are those that the run recorded",
    "monitoring.history": "reads rows that it wrote itself, whole or not at all",
    "pages.index": "looks for its own mark in a page; the JSON reader tells of damage",
    "pages.links": "fills a place in pages that commands wrote, byte by byte",
    "pages.page": "reads its own scripts",
    "reporting.run_folder": "copies the files of a card that was read",
    "updating.added": "reads the table it has just written, and a manifest that was read",
    "many.tasks": "reads its own sources, whose changes make kept results useless",
    "storage.disk": "opens folders, to have them written",
    "storage.files": "copies what a command has just written",
    "storage.atomic_writes": "reads lists that it wrote itself, whole or not at all",
    "storage.journal": "reads what it wrote itself, whole or not at all; damage is one sentence",
}
"""Modules that read nothing a user gives, and why."""


def readings(source: str) -> Iterator[str]:
    """Give every call of a source text that reads a file which is not one of ours."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        short = name if name in _READING else name.rpartition(".")[2]
        if short not in _READING or not _reads(node, short):
            continue
        yield name


def _reads(node: ast.Call, name: str) -> bool:
    given = [ast.unparse(argument) for argument in node.args]
    if name == "open":
        return not any("w" in mode or "a" in mode for mode in given if mode[:1] in "'\"")
    if name == "datamodels.ImageModel":
        return bool(given)
    ours = given and given[0].startswith("data_file(")
    return not ours


def test_every_module_that_reads_a_file_is_in_the_table():
    folder = Path(mirical.__file__).parent
    known = {name for reader in READERS for name in reader.modules} | set(_NOT_A_USERS_FILE)
    reading = {
        ".".join(path.relative_to(folder).with_suffix("").parts)
        for path in folder.rglob("*.py")
        if any(readings(path.read_text(encoding="utf-8")))
    }
    assert reading - known == set()
    assert set(_NOT_A_USERS_FILE) <= reading


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("with fits.open(path) as f: pass", ["fits.open"]),
        ("path.open('rb')", ["path.open"]),
        ("path.open('wb')", []),
        ("Table.read(data_file('table8'), format='ascii.ecsv')", []),
        ("QTable.read(path)", ["QTable.read"]),
        ("datamodels.ImageModel(data=x)", []),
        ("folder.joinpath('x').read_text()", ["folder.joinpath('x').read_text"]),
    ],
)
def test_what_reads_a_file_is_recognised(source: str, found: list[str]):
    assert list(readings(source)) == found


def test_a_reader_may_mend_what_would_hide_the_mutation(tmp_path: Path):
    reader = small(lambda path: path.read_text())
    mended = replace(reader, mend=lambda path: path.write_text("mended"),
                     judge=lambda found: iter([] if found == "mended" else [found]))  # fmt: skip
    path = mended.make(tmp_path)
    assert mutate_and_examine(mended, b"1 2 3\n", path, 0).kind == "read"
