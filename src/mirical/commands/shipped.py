"""The commands ``cards``, ``jobs`` and ``sample``: what comes with mirical, shown and copied."""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path
from typing import NamedTuple

from mirical.console.command_parsers import add_actions, add_command
from mirical.console.shared import SUCCESS, add_instrument, consoles, write_table
from mirical.errors import InputError
from mirical.storage.files import check_outputs, whole_file
from mirical.storage.shipped import resolve_shipped, shipped_names


class _Kind(NamedTuple):
    """A kind of shipped file: its folder, its command, what one is called, how it is used."""

    folder: str
    command: str
    noun: str
    use: str


CARDS = _Kind("models", "cards", "model card", "mirical run --model {}")
JOBS = _Kind("inference", "jobs", "job", "mirical run {}")


def list_shipped(kind: _Kind, options: argparse.Namespace) -> int:
    """Print the names of the shipped files of a kind, each with what it is."""
    from mirical.terminal import print_sheet

    results, cautions = consoles()
    paths = [
        resolve_shipped(kind.folder, name, kind.command) for name in shipped_names(kind.folder)
    ]
    lines = [(path.stem, _about(path.read_text(encoding="utf-8"))) for path in paths]
    heads = ("name", "what it is")
    print_sheet(f"{kind.noun}s that come with mirical", heads, lines, results)
    word = kind.command
    cautions.print(
        f"note: mirical {word} show NAME prints one; mirical {word} copy NAME writes it to a file, "
        f"to be changed and used: {kind.use.format('FILE.toml')}",
        soft_wrap=True,
    )
    return SUCCESS


def show_shipped(kind: _Kind, options: argparse.Namespace) -> int:
    """Print a shipped file as it is."""
    path = resolve_shipped(kind.folder, options.name, f"{kind.command} show")
    sys.stdout.write(path.read_text(encoding="utf-8"))
    return SUCCESS


def copy_shipped(kind: _Kind, options: argparse.Namespace) -> int:
    """Write a shipped file to a place of the user's."""
    where = f"{kind.command} copy"
    path = resolve_shipped(kind.folder, options.name, where)
    out: Path = options.out or Path(path.name)
    if out.suffix != ".toml":
        raise InputError(f"{where}: {out}; expected a file name that ends with .toml.")
    check_outputs([out], parents=True)
    with whole_file(out) as beside:
        beside.write_bytes(path.read_bytes())
    consoles()[0].print(f"{out} is written; use it as: {kind.use.format(out)}", soft_wrap=True)
    return SUCCESS


def _about(text: str) -> str:
    """Return what a card or job is: its title, or the first sentence of its opening comment."""
    from mirical.storage.toml_files import parse_toml

    title = parse_toml(text, "shipped").get("title")
    if title:
        return str(title)
    opening = []
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        opening.append(line.removeprefix("#").strip())
    return " ".join(opening).split(". ")[0].removesuffix(".").split(": `")[0]


def sample(options: argparse.Namespace) -> int:
    """Write a table of the kind that a command reads, to look at or to begin with."""
    from mirical.console.sample_tables import SAMPLES
    from mirical.instruments.cards import DEFAULT, load_instrument

    made = SAMPLES[options.kind]
    out: Path = options.out or Path(f"{options.kind}.ecsv")
    check_outputs([out], parents=True)
    instrument = load_instrument(options.instrument, "sample")
    table = made.table(instrument)
    write_table(table, out)
    of = "SIMULATED rows" if table.meta.get("simulated") else "rows"
    results, cautions = consoles()
    results.print(f"{out}: {len(table)} {of}, {made.what}", soft_wrap=True, markup=False)
    of_card = "" if options.instrument == DEFAULT else f" --instrument {options.instrument}"
    use = made.use.format(file=out, card=of_card)
    cautions.print(f"note: {use}", soft_wrap=True, markup=False)
    return SUCCESS


def add_parsers(parsers: argparse._SubParsersAction) -> None:
    """Add the commands of this module to the command line."""
    _add_kind(parsers, CARDS, "hierarchical", "Model cards state the terms of a model and priors.")
    _add_kind(parsers, JOBS, "table5", "Jobs state the rows, the model card and the sampler.")
    _add_sample(parsers)


def _add_kind(parsers: argparse._SubParsersAction, kind: _Kind, name: str, about: str) -> None:
    word, noun = kind.command, kind.noun
    brief = f"list, show and copy the {noun}s that come with mirical"
    actions = add_actions(
        parsers, word, brief, f"{about} Alone the command lists them.", partial(list_shipped, kind)
    )
    listed = "list them, each with what it is", f"List the shipped {noun}s, each with what it is."
    add_command(actions, "list", partial(list_shipped, kind), listed, f"mirical {word} list")
    shown = "print one", f"Print a shipped {noun} with its comments."
    one = add_command(
        actions, "show", partial(show_shipped, kind), shown, f"mirical {word} show {name}", raw=True
    )
    one.add_argument("name", metavar="NAME", help=f"of a shipped {noun}")
    copied = "write one to a file, to change it", f"Copy a shipped {noun} to a file of yours."
    example = f"mirical {word} copy {name} --out mine.toml"
    one = add_command(actions, "copy", partial(copy_shipped, kind), copied, example)
    one.add_argument("name", metavar="NAME", help=f"of a shipped {noun}")
    written = one.add_written()
    written.add_argument("--out", metavar="FILE.toml", type=Path, help="file to write [NAME.toml]")


def _add_sample(parsers: argparse._SubParsersAction) -> None:
    about = (
        "Write a table of the kind that commands read, with every column it needs and its unit: "
        "standard-star photometry for 'run', points for 'factors' and 'error', or predicted fluxes "
        "for a job."
    )
    parser = add_command(
        parsers,
        "sample",
        sample,
        ("write a sample input: photometry, grid or fluxes", about),
        "mirical sample photometry",
        "mirical sample grid --out grid.ecsv",
    )
    parser.add_argument("kind", choices=("photometry", "grid", "fluxes"), help="what is written")
    add_instrument(parser)
    written = parser.add_written()
    written.add_argument("--out", metavar="FILE.ecsv", type=Path, help="file to write [KIND.ecsv]")
