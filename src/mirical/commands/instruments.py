"""The command ``instrument``: check a card, or begin a new one."""

from __future__ import annotations

import argparse
from pathlib import Path

from mirical.console.command_parsers import add_actions, add_command
from mirical.console.shared import SUCCESS, consoles
from mirical.storage.files import check_outputs


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
    check_outputs(folders=[folder])
    write_skeleton(options.name, folder)
    consoles()[0].print(f"a card to begin with is in {folder}", soft_wrap=True, markup=False)
    return SUCCESS


def add_parsers(parsers: argparse._SubParsersAction) -> None:
    """Add the command of this module to the command line."""
    actions = add_actions(
        parsers,
        "instrument",
        "check the card of a camera, or begin one",
        "An instrument card states a camera's bands, readouts, units and epochs. Shipped cards are "
        "used by name, one of your own by its folder.",
    )
    one = add_command(
        actions,
        "check",
        check,
        (
            "what a card can be used for, and what it lacks",
            "Which commands a card is enough for, and what it lacks for the others.",
        ),
        "mirical instrument check miri",
    )
    one.add_argument("card", metavar="FOLDER", help="a folder with instrument.toml, or a name")
    other = add_command(
        actions,
        "new",
        new,
        (
            "write a commented card to begin with",
            "Write a card to fill in: every entry with a comment that says what it means.",
        ),
        "mirical instrument new ACS --out cards/acs",
    )
    other.add_argument("name", metavar="NAME", help="of the instrument, such as ACS")
    written = other.add_written()
    written.add_argument("--out", metavar="DIR", type=Path, help="folder to write [NAME]")
