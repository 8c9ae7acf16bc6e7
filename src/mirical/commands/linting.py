"""Whether a reference file is fit to be used."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mirical.commands.ending import NOT_BELIEVABLE, SUCCESS, consoles

if TYPE_CHECKING:
    from rich.console import Console

    from mirical.exports.preflight_file import Finding


def preflight(options: argparse.Namespace) -> int:
    """Print what is wrong with a photom reference file."""
    from mirical.exports.preflight import SPAN, preflight

    first, last = (
        usual if given is None else given
        for given, usual in zip((options.first, options.last), SPAN, strict=True)
    )
    found = preflight(options.file, options.other, (first, last))
    results, _ = consoles()
    return SUCCESS if print_findings(found, options.file, results) else NOT_BELIEVABLE


def print_findings(found: Sequence[Finding], path: Path, results: Console) -> bool:
    """Print what is wrong with a photom reference file; return whether it may be used."""
    from rich.padding import Padding
    from rich.text import Text

    from mirical.exports.preflight_file import ERROR

    for finding in found:
        style = "bold red" if finding.severity == ERROR else "yellow"
        results.print(
            Text.assemble((finding.severity, style), f"  {finding.code}  {finding.where}"),
            soft_wrap=True,
        )
        results.print(Padding(Text(finding.sentence), (0, 0, 0, 4)))
    errors = sum(finding.severity == ERROR for finding in found)
    verdict = f"{_number(errors, 'error')}, {_number(len(found) - errors, 'warning')}: " + (
        "this file must not be used."
        if errors
        else "the warnings are for you to judge."
        if found
        else "nothing is wrong with it that can be seen from the file."
    )
    results.print(Text(f"{path}: {verdict}"), soft_wrap=True)
    return not errors


def _number(number: int, thing: str) -> str:
    return f"{number or 'no'} {thing}{'' if number == 1 else 's'}"


def add_parsers(parsers: argparse._SubParsersAction) -> None:
    """Add the commands of this module to the command line."""
    _add_preflight(parsers)


def _add_preflight(parsers: argparse._SubParsersAction) -> None:
    parser = parsers.add_parser(
        "preflight", help="what is wrong with a photom reference file, before the pipeline takes it"
    )
    parser.add_argument("file", metavar="FILE", type=Path, help="reference file, anybody's")
    parser.add_argument(
        "--against",
        dest="other",
        metavar="OTHER",
        type=Path,
        help="reference file whose factors this one should go on from",
    )
    parser.add_argument(
        "--from",
        dest="first",
        metavar="MJD",
        type=float,
        help="first epoch it is to be used at [59720]",
    )
    parser.add_argument("--to", dest="last", metavar="MJD", type=float, help="last one [62000]")
    parser.set_defaults(command=preflight)
