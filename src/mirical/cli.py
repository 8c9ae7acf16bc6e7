"""The command line: ``mirical COMMAND``. Exit statuses: `mirical.console.shared.STATUSES`."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mirical.console.shared import INTERRUPTED, STATUSES, SUCCESS, USER_MISTAKE
from mirical.interrupts import stoppable

if TYPE_CHECKING:
    import argparse

    from mirical.console.command_parsers import CommandParser
    from mirical.console.streams import Stream

__all__ = ["INTERRUPTED", "SUCCESS", "USER_MISTAKE", "main"]

SEEDS = 2**32  # as a job's


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    # All else is imported inside, so that Ctrl-C is in good order while it is.
    with stoppable(to_the_end=arguments is None):
        try:
            return _main(arguments)
        except KeyboardInterrupt as stop:
            if sys.stderr is not None:
                said = str(stop) or "interrupted before there was anything to keep"
                sys.stderr.write(f"mirical: {said}.\n")
            return INTERRUPTED


def _main(arguments: Sequence[str] | None) -> int:
    """Run one command with streams that do not raise."""
    from mirical.console.streams import standard_streams

    with standard_streams() as out:
        try:
            status = _run(arguments)
        except SystemExit as end:  # of argparse, after --help or a mistake
            if _answered(out):
                raise
            raise SystemExit(USER_MISTAKE) from end
        return status if _answered(out) else USER_MISTAKE


def _run(arguments: Sequence[str] | None) -> int:
    from mirical.console.manner import carry_out
    from mirical.console.shared import leave_asdf_out
    from mirical.errors import InputError

    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        parser = _parser()
        if "_ARGCOMPLETE" in os.environ:  # a shell asks what could come next
            import argcomplete

            argcomplete.autocomplete(parser)
        options = parser.parse_args(arguments)
        if options.command is None:  # no command, or one without its action
            options.alone.print_help()
            return USER_MISTAKE
        _refuse_unusable(arguments, options)
        leave_asdf_out()
        return carry_out(options)
    except InputError as error:
        sys.stderr.write(f"mirical: {error}\n")
        return USER_MISTAKE


def _answered(out: Stream) -> bool:
    """Return whether all that was printed got out; say so if it did not."""
    import errno

    from mirical.errors import reason_of

    out.flush()
    # A reader that has gone (head, less) has seen enough.
    if out.lost is None or out.lost.errno == errno.EPIPE:
        return True
    sys.stderr.write(
        f"mirical: standard output: cannot be written ({reason_of(out.lost)}); what was to be "
        "printed is lost, files that were asked for are written.\n"
    )
    return False


def _refuse_unusable(arguments: Sequence[str], options: argparse.Namespace) -> None:
    """Refuse what no command can use: an empty name or path, and seeds beyond 32 bits."""
    from mirical.errors import InputError

    for i, argument in enumerate(arguments):
        if not argument.strip() or (argument.startswith("--") and argument.endswith("=")):
            before = f" after {arguments[i - 1]!r}" if i else ""
            raise InputError(f"an argument{before} is empty; expected a name or a path there.")
    seed = getattr(options, "seed", None)
    if seed is not None and not 0 <= seed < SEEDS:
        raise InputError(f"--seed is {seed}; expected a whole number from 0 to {SEEDS - 1}.")


def _parser() -> CommandParser:
    from argparse import SUPPRESS

    from mirical.commands import (
        applying,
        checking,
        comparing,
        exporting,
        fetching,
        fluxes,
        imaging,
        installation,
        instruments,
        monitoring,
        planning,
        plotting,
        querying,
        running,
        shipped,
        simulating,
        updating,
    )
    from mirical.console.command_parsers import (
        CommandParser,
        add_overwrite,
        add_to_each,
        overview_text,
    )
    from mirical.console.manner import add_manner
    from mirical.version import __version__

    about = {
        "Fit": (running, updating, comparing),
        "Use a calibration": (querying, applying, exporting),
        "Judge and plan": (checking, plotting, monitoring, planning, simulating),
        "Prepare inputs": (fetching, imaging, fluxes, instruments, shipped),
        "This installation": (installation,),
    }
    what = "Bayesian flux calibration of imaging instruments, beginning with MIRI on JWST."
    usage = "mirical [-h] [--version] COMMAND ..."
    parser = CommandParser(prog="mirical", usage=usage, description=what)
    parser.add_argument("--version", action="version", version=f"mirical {__version__}")
    parser.set_defaults(command=None, alone=parser)
    # The overview lists the commands by their purpose instead.
    parsers = parser.add_subparsers(prog="mirical", metavar="COMMAND", help=SUPPRESS)
    overview, listed = [], 0
    for purpose, modules in about.items():
        for module in modules:
            module.add_parsers(parsers)
        names = list(parsers.choices)[listed:]
        overview.append((purpose, [(name, parsers.choices[name].brief) for name in names]))
        listed += len(names)
    add_to_each(parsers, add_overwrite)
    add_to_each(parsers, add_manner)
    parser.epilog = overview_text(overview, STATUSES)
    return parser
