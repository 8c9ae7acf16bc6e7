"""TOML files, bounded in size and depth before they are parsed."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

from mirical.errors import InputError, reading, reason_of

Content = dict[str, Any]

MOST_BYTES = 128 * 1024
"""Size of a file; the longest shipped card has 7 kB."""

_MOST_DOTS = 200  # in a line: the parser's memory grows with the square of a key's parts
_MOST_BITS = 64  # of a whole number, as TOML has it; longer ones Python may refuse to print
_BEGINNINGS = {
    b"\x1f\x8b": "is compressed (gzip); unpack it first",
    b"SIMPLE": "is a FITS file; expected TOML",
    b"\xff\xfe": "is UTF-16 text; save it as UTF-8",
    b"\xfe\xff": "is UTF-16 text; save it as UTF-8",
}


def read_toml_text(path: Path) -> str:
    """Return the text of a TOML file, without the byte order mark some editors begin it with.

    Raises
    ------
    InputError
        If the file cannot be read, is no UTF-8 text or is longer than `MOST_BYTES`.
    """
    with reading(path.name, "TOML"), path.open("rb") as file:
        content = file.read(MOST_BYTES + 1)
    for beginning, sentence in _BEGINNINGS.items():
        if content.startswith(beginning):
            raise InputError(f"{path.name}: {sentence}.")
    if len(content) > MOST_BYTES:
        raise InputError(
            f"{path.name}: is longer than {MOST_BYTES // 1024} kB; expected a job or a model card."
        )
    if b"\0" in content:
        line = content[: content.index(b"\0")].count(b"\n") + 1
        raise InputError(f"{path.name}: has a NUL byte in line {line}; expected UTF-8 text.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path.name}: not valid TOML: {error}.") from error


def parse_toml(text: str, where: str) -> Content:
    """Return the content of a TOML text.

    Raises
    ------
    InputError
        If it is none, a key has too many parts, arrays are nested too deeply, or a whole number
        does not fit 64 bits.
    """
    for number, line in enumerate(text.splitlines(), start=1):
        if line.count(".") > _MOST_DOTS:
            raise InputError(f"{where}: line {number} has more than {_MOST_DOTS} dots.")
    try:
        content = tomllib.loads(text)
    except RecursionError as error:
        raise InputError(f"{where}: not valid TOML: arrays are nested too deeply.") from error
    except ValueError as error:  # of which tomllib.TOMLDecodeError is one
        raise InputError(f"{where}: not valid TOML: {reason_of(error)}.") from error
    for value in _values(content):
        if isinstance(value, int) and value.bit_length() >= _MOST_BITS:
            raise InputError(
                f"{where}: not valid TOML: a whole number does not fit {_MOST_BITS} bits."
            )
    return content


def _values(content: object) -> Iterator[object]:
    """Give every value of a content, however deep, without calling itself."""
    left = [content]
    while left:
        value = left.pop()
        inner = value.values() if isinstance(value, dict) else value
        if isinstance(inner, str | int | float | date | datetime | time):
            yield inner
        else:
            left.extend(inner)  # type: ignore[arg-type]
