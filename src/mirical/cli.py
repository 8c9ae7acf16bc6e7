"""The command line: ``mirical COMMAND``.

Exit status 0 on success, 1 if a result must not be believed, 2 for a user's mistake.
"""

from __future__ import annotations

import argparse
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


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    options = _parser().parse_args(arguments)
    try:
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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="mirical", description="Bayesian flux calibration of MIRI imaging and coronagraphy."
    )
    parser.add_argument("--version", action="version", version=f"mirical {mirical.__version__}")
    parsers = parser.add_subparsers(required=True, metavar="COMMAND")
    for module in (calibrating, applying, exporting, linting, checking, imaging, simulating):
        module.add_parsers(parsers)
    return parser
