"""Card files: TOML that may state only how it differs from another card, its base."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from mirical.errors import InputError
from mirical.shipped import find_file, resolve

Content = dict[str, Any]


def read_card_files(path: Path) -> dict[str, str]:
    """Return the text of a card's file and of those it is based on, by name without ``.toml``.

    A base is looked for beside the card first, then among the shipped cards.

    Raises
    ------
    InputError
        If a file is missing or is not TOML, or a card is its own base.
    """
    texts: dict[str, str] = {}
    while True:
        try:
            texts[path.stem] = path.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise InputError(f"{path.name}: not valid TOML: {error}.") from error
        base = parse_toml(texts[path.stem], path.name).get("base")
        if base is None:
            return texts
        if not isinstance(base, str):
            raise InputError(f"{path.name}: base is {base!r}; expected the name of a card.")
        name = base.removesuffix(".toml")
        if name in texts:
            raise InputError(f"{path.name}: base {base!r} is based on this card itself.")
        beside = find_file(f"{name}.toml", path.parent)
        path = beside or resolve("models", name, f"{path.name}: base", path.parent)


def parse_toml(text: str, where: str) -> Content:
    """Return the content of a TOML text.

    Raises
    ------
    InputError
        If it is none.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{where}: not valid TOML: {error}.") from error


def with_base(own: Content, base: Content) -> Content:
    """Return a base's content with what a card states in its place.

    Tables are merged entry by entry, down to priors, each of which a card states whole.
    """
    # The levels are term, its name and prior.
    return _merged(own, base, 3)


def _merged(own: Content, base: Content, depth: int) -> Content:
    found = base | own
    for key in own.keys() & base.keys() if depth else ():
        mine, theirs = own[key], base[key]
        if isinstance(mine, dict) and isinstance(theirs, dict):
            found[key] = _merged(mine, theirs, depth - 1)
    return found
