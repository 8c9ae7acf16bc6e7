"""The command ``fluxes``: predicted fluxes of stars from their spectra."""

from __future__ import annotations

import argparse
from pathlib import Path

from mirical.console.command_parsers import add_command
from mirical.console.shared import SUCCESS, add_instrument, consoles, print_notes, write_table
from mirical.errors import InputError
from mirical.storage.files import check_outputs


def fluxes(options: argparse.Namespace) -> int:
    """Predict fluxes and say what differs from the shipped ones."""
    from mirical.console.printing import print_flux_differences
    from mirical.instruments.bandpasses import with_bandpasses
    from mirical.instruments.cards import load_instrument
    from mirical.tables.predicted_fluxes import differences, shipped_fluxes
    from mirical.tables.spectra import predict

    extra = {}
    for entry in options.star:
        name, separator, file = entry.partition("=")
        if not separator or not name or not file:
            raise InputError(f"fluxes: --star {entry!r}; expected NAME=FILE.")
        if name in extra:
            raise InputError(f"fluxes: --star {name!r} is given twice; give one spectrum a star.")
        extra[name] = Path(file)
    check_outputs([options.out], inputs=extra.values())
    instrument = load_instrument(options.instrument, "fluxes")
    if options.bandpasses is not None:
        instrument = with_bandpasses(instrument, options.bandpasses)
    new = predict(options.folder, extra, instrument)
    if options.out is not None:
        write_table(new, options.out)
    results, cautions = consoles()
    print_flux_differences(differences(new, shipped_fluxes(instrument)), results)
    print_notes(new.meta.get("notes", []), cautions)
    return SUCCESS


def add_parsers(parsers: argparse._SubParsersAction) -> None:
    """Add the command of this module to the command line."""
    about = (
        "Predict fluxes of stars in every band from their CALSPEC spectra, and say which differ "
        "from the shipped ones."
    )
    parser = add_command(
        parsers,
        "fluxes",
        fluxes,
        ("predicted fluxes from a folder of CALSPEC spectra", about),
        "mirical fluxes calspec --star 'My Star=my_star.fits' --out fluxes.ecsv",
    )
    what = parser.add_argument_group("what is predicted")
    what.add_argument("folder", metavar="FOLDER", type=Path, help="folder of CALSPEC files")
    what.add_argument(
        "--star", metavar="NAME=FILE", action="append", default=[], help="a star of your own"
    )
    what.add_argument(
        "--bandpasses",
        metavar="DIR",
        type=Path,
        help="folder of the files of bandpasses that the card names [the card's]",
    )
    add_instrument(what)
    written = parser.add_written()
    written.add_argument("--out", metavar="FILE.ecsv", type=Path, help="write the table")
