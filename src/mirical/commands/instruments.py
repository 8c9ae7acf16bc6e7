"""The command ``instrument``: check a card, or begin a new one."""

from __future__ import annotations

import argparse
from pathlib import Path

from mirical.console.shared import SUCCESS, consoles


def check(options: argparse.Namespace) -> int:
    """Say what an instrument's card can be used for, and what it lacks for the rest."""
    from mirical.instruments.cards import load_instrument
    from mirical.instruments.uses import USES
    from mirical.terminal import print_sheet

    instrument = load_instrument(options.card, "instrument check")
    results, _ = consoles()
    lines = [
        (use.name, use.command, "no" if lacks else "yes", lacks)
        for use in USES
        for lacks in [use.lacks(instrument)]
    ]
    bands, readouts = len(instrument.bands), len(instrument.known_readouts)
    title = f"{instrument.name}: {bands} bands, {readouts} readouts, C in {instrument.factor_text}"
    print_sheet(title, ("for", "commands", "ready", "the card lacks"), lines, results, keys=2)
    return SUCCESS


def new(options: argparse.Namespace) -> int:
    """Write a card to begin with."""
    from mirical.instruments.skeleton import write_skeleton

    folder = options.out or Path(options.name)
    write_skeleton(options.name, folder)
    consoles()[0].print(f"a card to begin with is in {folder}", soft_wrap=True, markup=False)
    return SUCCESS


def add_parsers(parsers: argparse._SubParsersAction) -> None:
    """Add the commands of this module to the command line."""
    parser = parsers.add_parser("instrument", help="check the card of a camera, or begin one")
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    one = actions.add_parser("check", help="what a card can be used for, and what it lacks")
    one.add_argument("card", metavar="FOLDER", help="a folder with instrument.toml, or a name")
    one.set_defaults(command=check)
    other = actions.add_parser("new", help="write a commented card to begin with")
    other.add_argument("name", metavar="NAME", help="of the instrument, such as ACS")
    other.add_argument("--out", metavar="DIR", type=Path, help="folder to write [NAME]")
    other.set_defaults(command=new)
