"""The pages of all that a model card, and a job, may state."""

from __future__ import annotations

import inspect
import re
from dataclasses import fields

from msgspec import Struct
from msgspec.structs import FieldInfo
from msgspec.structs import fields as struct_fields
from page_parts import code, table

from mirical.cards import card as cards
from mirical.cards.priors import FAMILIES, Prior
from mirical.cards.published_values import CENTRES
from mirical.cards.settings import SETTINGS
from mirical.instruments import card_entries
from mirical.instruments.cards import load_instrument
from mirical.instruments.instrument import Instrument
from mirical.jobs.job import Job
from mirical.jobs.sampler import Sampler
from mirical.laws.timelaw import LAWS
from mirical.storage.shipped import resolve_shipped, shipped_names

_WITH_EVERY_TERM = "hierarchical"
_ENTRIES = {
    "[factor]": card_entries.Factor,
    "[[band]]": card_entries.Band,
    "[[readout]]": card_entries.Readout,
    "[[star_type]]": card_entries.StarType,
    "[published]": card_entries.Published,
    "[staged]": card_entries.Staged,
    "[pipeline]": card_entries.Pipeline,
    "[overheads]": card_entries.Overheads,
}


def model_cards() -> str:
    """Return the page of model cards: terms, quantities, families of priors, time laws."""
    default = cards.load_card(_WITH_EVERY_TERM, "docs", load_instrument("miri", "docs"))
    lines = [
        "# Fields of a model card",
        "",
        "Made from the code. How to write a card: [The model](../model.md), and the tutorial",
        "[A card for your prior](../tutorials/prior.md).",
        "",
        "A card has `title`, optionally `base` (the card it changes), and tables `[term.NAME]`.",
        "A term has `use` (true if left out), `means`, and its priors in",
        "`[term.NAME.prior.QUANTITY]`. Every prior states `distribution`, the parameters of that",
        "family, `unit` and `reason`, and may state `source`. An unknown key is an error.",
        "",
        "## Families",
        "",
    ]
    lines += table(
        ("`distribution`", "parameters", "positive"),
        ((code(n), _codes(f.parameters), _codes(f.positive)) for n, f in FAMILIES.items()),
    )
    lines += [
        'Centres (`A_centre`, ...) have `distribution = "published"`, a unit and a reason.',
        "",
    ]
    lines += [
        "## Terms",
        "",
        f"Where a quantity may be any, its prior is {_or(cards._POSITIVE)}.",
        "",
    ]
    for term in cards.TERMS:
        lines += _term(term, default)
    lines += ["## Time laws", "", "`law` of `[term.response_loss]`; x is t - t0 in days.", ""]
    lines += table(
        ("`law`", "C(t)", "priors beside those of `response_loss`"),
        ((code(name), law.equation, _codes(law.priors)) for name, law in LAWS.items()),
    )
    lines += ["## Shipped cards", ""]
    lines += table(("card", "its title"), ((code(n), _title(n)) for n in shipped_names("models")))
    return "\n".join(lines)


def jobs() -> str:
    """Return the page of job files."""
    lines = [
        "# Fields of a job file",
        "",
        "Made from the code. Options of `mirical run` replace what the file says.",
        "",
        "## The job",
        "",
    ]
    skipped = ("name", "sampler", "folder")
    lines += _fields(Job, [one.name for one in fields(Job) if one.name not in skipped])
    lines += ["## `[sampler]`", ""]
    return "\n".join(lines + _fields(Sampler, [one.name for one in fields(Sampler)]))


def instruments() -> str:
    """Return the page of instrument cards."""
    lines = [
        "# Fields of an instrument card",
        "",
        "Made from the code. How to write one: [A card for your camera](../instruments.md).",
        "",
        "## The card",
        "",
    ]
    lines += _fields_of(Instrument, "bands_stated", "readouts_stated", "star_types", "folder")
    for heading, entry in _ENTRIES.items():
        lines += [f"## `{heading}`", "", (inspect.getdoc(entry) or "").partition("\n")[0], ""]
        lines += _fields_of(entry)
    return "\n".join(lines)


def _fields_of(entry: type[Struct], *without: str) -> list[str]:
    said = _attributes(inspect.getdoc(entry) or "")
    rows = [
        (code(one.encode_name), said.get(one.name, ""), _default(one.default), _needed(one))
        for one in struct_fields(entry)
        if one.name not in without
    ]
    return table(("key", "states", "default", "needed"), rows)


def _needed(one: FieldInfo) -> str:
    return "yes" if one.required else ""


def _term(term: str, default: cards.Card) -> list[str]:
    lines = [f"### {term}", ""]
    if term in default.meanings:
        lines += [default.meanings[term] + ".", ""]
    if term in cards.BY_CHOICE:
        lines += [
            "Off by default: [when to use it](../model.md#terms-that-are-off-by-default).",
            "",
        ]
    if term in SETTINGS:
        lines += [f"Needs `{SETTINGS[term]}`, a list.", ""]
    if term == "response_loss":
        lines += ["Takes `law`, the time law; without it `additive`, the paper's.", ""]
    names = (*cards.TERMS[term], *cards._OPTIONAL.get(term, ()))
    rows = [_quantity(name, default.priors.get(name)) for name in names]
    if rows:
        lines += table(("quantity", "may be", "in `hierarchical`", "unit", "why"), rows)
    else:
        lines += ["It takes no priors.", ""]
    if term in CENTRES:
        lines += [
            f"May state {_codes(CENTRES[term])}: published values the priors are relative to.",
            "",
        ]
    return lines


def _quantity(name: str, prior: Prior | None) -> tuple[str, ...]:
    families = _codes(cards._MAY_BE[name]) if name in cards._MAY_BE else "any"
    if prior is None:
        return code(name), families, "", "", ""
    return code(name), families, prior.describe(), prior.unit, prior.reason


def _title(name: str) -> str:
    text = resolve_shipped("models", name, "docs").read_text(encoding="utf-8")
    found = re.search(r'^title = "(.*)"$', text, re.MULTILINE)
    return found.group(1) if found else ""


def _fields(of: type, names: list[str]) -> list[str]:
    """Return the fields of a record as its docstring describes them, with their defaults."""
    said = _attributes(inspect.getdoc(of) or "")
    defaults = {one.name: one.default for one in fields(of)}
    rows = [(code(n), said.get(n, ""), _default(defaults[n])) for n in names]
    return table(("key", "states", "default"), rows)


def _default(value: object) -> str:
    return code(repr(value)) if isinstance(value, str | int | float) and value != "" else ""


def _attributes(docstring: str) -> dict[str, str]:
    found: dict[str, str] = {}
    names: list[str] = []
    for line in docstring.partition("----------\n")[2].splitlines():
        head = re.match(r"^([a-z0-9_, ]+) : ", line)
        if head:
            names = [name.strip() for name in head.group(1).split(",")]
            found |= dict.fromkeys(names, "")
        elif line.startswith(" "):
            found |= {name: f"{found[name]} {line.strip()}".strip() for name in names}
    return {name: said.replace("``", "`") for name, said in found.items()}


def _or(names: tuple[str, ...]) -> str:
    return " or ".join(code(name) for name in names)


def _codes(names: tuple[str, ...]) -> str:
    return ", ".join(code(name) for name in names)
