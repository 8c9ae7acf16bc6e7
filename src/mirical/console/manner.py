"""How a command speaks: as tables for people, as JSON, without notes, or with all it knows."""

from __future__ import annotations

import argparse
import platform
import sys
import time
import traceback
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mirical.errors import InputError
from mirical.storage.files import keeping
from mirical.version import __version__

if TYPE_CHECKING:
    from rich.console import Console

    from mirical.json_answer import JsonAnswer

_PIPED = 160
"""Columns to which sentences on a file or a pipe are broken, which has no width of its own."""


@dataclass
class Manner:
    """How the command that runs now speaks.

    Parameters
    ----------
    answer : JsonAnswer, optional
        What keeps its results where they are asked for as JSON.
    quiet : bool
        Whether progress and notes are left out.
    notes : list of str
        What was noted so far.
    """

    answer: JsonAnswer | None = None
    quiet: bool = False
    notes: list[str] = field(default_factory=list)


_manner: ContextVar[Manner] = ContextVar("manner", default=Manner())  # noqa: B039 (never changed)


def add_manner(parser: argparse.ArgumentParser) -> None:
    """Add the options that `carry_out` reads."""
    group = parser.add_argument_group("what is printed")
    # Without a default, an action of a command does not undo what was said before it.
    switch: Any = {"action": "store_true", "default": argparse.SUPPRESS}
    group.add_argument("--json", **switch, help="results as one JSON document, numbers in full")
    loudness = group.add_mutually_exclusive_group()
    loudness.add_argument(
        "--quiet", **switch, help="results and mistakes alone: no progress, no notes"
    )
    loudness.add_argument(
        "--verbose",
        **switch,
        help="also versions, time and memory, and where a mistake was found",
    )


def carry_out(options: argparse.Namespace) -> int:
    """Run a command in the manner that is asked for and return its exit status."""
    loud = getattr(options, "verbose", False)
    manner = Manner(quiet=getattr(options, "quiet", False))
    if getattr(options, "json", False):
        from mirical.json_answer import JsonAnswer

        manner.answer = JsonAnswer()
    begun, token = time.monotonic(), _manner.set(manner)
    try:
        if loud:
            _tell_begin()
        with keeping(_keeps(options)):
            status = options.command(options)
    except InputError:
        if loud:
            traceback.print_exc()
        raise
    finally:
        _manner.reset(token)
        if loud:
            _tell_end(time.monotonic() - begun)
    if manner.answer is not None:
        about = {"mirical": __version__, "command": options.name_of_command, "status": status}
        sys.stdout.write(manner.answer.text(**about, notes=manner.notes))
    return status


def _keeps(options: argparse.Namespace) -> bool:
    """Return whether what stands where a command writes is to stay."""
    # A share of many fits writes nothing there, and may come after the output is written.
    return not getattr(options, "overwrite", False) and getattr(options, "shard", None) is None


def _tell_begin() -> None:
    from importlib.metadata import version

    from mirical.inference.runtime import PACKAGES
    from mirical.many.processes import cores

    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    sys.stderr.write(
        f"mirical {__version__}, Python {platform.python_version()}, {versions}; {cores()} cores\n"
    )


def _tell_end(seconds: float) -> None:
    said = f"took {seconds:.1f} s"
    try:
        from resource import RUSAGE_SELF, getrusage
    except ImportError:  # not on every system
        pass
    else:
        # Kilobytes on Linux, bytes on macOS.
        scale = 1 if sys.platform == "darwin" else 1024
        said += f", at most {getrusage(RUSAGE_SELF).ru_maxrss * scale / 1e6:.0f} MB of memory"
    sys.stderr.write(f"mirical: {said}\n")


def consoles() -> tuple[Console, Console]:
    """Return the consoles of results (stdout) and of progress and cautions (stderr)."""
    from rich.console import Console

    class Cautions(Console):
        """A console of standard error that remembers notes."""

        def print(self, *objects: Any, **how: Any) -> None:
            text = str(objects[0]) if objects else ""
            if text.startswith("note: "):
                manner.notes.append(text.removeprefix("note: "))
            super().print(*objects, **how)

    manner = _manner.get()
    # What is printed holds names and titles of users' tables: none of it is markup.
    plain: Any = {"highlight": False, "markup": False, "emoji": False}
    width = None if sys.stdout.isatty() else _PIPED
    results = Console(width=width, **plain) if manner.answer is None else manner.answer
    return results, Cautions(stderr=True, quiet=manner.quiet, **plain)
