"""The command ``fetch``: published tables, from VizieR or from files that were downloaded."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mirical.console.command_parsers import add_command
from mirical.console.shared import SUCCESS, consoles, print_notes
from mirical.errors import InputError, did_you_mean
from mirical.storage.files import check_outputs

if TYPE_CHECKING:
    from astropy.table import Table

    from mirical.catalogues.known import Catalogue


class _Got(NamedTuple):
    """Tables by name, what they were read from by name, what to call it, and where it is from."""

    tables: dict[str, Table]
    contents: dict[str, bytes]
    source: str
    origin: str


def fetch(options: argparse.Namespace) -> int:
    """Get published tables and write them as a photometry table with its record."""
    from mirical.catalogues.keeping import keep, record_of
    from mirical.catalogues.known import CATALOGUES
    from mirical.catalogues.photometry import as_photometry, refused_for
    from mirical.instruments.cards import DEFAULT, load_instrument

    what, (first, *others) = options.what, options.what
    if not 0 < options.timeout < math.inf:
        raise InputError(f"fetch: --timeout is {options.timeout:g}; expected seconds above 0.")
    catalogue = CATALOGUES.get(first)
    if catalogue is not None and others:
        raise InputError(
            f"fetch: {first} and {others[0]} are asked for together; fetch one catalogue, or files "
            "that make up one table."
        )
    paths = [] if catalogue is not None else [Path(name) for name in what]
    for path in paths:
        if not path.exists() and path.parent == Path() and not path.suffix:
            raise InputError(
                f"fetch: {path.name!r} is no catalogue and no file"
                f"{did_you_mean(path.name, CATALOGUES)}"
            )
    out = options.out or Path(f"{first if catalogue else paths[0].stem}-full.ecsv")
    if out.suffix != ".ecsv":
        raise InputError(f"{out}: expected a file name that ends with .ecsv.")
    # The same table may stand there already, which is told once it is fetched.
    check_outputs([out, record_of(out)], inputs=paths, parents=True, renewed=True)
    card = options.instrument or (DEFAULT if catalogue is None else catalogue.instrument)
    # Which units counts are in; the card of MIRI stands for one that nobody has written yet.
    instrument = load_instrument(card or DEFAULT, "fetch")
    notes: list[str] = []
    got = _read(paths, notes) if catalogue is None else _asked(catalogue, options, notes)
    try:
        table = as_photometry(got.tables, instrument, got.source, notes)
    except InputError as error:
        raise error if catalogue is None else refused_for(catalogue, error) from error
    if card is None:
        raise InputError(
            f"{first}: no instrument card of its camera comes with mirical; write one (mirical "
            "instrument new) and give it: --instrument CARD."
        )
    kept = keep(table, got.origin, got.contents, out, instrument, overwrite=options.overwrite)
    results, cautions = consoles()
    print_notes(dict.fromkeys([*notes, *kept.observations.notes]), cautions)
    rows = len(kept.observations.table)
    said = "written" if kept.new else "was there already, the same to the byte"
    results.print(f"{out}: {rows} rows, {said}; its record is {record_of(out)}.", soft_wrap=True)
    results.print(f"mirical run --photometry {out} fits it.", soft_wrap=True)
    return SUCCESS


def _asked(catalogue: Catalogue, options: argparse.Namespace, notes: list[str]) -> _Got:
    """Ask VizieR for a catalogue."""
    from mirical.catalogues.vizier import ask
    from mirical.table_files.votables import votable_tables

    content = ask(catalogue, options.server, options.timeout)
    remedy = f"try again later, or {catalogue.by_hand}"
    source = f"VizieR {catalogue.vizier}"
    tables = votable_tables(content, source, notes, remedy)
    contents = {f"answer of VizieR to -source={catalogue.vizier}": content}
    origin = f"{source}: {catalogue.table} of {catalogue.article}"
    return _Got(tables, contents, source, origin)


def _read(paths: list[Path], notes: list[str]) -> _Got:
    """Read files that were downloaded."""
    from mirical.catalogues.photometry import NEEDED
    from mirical.catalogues.published_files import read_published

    tables: dict[str, Table] = {}
    for path in paths:
        found = read_published(path, NEEDED, notes)
        if repeated := [name for name in found if name in tables]:
            raise InputError(f"fetch: {repeated[0]} is given twice; give each file once.")
        tables |= found
    names = ", ".join(path.name for path in paths)
    contents = {path.name: path.read_bytes() for path in paths}
    return _Got(tables, contents, names, f"downloaded by hand: {names}")


def add_parsers(parsers: argparse._SubParsersAction) -> None:
    """Add the command of this module to the command line."""
    about = (
        "Get a published photometry table from VizieR, or read one that was downloaded by hand, "
        "and write it as a photometry table that 'mirical run' fits, with a record of its origin."
    )
    parser = add_command(
        parsers,
        "fetch",
        fetch,
        ("published photometry from VizieR, or from a file downloaded by hand", about),
        "mirical fetch table5",
        "mirical fetch downloaded_mrt.txt --out rows.ecsv",
    )
    what = parser.add_argument_group("what is got")
    what.add_argument(
        "what",
        metavar="CATALOGUE|FILE",
        nargs="+",
        help="table5 (Gordon et al. 2025), irac (Krick et al. 2021), or files that make up one "
        "table: MRT, VOTable, FITS, ECSV or CSV",
    )
    what.add_argument(
        "--instrument", metavar="CARD", help="card the rows are checked by [the catalogue's, miri]"
    )
    server = parser.add_argument_group("the server")
    server.add_argument(
        "--server", metavar="HOST", help="another VizieR server than astroquery's own"
    )
    server.add_argument(
        "--timeout",
        metavar="S",
        type=float,
        default=60.0,
        help="seconds without an answer after which it is given up [60]",
    )
    written = parser.add_written()
    written.add_argument(
        "--out",
        metavar="FILE.ecsv",
        type=Path,
        help="photometry table to write, with its record beside it [table5-full.ecsv]",
    )
