"""Accuracy against the staged procedure and the floor, over simulated programs.

    python benchmarks/recovery.py [--programs 100] [--out reports/validation/recovery]

One program a core at a time; every program done is kept in ``programs.jsonl``,
and the same command goes on from there. Records of another card or other
settings are made again; after a change of the code, remove the file.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from pathlib import Path
from typing import Any

from mirical.inference import runtime

SAMPLER = {"chains": 2, "warmup": 150, "draws": 450}
WITHOUT_DISK = 8  # programs that are calibrated once more without the debris disk


def own_core(cores: multiprocessing.Queue[int]) -> None:
    """Keep this process to a core of its own."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {cores.get()})
    runtime.configure()


def calibrate(seed: int, disk: bool) -> tuple[int, bool, dict[str, Any]]:
    """Simulate and calibrate one program, with its debris disk by every method or without."""
    from mirical.jobs.sampler import Sampler
    from mirical.simulation.errors_and_faults import Faults
    from mirical.validation.recovery import METHODS, recover

    began = time.monotonic()
    sampler = Sampler(**SAMPLER, seed=59720 + seed)
    if disk:
        record = recover(seed, sampler, Faults(), METHODS)
    else:
        record = recover(seed, sampler, replace(Faults(), debris_disk=0.0), ("mirical",))
    return seed, disk, record | {"seconds": round(time.monotonic() - began, 1)}


def main() -> None:
    """Calibrate the programs that are missing, and write what all of them say."""
    from mirical.jobs.sampler import Sampler
    from mirical.validation.recovery import study
    from mirical.validation.recovery_report import write_summary

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", type=int, default=100)
    parser.add_argument("--out", type=Path, default=Path("reports/validation/recovery"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    kept = options.out / "programs.jsonl"
    lines = kept.read_text("utf-8").splitlines() if kept.exists() else []
    now = study(Sampler(**SAMPLER))
    records = {r["seed"]: r for r in map(json.loads, lines) if r["study"] == now}
    seeds = range(1, options.programs + 1)
    missing = [(seed, True) for seed in seeds if seed not in records]
    missing += [
        (seed, False)
        for seed in seeds[:WITHOUT_DISK]
        if "without_disk" not in records.get(seed, {})
    ]
    context = multiprocessing.get_context("spawn")
    cores = context.Queue()
    for core in sorted(os.sched_getaffinity(0)):
        cores.put(core)
    with ProcessPoolExecutor(runtime.cores(), context, own_core, (cores,)) as pool:
        running = {pool.submit(calibrate, *task): task for task in missing}
        clean: dict[int, Any] = {}
        for future in as_completed(running):
            seed, disk, record = future.result()
            if disk:
                records[seed] = record
            else:
                clean[seed] = record["quantities"]
            for other in [known for known in clean if known in records]:
                records[other]["without_disk"] = clean.pop(other)
            keep(records, kept)
            sys.stderr.write(f"program {seed}: {record['seconds']} s\n")

    criteria = write_summary([records[seed] for seed in seeds], options.out)
    criteria.pprint(max_lines=-1, max_width=-1)


def keep(records: dict[int, dict[str, Any]], path: Path) -> None:
    """Write the records, whole or not at all."""
    text = "".join(
        json.dumps(records[seed], separators=(",", ":")) + "\n" for seed in sorted(records)
    )
    partial = path.with_suffix(".partial")
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, path)


if __name__ == "__main__":
    main()
