"""The command line: ``mirical COMMAND``.

Exit status 0 on success, 1 if a result must not be believed, 2 for a user's mistake.
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Sequence

import mirical
from mirical.commands import (
    applying,
    calibrating,
    checking,
    exporting,
    imaging,
    linting,
    simulating,
)
from mirical.commands.ending import INTERRUPTED, SUCCESS, USER_MISTAKE
from mirical.errors import InputError
from mirical.text import ASCII_SIGNS

SEEDS = 2**32  # as a job's


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal may know ASCII alone
            stream.reconfigure(errors=ASCII_SIGNS)
    options = _parser().parse_args(arguments)
    try:
        _refuse_unusable(arguments, options)
        return options.command(options)
    except InputError as error:
        sys.stderr.write(f"mirical: {error}\n")
        return USER_MISTAKE
    except KeyboardInterrupt:
        sys.stderr.write("mirical: interrupted before there was anything to keep.\n")
        return INTERRUPTED
    except BrokenPipeError:
        # The reader (head, less) has seen enough; keep Python from complaining at exit.
        sys.stderr.close()
        return SUCCESS


def _refuse_unusable(arguments: Sequence[str], options: argparse.Namespace) -> None:
    """Refuse what no command can use: an empty name or path, and seeds beyond 32 bits."""
    for i, argument in enumerate(arguments):
        if not argument.strip() or (argument.startswith("--") and argument.endswith("=")):
            before = f" after {arguments[i - 1]!r}" if i else ""
            raise InputError(f"an argument{before} is empty; expected a name or a path there.")
    seed = getattr(options, "seed", None)
    if seed is not None and not 0 <= seed < SEEDS:
        raise InputError(f"--seed is {seed}; expected a whole number from 0 to {SEEDS - 1}.")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="mirical", description="Bayesian flux calibration of MIRI imaging and coronagraphy."
    )
    parser.add_argument("--version", action="version", version=f"mirical {mirical.__version__}")
    parsers = parser.add_subparsers(required=True, metavar="COMMAND")
    for module in (calibrating, applying, exporting, linting, checking, imaging, simulating):
        module.add_parsers(parsers)
    return parser
