"""Mutations of one reader, or of all: ``python -m fuzz READER|all FIRST [LAST]`` from ``tests``."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

from fuzz.judging import mutate_and_examine
from fuzz.readers import READERS


def main(name: str, first: str, last: str | None = None) -> int:
    """Print what becomes of the mutations FIRST to LAST; exit with 1 if any failed."""
    numbers = range(int(first), int(last or first) + 1)
    failed = 0
    for reader in READERS:
        if name not in (reader.name, "all"):
            continue
        found: Counter[str] = Counter()
        with TemporaryDirectory() as folder:
            path = reader.make(Path(folder))
            good = path.read_bytes()
            for number in numbers:
                outcome = mutate_and_examine(reader, good, path, number)
                found[outcome.kind] += 1
                if outcome.kind == "failed" or len(numbers) == 1:
                    trace = outcome.trace if len(numbers) == 1 else ""
                    sys.stdout.write(f"{reader.name} {number}: {outcome.sentence}\n{trace}")
        sys.stdout.write(f"{reader.name}: {dict(found)}\n")
        sys.stdout.flush()
        failed += found["failed"]
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
