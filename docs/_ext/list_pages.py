"""The page of short lists: flags, exit statuses, checks, exports, instruments, posterior."""

from __future__ import annotations

from page_parts import code, table

from mirical.checking.verdict import QUESTIONS
from mirical.console.shared import STATUSES
from mirical.inference.schema import DIMS
from mirical.instruments.cards import load_instrument, shipped_instruments
from mirical.tables.flags import FLAGS


def text() -> str:
    """Return the page."""
    lines = ["# Lists: flags, exit statuses, checks, instruments", "", "Made from the code.", ""]
    lines += ["## Flags of rows", ""]
    lines += table(
        ("flag", "why the row is not fitted"), ((code(n), s) for n, s in FLAGS.items() if n)
    )
    lines += ["## Exit statuses", ""]
    lines += table(("status", "meaning"), ((str(n), s) for n, s in STATUSES.items()))
    lines += ["## Checks", "", "How they work: [Should I believe it?](../checks.md)", ""]
    lines += table(("check", "asks"), ((code(n), str(q)) for n, q in QUESTIONS.items()))
    lines += ["## Variables of the posterior", ""]
    dims = ((code(n), ", ".join(code(one) for one in of)) for n, of in DIMS.items())
    lines += table(("variable", "dims after `chain` and `draw`"), dims)
    for name in sorted(shipped_instruments()):
        lines += _instrument(name)
    return "\n".join(lines)


def _instrument(name: str) -> list[str]:
    card = load_instrument(name, "docs")
    lines = [f"## Instrument `{name}`: {card.title}", ""]
    lines += [f"Count rates are in {card.count_rate}, factors in {card.factor_text}.", ""]
    lines += table(
        ("band (`filter`)", "pivot wavelength (micron)"),
        ((code(n), f"{band.pivot:g}") for n, band in card.bands.items()),
    )
    readouts = ", ".join(code(one) for one in card.known_readouts)
    types = ", ".join(code(one) for one in card.types)
    return [
        *lines,
        f"Readouts (`subarray`): {readouts}.",
        "",
        f"Types of star (`srctype`): {types}.",
        "",
    ]
