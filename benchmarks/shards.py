"""Shares of a command of many fits, some killed and done again, against the command in one piece.

    python benchmarks/shards.py [--shards 8] [--kills 2] [--at-once 2] -- sbc --replicates 200

The command is run in one piece, and then in shares. As many shares as `--kills` says are killed
(SIGKILL, with all their processes) in the middle, and started again. The command without `--shard`
collects. Exit status 1 if its output is not the same byte for byte, or a share's file is left.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import time
from contextlib import suppress
from functools import partial
from pathlib import Path

from kills import content, finish, pool_of, start


def main() -> None:
    """Run the command both ways, compare and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shards", type=int, default=8)
    parser.add_argument("--kills", type=int, default=2)
    parser.add_argument("--at-once", type=int, default=2, metavar="N", help="shares side by side")
    parser.add_argument("command", nargs="*", default=["sbc", "--replicates", "200"])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        whole, shared = Path(name) / "whole" / "out", Path(name) / "shared" / "out"
        begun = time.monotonic()
        finish(options.command, whole)
        lasts = time.monotonic() - begun
        sys.stdout.write(f"in one piece: {lasts:.0f} s\n")
        shares = [
            [*options.command, "--shard", f"{number}/{options.shards}"]
            for number in range(1, options.shards + 1)
        ]
        with pool_of(options.at_once) as pool:
            begun = time.monotonic()
            for _ in pool.map(partial(finish, out=shared), shares[options.kills :]):
                took = time.monotonic() - begun
            # A share lasts about as long as others have taken.
            middle = took / (options.shards - options.kills) * options.at_once / 2
            for _ in pool.map(partial(kill, out=shared, moment=middle), shares[: options.kills]):
                pass
            for _ in pool.map(partial(finish, out=shared), shares[: options.kills]):
                pass
        finish(options.command, shared)
        left = sorted(set(os.listdir(shared.parent)) - {"out"})
        same = content(shared) == content(whole)
    sys.stdout.write(f"byte for byte the same: {same}; left beside the output: {left}\n")
    sys.exit(0 if same and not left else 1)


def kill(command: list[str], out: Path, moment: float) -> None:
    """Start a share and kill it after so many seconds; say what it left."""
    process = start(command, out)
    time.sleep(moment)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    status = process.wait()
    unfinished = [path for path in out.parent.rglob("*") if path.is_file()]
    sys.stdout.write(f"killed after {moment:.0f} s ({status}): {len(unfinished)} files there\n")


if __name__ == "__main__":
    main()
