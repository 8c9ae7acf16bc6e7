"""Card files: TOML that may state only how it differs from another card, its base."""

from __future__ import annotations

from pathlib import Path

from mirical.errors import InputError, shown
from mirical.storage.shipped import find_file, resolve
from mirical.storage.toml_files import Content, parse_toml, read_toml_text

_RESERVED = "job"  # a run's folder has its job under that name, and the cards beside it
_LONGEST_CHAIN = 10


def read_card_files(path: Path) -> dict[str, str]:
    """Return the text of a card's file and of those it is based on, by name without ``.toml``.

    A base is looked for beside the card first, then among the shipped cards.

    Raises
    ------
    InputError
        If a file is missing or is not TOML, is called job.toml, or a card is its own base.
    """
    texts: dict[str, str] = {}
    paths: list[Path] = []
    while True:
        name = path.stem
        if name.casefold() == _RESERVED:
            raise InputError(
                f"{path}: a card may not have this name, which a run's folder needs for the job; "
                "rename the card."
            )
        texts[name] = read_toml_text(path)
        paths.append(path.resolve())
        base = parse_toml(texts[name], path.name).get("base")
        if base is None:
            return texts
        if not isinstance(base, str):
            raise InputError(f"{path.name}: base is {shown(base)}; expected the name of a card.")
        path = _find_base(base, path)
        if path.resolve() in paths:
            raise InputError(f"{paths[-1].name}: base {base!r} is based on this card itself.")
        if path.stem in texts:
            raise InputError(
                f"{paths[-1].name}: base {base!r} has the name of a card that is based on it; "
                "rename one of them."
            )
        if len(paths) == _LONGEST_CHAIN:
            raise InputError(
                f"{path.name}: is the base of a base, {_LONGEST_CHAIN} times over; expected fewer."
            )


def _find_base(base: str, path: Path) -> Path:
    """Return the path of a card's base."""
    name = base.removesuffix(".toml")
    beside = find_file(f"{name}.toml", path.parent)
    return beside or resolve("models", name, f"{path.name}: base", path.parent)


def with_base(own: Content, base: Content) -> Content:
    """Return a base's content with what a card states in its place.

    Tables are merged entry by entry, down to priors. A prior that names its distribution is stated
    whole; one that does not keeps what it leaves out, and its reason says what was changed.
    """
    # The levels are term, its name and prior.
    return _merged(own, base, 3)


def _merged(own: Content, base: Content, depth: int) -> Content:
    found = base | own
    for key in own.keys() & base.keys():
        mine, theirs = own[key], base[key]
        if not (isinstance(mine, dict) and isinstance(theirs, dict)):
            continue
        if depth:
            found[key] = _merged(mine, theirs, depth - 1)
        elif "distribution" in theirs and "distribution" not in mine:
            found[key] = _changed_prior(mine, theirs)
    return found


def _changed_prior(own: Content, base: Content) -> Content:
    """Return a prior of which a card states some fields."""
    found = base | own
    changed = [name for name in own if name not in _WORDS]
    if changed and isinstance(base.get("reason"), str) and "reason" not in own:
        found["reason"] = f"{base['reason']} ({', '.join(changed)} stated by this card)"
    return found


_WORDS = "unit", "reason", "source"
"""Fields of a prior that are no numbers."""
