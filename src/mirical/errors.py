"""Error messages: the exception for a user's mistake, unreadable files, misspelt names."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from difflib import get_close_matches
from types import TracebackType

_LONGEST_REASON = 200  # characters of a library's own words that are quoted
_LONGEST_SENTENCE = 900
_LONGEST_WORD = 60  # characters of a user's value that a message repeats or a name is compared by


class InputError(Exception):
    """A mistake in what the user gave: says where, what, got, expected, remedy.

    The command line prints the sentence and exits with status 2; library
    users catch it like any exception.

    Parameters
    ----------
    sentence : str
        One line; line breaks and other letters that are not printable, such as the escape
        sequences of a terminal in a file's name, are written as Python writes them. The middle
        of an endless one is left out.
    """

    def __init__(self, sentence: str) -> None:
        super().__init__(_readable(printable(sentence)))


def printable(text: str) -> str:
    """Return a text in one line, with letters that are not printable as Python writes them."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)


def _readable(sentence: str) -> str:
    """Return a sentence without the middle of a text that nobody would read to its end."""
    if len(sentence) <= _LONGEST_SENTENCE:
        return sentence
    return f"{sentence[: _LONGEST_SENTENCE // 2]} ... {sentence[-_LONGEST_SENTENCE // 3 :]}"


def shown(value: object) -> str:
    """Return a value as a message repeats it: in quotes if it is text, and shortened."""
    text = repr(value)
    return text if len(text) <= _LONGEST_WORD else text[: _LONGEST_WORD - 3] + "..."


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
    close = close_to(word, known)
    return (
        f"; expected one of {', '.join(known)}." if close is None else f"; did you mean {close!r}?"
    )


def close_to(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that is closest to what was written, or None if none is close."""
    by_folded = {name.casefold(): name for name in known}
    close = get_close_matches(word[:_LONGEST_WORD].casefold(), by_folded, n=1, cutoff=0.6)
    return by_folded[close[0]] if close else None


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
            raise InputError(f"{where}: unknown key {shown(key)}{did_you_mean(key, known)}")


class reading:
    """Refuse a file that a library cannot read, and let faults of our own code through.

    Libraries raise nearly everything on damaged files, so the type of an exception does not tell
    damage from a programming error; where it was raised does. An exception raised inside a library
    (or by the operating system) becomes a sentence. One raised in a module of this package, such
    as a misspelt name or a call with wrong arguments, is a fault of ours and stays what it is.

    A value that was read is therefore checked by our own code with its own sentence: ``float`` of
    a header's text does not become a refusal here.

    Parameters
    ----------
    where : str
        Name of the file; begins the sentence.
    kind : str
        What the file is read as, such as ``"FITS"``.
    expected : str, optional
        What it should hold, or what to do; ends the sentence.
    refusal : callable, optional
        Makes the exception of the sentence.

    Raises
    ------
    InputError
        If the library cannot read the file: ``WHERE: cannot be read as KIND (REASON); EXPECTED.``
    """

    def __init__(
        self,
        where: str,
        kind: str,
        expected: str = "",
        refusal: Callable[[str], Exception] = InputError,
    ) -> None:
        self.where, self.kind, self.refusal = where, kind, refusal
        self.rest = f"; {expected}." if expected else "."

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: object
    ) -> None:
        if isinstance(error, Exception) and raised_by_a_library(error):
            raise self.refusal(
                f"{self.where}: cannot be read as {self.kind} ({reason_of(error)}){self.rest}"
            ) from error


def raised_by_a_library(error: BaseException) -> bool:
    """Return whether an exception was raised outside this package's own modules.

    The operating system's errors and those of memory count as raised outside, wherever the call
    stands: a file without read permission is no fault of the code that opens it.
    """
    if isinstance(error, OSError | MemoryError):
        return True
    trace: TracebackType | None = error.__traceback__
    module = __name__
    while trace is not None:
        module = str(trace.tb_frame.f_globals.get("__name__", ""))
        trace = trace.tb_next
    return module.partition(".")[0] != __name__.partition(".")[0]


def reason_of(error: BaseException) -> str:
    """Return a library's words on what is wrong, in one line that any terminal can show."""
    said = getattr(error, "strerror", None) or str(error)
    lines = str(said).strip().splitlines() or [type(error).__name__]
    line = printable(lines[0])
    line = line if len(line) <= _LONGEST_REASON else line[: _LONGEST_REASON - 3] + "..."
    return line.rstrip(" .") or type(error).__name__
