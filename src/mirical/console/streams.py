"""Standard output and error that may be closed, full, or limited to ASCII."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO

from mirical.text import ASCII_SIGNS


class Stream:
    """A text stream that never raises; what is printed after it broke is lost.

    Parameters
    ----------
    stream : text stream or None
        None if it was closed before this process started.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self.lost: OSError | None = None
        self._closed = stream is None
        self._stream: Any = stream if stream is not None else open(os.devnull, "w")
        # What an encoding lacks is spelled out, and halves of a character are marked.
        if hasattr(self._stream, "reconfigure"):
            self._stream.reconfigure(errors=ASCII_SIGNS)

    def write(self, text: str) -> int:
        """Write, or take note that it could not be written."""
        if self._closed and text:
            self._lose(OSError(errno.EBADF, os.strerror(errno.EBADF)))
        try:
            return self._stream.write(text)
        except OSError as error:
            self._lose(error)
            return len(text)

    def flush(self) -> None:
        """Flush, or take note that it could not be done."""
        try:
            self._stream.flush()
        except OSError as error:
            self._lose(error)

    def end(self) -> None:
        """Flush, and let the stream go if it was opened here."""
        self.flush()
        if self._closed:
            self._stream.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _lose(self, error: OSError) -> None:
        if self.lost is None:
            self.lost = error
            # Python flushes once more at its end and would complain.
            with suppress(OSError, ValueError):
                sink = os.open(os.devnull, os.O_WRONLY)
                os.dup2(sink, self._stream.fileno())
                os.close(sink)


@contextmanager
def standard_streams() -> Iterator[Stream]:
    """Put streams that never raise in the places of standard output, which is given, and error."""
    _open_descriptors()
    before = sys.stdout, sys.stderr
    out, err = Stream(before[0]), Stream(before[1])
    sys.stdout, sys.stderr = out, err  # type: ignore[assignment]
    try:
        yield out
    finally:
        out.end()
        err.end()
        sys.stdout, sys.stderr = before


def _open_descriptors() -> None:
    """Open what was closed of 0, 1 and 2: a file would get the number and be printed into."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free
