"""Names of image files: what tells them apart, and fingerprints of their bytes."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

_DIGITS = 16


def distinct_names(paths: Sequence[Path]) -> list[str]:
    """Return the files' names, each with as many of its folders as tell it from the others.

    Parameters
    ----------
    paths : sequence of Path
        No file twice.
    """
    places = [path.resolve().parts for path in paths]
    depths = [1] * len(paths)

    def names() -> list[str]:
        return ["/".join(place[-n:]) for place, n in zip(places, depths, strict=True)]

    while True:
        found = names()
        counts = Counter(found)
        alike = [
            i for i, name in enumerate(found) if counts[name] > 1 and depths[i] < len(places[i])
        ]
        if not alike:
            return found
        for i in alike:
            depths[i] += 1


def file_hash(path: Path) -> str:
    """Return the first digits of a file's SHA-256; empty if it is no file that can be read."""
    try:
        if not path.is_file():  # a pipe would be waited for
            return ""
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:_DIGITS]
    except OSError:
        return ""
