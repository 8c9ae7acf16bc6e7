"""Text from files made safe to print: one line, ASCII for FITS and LaTeX, escaped for figures.

A star's name, a title or a file's name is never markup and never moves a cursor: readers
pass what they read through `one_line`, and writers pass it on through the function of their
format.
"""

from __future__ import annotations

import codecs
import re
import unicodedata

# What terminals act on: control sequences (colours, cursor), titles, and single escapes.
_ESCAPE_SEQUENCE = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|\x1b\].*?(?:\x07|\x1b\\)|\x1b[ -/]*[0-~]", re.DOTALL
)
_BLANKS = "\t\n\v\f\r\x85"
_ASCII_SIGNS = {
    "±": "+/-",
    "×": "x",
    "…": "...",
    "°": " deg",
    "‘": "'",
    "’": "'",
    "“": '"',
    "”": '"',
    "·": "-",
}


def one_line(text: str) -> str:
    """Return a text as one line that can be printed anywhere.

    Terminals' escape sequences and characters that print nothing (controls, marks of
    direction, blanks of no width) are left out, blanks of any kind become one, and letters
    with accents are one character each; halves of a character become "?".
    """
    visible = "".join(map(_visible, _ESCAPE_SEQUENCE.sub("", text)))
    return unicodedata.normalize("NFC", " ".join(visible.split()))


def _visible(character: str) -> str:
    kind = unicodedata.category(character)
    if character in _BLANKS or kind in ("Zs", "Zl", "Zp"):
        return " "
    if kind == "Cs":
        return "?"
    return "" if kind in ("Cc", "Cf") else character


def plain_dashes(text: str) -> str:
    """Return a text with every dash and minus sign as the ASCII hyphen."""
    return "".join("-" if c == "−" or unicodedata.category(c) == "Pd" else c for c in text)


def ascii_text(text: str) -> str:
    r"""Return a text as a FITS header takes it: one line of printable ASCII.

    Dashes, quotes and a few signs are transliterated; any other character is written as
    Python writes it in quotes (``\xe9``), which can be read back and mixes no two names up.
    """
    return _spelled_in_ascii(one_line(text))


def _spelled_in_ascii(text: str) -> str:
    signs = "".join(_ASCII_SIGNS.get(c, c) for c in plain_dashes(text))
    return signs.encode("ascii", "backslashreplace").decode()


def _spell_in_ascii(error: UnicodeError) -> tuple[str, int]:
    """Spell what an encoding has no sign for (a codec's handler of errors)."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return _spelled_in_ascii(error.object[error.start : error.end]), error.end


ASCII_SIGNS = "mirical-ascii-signs"
"""Name of the handler of encoding errors that spells in ASCII what an encoding has no sign for."""

codecs.register_error(ASCII_SIGNS, _spell_in_ascii)


def ascii_name(name: str) -> str:
    r"""Return a name in ASCII that `name_of_ascii` makes the same name again (``\u03b4 UMi``)."""
    return name.encode("unicode_escape").decode("ascii")


def name_of_ascii(stored: str) -> str:
    """Return the name that `ascii_name` stored; a text of other software's as it is."""
    try:
        return stored.encode("ascii").decode("unicode_escape")
    except (UnicodeEncodeError, UnicodeDecodeError):  # not one of ours
        return stored


def drawn_text(text: str, longest: int | None = None) -> str:
    """Return a text that matplotlib draws as it stands: no formula, no hidden legend entry.

    Parameters
    ----------
    text : str
        What is to be drawn.
    longest : int, optional
        Characters after which it is cut off with an ellipsis.
    """
    line = one_line(text)
    if longest is not None and len(line) > longest:
        line = line[: longest - 1] + "…"
    # A legend leaves out what begins with an underscore.
    line = f" {line}" if line.startswith("_") else line
    return line.replace("$", r"\$")
