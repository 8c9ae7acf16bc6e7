"""One mutation of a file, read under limits of CPU time and memory, and the judgement of it."""

from __future__ import annotations

import contextlib
import re
import resource
import signal
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from fuzz.mutations import Mutation, generator, mutated
from mirical.errors import InputError

CPU_LIMIT = 10.0
"""Seconds of CPU time a file may take."""
MEMORY_LIMIT = 3 * 2**30
"""Bytes a file may take."""
_LONGEST_SENTENCE = 1000


class TooLong(BaseException):
    """The CPU time is up; no reader can catch it by mistake."""


@dataclass(frozen=True)
class Reader:
    """One reader of the program.

    Attributes
    ----------
    name : str
        What messages of the fuzzer call it.
    make : callable
        Writes a small good input into a folder and returns the file to mutate.
    read : callable
        Reads that file, as far as the program goes with it; returns what is judged.
    judge : callable
        Gives a sentence for everything wrong with what was read.
    mutations : tuple of callable
        What may happen to the file.
    modules : tuple of str
        Modules of mirical whose reading is tried; see `test_readers`.
    refuses : tuple of exceptions
        What a refusal may be.
    mend : callable, optional
        Run on the mutated file: makes valid again what would hide the mutation, such as a checksum.
    """

    name: str
    make: Callable[[Path], Path]
    read: Callable[[Path], Any]
    judge: Callable[[Any], Iterator[str]]
    mutations: tuple[Mutation, ...]
    modules: tuple[str, ...]
    refuses: tuple[type[Exception], ...] = (InputError,)
    mend: Callable[[Path], None] | None = field(default=None)


@dataclass(frozen=True)
class Outcome:
    """What became of one mutation: ``refused``, ``read`` or ``failed``, and why."""

    kind: str
    sentence: str
    trace: str = ""


def examine(reader: Reader, path: Path) -> Outcome:
    """Read a file and judge what comes of it."""
    try:
        with _limits(), _unraisable(), warnings.catch_warnings():
            warnings.simplefilter("error")
            result = reader.read(path)
            wrong = next(iter(reader.judge(result)), None)
    except reader.refuses as refusal:
        wrong = next(_faults_of_a_sentence(str(refusal), path), None)
        if wrong is None:
            return Outcome("refused", str(refusal))
        return Outcome("failed", f"{wrong}: {str(refusal)[:300]!r}")
    except TooLong:
        return Outcome("failed", f"more than {CPU_LIMIT:g} s of CPU time")
    except Exception as error:
        said = f"{type(error).__name__}: {str(error)[:200]}"
        return Outcome("failed", said, traceback.format_exc())
    return Outcome("read", "") if wrong is None else Outcome("failed", f"silently wrong: {wrong}")


def mutate_and_examine(reader: Reader, good: bytes, path: Path, number: int) -> Outcome:
    """Write mutation `number` of a good file in its place, read it and judge what comes of it."""
    path.write_bytes(mutated(good, reader.mutations, generator(reader.name, number)))
    if reader.mend is not None:
        reader.mend(path)
    return examine(reader, path)


def _faults_of_a_sentence(sentence: str, path: Path) -> Iterator[str]:
    if "\n" in sentence or not sentence.isprintable():
        yield "a refusal of more than one line"
    if len(sentence) > _LONGEST_SENTENCE:
        yield "a refusal nobody reads to its end"
    names = {path.name, path.stem, path.parent.name}
    if not any(name in sentence for name in names):
        yield "a refusal that does not name the file"
    if not re.search(r"[.?!)]$", sentence):
        yield "a refusal that is no sentence"


@contextlib.contextmanager
def _limits() -> Iterator[None]:
    """Limit CPU time and memory of what is read; both are counted by the system, not by a clock."""

    def stop(*_: object) -> None:
        raise TooLong

    before = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    used = pages * resource.getpagesize()
    handler = signal.signal(signal.SIGPROF, stop)
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY_LIMIT, before[1]))
    signal.setitimer(signal.ITIMER_PROF, CPU_LIMIT, 1.0)  # again, should a callback swallow it
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        resource.setrlimit(resource.RLIMIT_AS, before)
        signal.signal(signal.SIGPROF, handler)


@contextlib.contextmanager
def _unraisable() -> Iterator[None]:
    """Raise what a destructor raised, which Python would print and forget."""
    found: list[BaseException] = []

    def note(of: sys.UnraisableHookArgs) -> None:
        if of.exc_value is not None and not isinstance(of.exc_value, TooLong):
            found.append(of.exc_value)

    before, sys.unraisablehook = sys.unraisablehook, note
    try:
        yield
    finally:
        sys.unraisablehook = before
        if found:
            raise found[0]


def not_finite(what: str, values: Any, *, positive: bool = False) -> Iterator[str]:
    """Give a sentence if numbers are not finite, or not positive where they must be."""
    numbers = np.asarray(getattr(values, "value", values), dtype=float)
    if not np.all(np.isfinite(numbers)):
        yield f"{what} is not finite"
    elif positive and not np.all(numbers > 0):
        yield f"{what} is not positive"


def not_a_covariance(what: str, matrix: Any, size: int) -> Iterator[str]:
    """Give a sentence if a matrix is no covariance of so many values."""
    numbers = np.asarray(matrix, dtype=float)
    if numbers.shape != (size, size):
        yield f"{what} has shape {numbers.shape} for {size} values"
        return
    yield from not_finite(what, numbers)
    if not np.allclose(numbers, numbers.T, rtol=1e-6, atol=1e-300):
        yield f"{what} is not symmetric"
    if np.any(np.diag(numbers) < 0):
        yield f"{what} has a negative variance"
    elif size and np.linalg.eigvalsh(numbers)[0] < -1e-6 * max(np.trace(numbers), 1e-300):
        yield f"{what} is not positive semidefinite"
