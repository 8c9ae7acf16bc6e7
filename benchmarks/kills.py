r"""Kills of a command at random moments, each gone on from and compared with an unbroken run.

    python benchmarks/kills.py [--kills 40] [--at-once 1] [--earlier "--seed 7"] [--name run] \
        -- run program

The command is run once with the options of `--earlier`, and then unbroken, into folders of their
own: as often at once as there are kills at once, so that it lasts as long as what is killed. Then,
again and again: what the earlier one wrote stands there, the command is started with `--out`,
killed (SIGKILL, with all its processes) at a random moment, and run again to its end. Commands
that run at once have each their own share of the cores. A row of the table is a kill. Exit status 1
if any is not as it should be.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path

import numpy as np
from machine import machine

COLUMNS = {
    "moment": "when it was killed, after its start",
    "unfinished": "whether it left anything to go on from",
    "readable": "whether the earlier output, or the new one, stood there whole",
    "seconds": "how long the same command then took",
    "identical": "whether it then ended in the bytes of the unbroken one",
    "stray": "files left beside the output",
    "orphans": "whether a process was left",
}


def main() -> None:
    """Kill, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=40)
    parser.add_argument("--at-once", type=int, default=1, metavar="N", help="kills side by side")
    parser.add_argument("--seed", type=int, default=1, help="of the moments")
    parser.add_argument("--earlier", default="--seed 7", help="options of the earlier command")
    parser.add_argument("--name", default="run", help="the table is OUT/kills-NAME.ecsv")
    parser.add_argument("--out", type=Path, default=Path("reports/benchmarks"))
    parser.add_argument("command", nargs="*", default=["run", "program"])
    options = parser.parse_args()
    from astropy.table import Table

    from mirical.tables.formats import write_ecsv

    random = np.random.default_rng(options.seed)
    with tempfile.TemporaryDirectory() as name, pool_of(options.at_once) as pool:
        place = Path(name)
        earlier = [*options.command, *shlex.split(options.earlier)]
        pool.submit(finish, earlier, place / "earlier" / "out").result()
        wholes = [place / f"whole-{number}" / "out" for number in range(options.at_once)]
        begun = time.monotonic()
        list(pool.map(partial(finish, options.command), wholes))
        lasts = time.monotonic() - begun
        unlike = [str(whole) for whole in wholes if content(whole) != content(wholes[0])]
        if unlike:
            raise RuntimeError(f"{', '.join(unlike)} differ from {wholes[0]}, all unbroken")
        sys.stdout.write(f"unbroken: {lasts:.0f} s\n")
        moments = random.uniform(0, lasts, options.kills)
        rows = list(pool.map(partial(trial, options.command, place), moments, range(len(moments))))
    table = Table(rows=rows, names=list(COLUMNS))
    table["moment"].unit = table["seconds"].unit = "s"
    for column, what in COLUMNS.items():
        table[column].description = what
    table.meta |= {
        "title": "Kills of a command at random moments",
        "command": shlex.join(options.command),
        "at_once": options.at_once,
        "unbroken_s": round(lasts, 1),
        "machine": machine(),
    }
    options.out.mkdir(parents=True, exist_ok=True)
    write_ecsv(table, options.out / f"kills-{options.name}.ecsv")
    good = (
        table["readable"] & table["identical"] & (np.equal(table["stray"], "")) & ~table["orphans"]
    )
    sys.stdout.write(f"{np.sum(good)} of {len(table)} kills were as they should be\n")
    sys.exit(0 if np.all(good) else 1)


def pool_of(workers: int) -> ThreadPoolExecutor:
    """Return threads whose child processes run on their own share of the cores each."""
    cores = sorted(os.sched_getaffinity(0))
    each = max(len(cores) // workers, 1)
    shares = iter([cores[n * each % len(cores) :][:each] for n in range(workers)])
    return ThreadPoolExecutor(workers, initializer=lambda: os.sched_setaffinity(0, next(shares)))


def trial(command: list[str], place: Path, moment: float, number: int) -> tuple[object, ...]:
    """Kill the command at a moment and let it go on; return a row of the table."""
    parent = place / f"killed-{number}"
    shutil.copytree(place / "earlier", parent)
    process = start(command, parent / "out")
    time.sleep(moment)
    with suppress(ProcessLookupError):  # it may have ended
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    orphans = has_processes(process.pid)
    unfinished = any(".unfinished" in path.name for path in parent.rglob("*"))
    known = [content(place / one / "out") for one in ("earlier", "whole-0")]
    readable = content(parent / "out") in known
    begun = time.monotonic()
    last = finish(command, parent / "out")
    seconds = round(time.monotonic() - begun, 1)
    identical = content(parent / "out") == known[1]
    stray = " ".join(sorted(set(os.listdir(parent)) - {"out"}))
    orphans = orphans or has_processes(last)
    shutil.rmtree(parent)
    row = round(moment, 1), unfinished, readable, seconds, identical, stray, orphans
    sys.stdout.write(f"kill {number}: {row}\n")
    sys.stdout.flush()
    return row


def start(command: list[str], out: Path) -> subprocess.Popen[bytes]:
    """Start a command, as the first process of a group of its own."""
    out.parent.mkdir(parents=True, exist_ok=True)
    line = [sys.executable, "-m", "mirical", *command, "--out", str(out), "--overwrite"]
    quiet = subprocess.DEVNULL
    return subprocess.Popen(line, stdout=quiet, stderr=quiet, start_new_session=True)


def finish(command: list[str], out: Path) -> int:
    """Run a command to its end; return the number of its group of processes."""
    process = start(command, out)
    if process.wait() not in (0, 1):
        raise RuntimeError(f"{shlex.join(command)} ended with exit status {process.returncode}")
    return process.pid


def has_processes(group: int) -> bool:
    """Return whether any process of a group is left, some seconds after its first one has ended."""
    for _ in range(50):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return False
        time.sleep(0.1)  # one that is killed is gone once its new parent has taken note of it
    return True


def content(output: Path) -> dict[str, str]:
    """Return the checksums of a folder's files, hidden ones left out, or that of a file."""
    return {
        str(path.relative_to(output)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in [output, *sorted(output.rglob("*"))]
        if path.is_file() and ".mirical-" not in str(path)
    }


if __name__ == "__main__":
    main()
