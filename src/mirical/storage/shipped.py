"""Files that come with mirical: data tables, model cards, job files."""

from __future__ import annotations

from pathlib import Path

from mirical.errors import InputError, did_you_mean, shown

_PACKAGE = Path(__file__).parents[1]
_NOUNS = {"models": "model card", "inference": "job"}


def data_file(name: str) -> Path:
    """Return the path of a table of the paper (or derived from it) shipped as ECSV."""
    return _PACKAGE / "data" / f"{name}.ecsv"


def instruments_folder() -> Path:
    """Return the folder of the shipped instrument cards, a folder an instrument."""
    return _PACKAGE / "data" / "instruments"


def _folder(kind: str) -> Path:
    # A wheel carries the folder inside the package; in a clone it is at the top.
    inside = _PACKAGE / "shipped" / kind
    return inside if inside.is_dir() else _PACKAGE.parents[1] / kind


def find_file(name: str, beside: Path | None = None) -> Path | None:
    """Return the file a relative or absolute path means, or None if there is none.

    Parameters
    ----------
    name : str
        The path.
    beside : Path, optional
        Folder it is tried in first (that of the file naming it), before the working folder.

    Raises
    ------
    InputError
        If the system refuses to look.
    """
    candidates = [Path(name)] if beside is None else [beside / name, Path(name)]
    return next((path for path in candidates if _is_file(path)), None)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError as error:  # a name longer than the system allows, a folder one may not enter
        raise InputError(
            f"{shown(path.name)} in {path.absolute().parent}: cannot be looked up "
            f"({error.strerror}); give another path."
        ) from error


def resolve(kind: str, name: str, where: str, beside: Path | None = None) -> Path:
    """Return the path of a card or job given by its shipped name or as a path.

    Parameters
    ----------
    kind : str
        ``"models"`` or ``"inference"``: which folder a bare name is looked up in.
    name : str
        A name without ``.toml`` (shipped), or a path.
    where : str
        Beginning of the error sentence.
    beside : Path, optional
        Folder a relative path is tried in first (that of the file naming it).

    Raises
    ------
    InputError
        If nothing is there; names the shipped files.
    """
    own = find_file(name, beside) if name.endswith(".toml") else None
    if own is not None:
        return own
    if name not in shipped_names(kind) and find_file(name, beside) is not None:
        raise InputError(
            f"{where}: {shown(name)} is not a {_NOUNS[kind]}; expected a file named *.toml."
        )
    return resolve_shipped(kind, name, where, "shipped or found as a file")


def shipped_names(kind: str) -> list[str]:
    """Return the names of the shipped cards (``models``) or jobs (``inference``)."""
    return sorted(path.stem for path in _folder(kind).glob("*.toml"))


def resolve_shipped(kind: str, name: str, where: str, how: str = "shipped") -> Path:
    """Return the path of a shipped card or job.

    Parameters
    ----------
    kind : str
        ``"models"`` or ``"inference"``.
    name : str
        Its name without ``.toml``.
    where : str
        Beginning of the error sentence.
    how : str, optional
        Ways in which it could have been found, for the sentence.

    Raises
    ------
    InputError
        If there is none; names the closest, or all.
    """
    known = shipped_names(kind)
    if name in known:
        return _folder(kind) / f"{name}.toml"
    hint = did_you_mean(name.removesuffix(".toml"), known)
    raise InputError(f"{where}: no {_NOUNS[kind]} {shown(name)} is {how}{hint}")
