"""The one exception a user's mistake raises, and help with misspelt names."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class InputError(Exception):
    """A mistake in what the user gave: says where, what, got, expected, remedy.

    The command line prints the sentence and exits with status 2; library
    users catch it like any exception.
    """


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ``"; did you mean 'X'?"`` for the closest known word, or the list of them.

    Parameters
    ----------
    word : str
        What was written.
    known : iterable of str
        What could have been written.
    """
    known = list(known)
    by_folded = {name.casefold(): name for name in known}
    close = get_close_matches(word.casefold(), by_folded, n=1, cutoff=0.6)
    if close:
        return f"; did you mean {by_folded[close[0]]!r}?"
    return f"; expected one of {', '.join(known)}."


def refuse_unknown_keys(where: str, got: Iterable[str], known: Iterable[str]) -> None:
    """Raise for the first key nobody reads: unknown keys are errors, never ignored.

    Raises
    ------
    InputError
        If any of `got` is not in `known`.
    """
    known = list(known)
    for key in got:
        if key not in known:
            raise InputError(f"{where}: unknown key {key!r}{did_you_mean(key, known)}")
