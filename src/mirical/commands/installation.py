"""The commands ``doctor`` (what works on this machine) and ``completion`` (of the shell)."""

from __future__ import annotations

import argparse
import sys

from mirical.console.command_parsers import add_command
from mirical.console.shared import NOT_BELIEVABLE, SUCCESS, consoles
from mirical.errors import InputError

SHELLS = "bash", "zsh", "fish"


def doctor(options: argparse.Namespace) -> int:
    """Say what is installed, what works here and what would not."""
    from mirical.console.installation_checks import examine
    from mirical.terminal import print_sheet

    found = examine()
    results, _ = consoles()
    lines = [(one.what, one.here, one.works) for one in found]
    heads = ("what", "here", "works")
    print_sheet("mirical on this machine", heads, lines, results)
    for one in found:
        if one.remedy:
            results.print(f"{one.what}: {one.remedy}.", soft_wrap=True)
    lacking = [one.what for one in found if one.works == "no"]
    if lacking:
        results.print(f"mirical does not work without {', '.join(lacking)}.", soft_wrap=True)
        return NOT_BELIEVABLE
    results.print("All that mirical itself needs is here.")
    return SUCCESS


def completion(options: argparse.Namespace) -> int:
    """Print the lines by which a shell completes commands, options and files."""
    try:
        from argcomplete.shell_integration import shellcode
    except ImportError as error:
        raise InputError(
            "completion: the package argcomplete is not installed; pip install argcomplete."
        ) from error
    sys.stdout.write(shellcode(["mirical"], shell=options.shell) + "\n")
    return SUCCESS


def add_parsers(parsers: argparse._SubParsersAction) -> None:
    """Add the commands of this module to the command line."""
    about = (
        "Versions, cores, cache, and what mirical uses beside it (CRDS, stpsf and its data, "
        "VizieR, clusters): what works on this machine, what would not, and what to do about it. "
        "Nothing is asked of the network. Status 1 if something needed is missing."
    )
    add_command(
        parsers,
        "doctor",
        doctor,
        ("what works on this machine, and what would not", about),
        "mirical doctor",
    )
    about = (
        "Print lines by which a shell completes commands, options and file names on TAB. They "
        "ask mirical itself, and so know the options of the version that is installed."
    )
    parser = add_command(
        parsers,
        "completion",
        completion,
        ("complete commands and options on TAB, in bash, zsh or fish", about),
        "mirical completion bash >> ~/.bashrc",
        "mirical completion zsh >> ~/.zshrc",
        "mirical completion fish > ~/.config/fish/completions/mirical.fish",
        raw=True,
    )
    parser.add_argument("shell", choices=SHELLS, help="whose lines are printed")
