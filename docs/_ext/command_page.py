"""The page of all commands with their options, as `--help` prints them."""

from __future__ import annotations

import argparse
import os

from mirical import cli


def text() -> str:
    """Return the page."""
    width = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = "100"  # which argparse wraps at
    try:
        return "\n".join(_lines())
    finally:
        os.environ.pop("COLUMNS")
        if width is not None:
            os.environ["COLUMNS"] = width


def _lines() -> list[str]:
    parser = cli._parser()
    lines = [
        "# Commands and options",
        "",
        "What `mirical --help` and `mirical COMMAND --help` say.",
        "",
    ]
    lines += _block(parser)
    for name, one in sorted(_under(parser).items()):
        lines += [f"## mirical {name}", "", *_block(one)]
        for action, of_action in _under(one).items():
            lines += [f"### mirical {name} {action}", "", *_block(of_action)]
    return lines


def _under(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    return {
        name: one
        for action in parser._actions
        if isinstance(action, argparse._SubParsersAction)
        for name, one in action.choices.items()
    }


def _block(parser: argparse.ArgumentParser) -> list[str]:
    return ["```text", parser.format_help().rstrip(), "```", ""]
