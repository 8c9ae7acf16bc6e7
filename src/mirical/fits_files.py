"""FITS headers that would keep a reader busy for ever: more axes or columns than FITS allows."""

from __future__ import annotations

import mmap
import re
from pathlib import Path

_CARD = 80  # bytes
_MOST = 999  # axes or columns by the standard
_COUNTS = re.compile(rb"(NAXIS  |TFIELDS) = *([0-9]+)")


def endless_header(path: Path) -> str:
    """Return what is wrong with a header that counts more than FITS allows; empty if none does.

    Astropy makes as many entries as NAXIS or TFIELDS says before it looks whether they are
    there: a damaged digit costs hours, or all memory.

    Parameters
    ----------
    path : Path
        An uncompressed file that exists; of any kind.

    Raises
    ------
    OSError
        If it cannot be read.
    """
    with path.open("rb") as file:
        if not file.read(1):
            return ""  # nothing to map
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            for found in _COUNTS.finditer(content):
                if found.start() % _CARD == 0 and int(found[2]) > _MOST:
                    keyword, number = found[1].decode().strip(), found[2].decode()
                    return f"keyword {keyword} is {number}; FITS allows up to {_MOST}"
    return ""
