"""Parsers of the commands: description, example, grouped options, usage of the command mistaken."""

from __future__ import annotations

import argparse
import sys
import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

from mirical.errors import close_to

Command = Callable[[argparse.Namespace], int]


class CommandParser(argparse.ArgumentParser):
    """A parser that refuses what it does not know itself, with its own usage.

    Parameters
    ----------
    brief : str, optional
        What the command is for, as ``mirical --help`` lists it.
    examples : sequence of str, optional
        Command lines shown at the end of the help.
    """

    raw: bool
    """Whether it prints a text as it is, or nothing but its help."""
    inner: argparse._SubParsersAction | None
    """Its actions, where it has any."""
    written: argparse._ArgumentGroup | None
    """The options that name what it writes, where it writes."""

    def __init__(self, *args: Any, brief: str = "", examples: Sequence[str] = (), **more: Any):
        more.setdefault("formatter_class", _Help)
        super().__init__(*args, **more)
        self.brief, self.examples = brief, tuple(examples)
        self.raw, self.inner, self.written = False, None, None

    def add_written(self) -> argparse._ArgumentGroup:
        """Return a group for the options that name what is written; ``--overwrite`` ends it."""
        self.written = self.add_argument_group("what is written")
        return self.written

    def format_help(self) -> str:
        """Return the help with the examples beneath it."""
        if not self.examples:
            return super().format_help()
        lines = "".join(f"  {one}\n" for one in self.examples)
        title = "example" if len(self.examples) == 1 else "examples"
        return f"{super().format_help()}\n{title}:\n{lines}"

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse; what is left over is a mistake here, not in whoever called."""
        found, left = super().parse_known_args(args, namespace)
        if left:
            known = [name for action in self._actions for name in action.option_strings]
            hints = (close_to(word, known) for word in left if word.startswith("-"))
            hint = next((f"; did you mean {one}?" for one in hints if one), "")
            self.error(f"unrecognized arguments: {' '.join(left)}{hint}")
        return found, left

    def error(self, message: str) -> NoReturn:
        """Print the usage, the mistake and where the options are explained; exit with status 2."""
        self.print_usage(sys.stderr)
        self.exit(2, f"{self.prog}: error: {message}\n'{self.prog} --help' explains the options.\n")


class _Help(argparse.HelpFormatter):
    """Help in paragraphs; one that begins with blanks is left as it is."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return "\n\n".join(
            part
            if part.startswith("  ")
            else textwrap.fill(" ".join(part.split()), width, initial_indent=indent)
            for part in text.split("\n\n")
        )


def add_command(
    parsers: argparse._SubParsersAction,
    name: str,
    command: Command,
    words: tuple[str, str],
    *examples: str,
    raw: bool = False,
) -> CommandParser:
    """Add a command.

    Parameters
    ----------
    parsers : subparsers of argparse
        Where to.
    name : str
        The word on the command line.
    command : callable
        What is done; takes the options and returns the exit status.
    words : (str, str)
        What it is for in a line, and in sentences.
    *examples : str
        Command lines to begin with.
    raw : bool, optional
        Whether it prints a text as it is, which no option changes.
    """
    brief, about = words
    parser = parsers.add_parser(name, help=brief, brief=brief, description=about, examples=examples)
    parser.set_defaults(command=command, name_of_command=parser.prog.removeprefix("mirical "))
    parser.raw = raw
    return parser


def add_actions(
    parsers: argparse._SubParsersAction,
    name: str,
    brief: str,
    about: str,
    alone: Command | None = None,
) -> argparse._SubParsersAction:
    """Add a command that has actions, such as ``instrument check``, and return where to add them.

    Parameters
    ----------
    parsers : subparsers of argparse
        Where to.
    name : str
        The word on the command line.
    brief, about : str
        What it is for in a line, and in sentences.
    alone : callable, optional
        What is done without an action; by default the help is printed.
    """
    parser = parsers.add_parser(name, help=brief, brief=brief, description=about)
    parser.set_defaults(command=alone, alone=parser, name_of_command=name)
    parser.raw = alone is None
    parser.inner = parser.add_subparsers(
        title="actions", metavar="ACTION", parser_class=CommandParser
    )
    return parser.inner


def add_overwrite(parser: CommandParser) -> None:
    """Add the option without which nothing that a user named is replaced, if a command writes."""
    if parser.written is not None:
        parser.written.add_argument(
            "--overwrite",
            action="store_true",
            help="replace what stands there already, which is refused otherwise",
        )


def add_to_each(parsers: argparse._SubParsersAction, add: Callable[[CommandParser], None]) -> None:
    """Add options to every command and action, but to those that print a text as it is."""
    for parser in parsers.choices.values():
        if not parser.raw:
            add(parser)
        if parser.inner is not None:
            add_to_each(parser.inner, add)


def overview_text(
    commands: Sequence[tuple[str, Sequence[tuple[str, str]]]], statuses: Mapping[int, str]
) -> str:
    """Return the commands by their purpose, name and brief, and what exit statuses mean."""
    parts = [f"  {purpose}:\n{_listed(entries)}" for purpose, entries in commands]
    said = _listed([(str(number), meaning) for number, meaning in statuses.items()])
    return "\n\n".join(
        [*parts, "'mirical COMMAND --help' explains one.", f"  Exit status:\n{said}"]
    )


def _listed(entries: Sequence[tuple[str, str]]) -> str:
    return "\n".join(
        textwrap.fill(says, 96, initial_indent=f"    {name:<11} ", subsequent_indent=" " * 16)
        for name, says in entries
    )
