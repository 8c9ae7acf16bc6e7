"""File of the ranks of a calibration, to which a study of more replicates adds."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np

from mirical.errors import InputError, reading
from mirical.fast.refits import SMALL
from mirical.model.design import Design
from mirical.storage.files import settle, whole_file
from mirical.validation.posterior_truths import truths_hash
from mirical.validation.replicates import Replicate, Study

RANKS = "ranks.jsonl"
_REMEDY = "remove it or choose another --out"


class RankFile:
    """The ranks of a study's replicates, one JSON line each, after a line that says of what.

    In their order, so that a study done in pieces leaves the same bytes as one that was not. It is
    written when all are there; another call may add to it.
    """

    def __init__(self, folder: Path, study: Study) -> None:
        self.path = folder / RANKS
        self._header = header(study)
        self.replicates: dict[int, Replicate] = {}
        settle(folder)
        if self.path.exists():
            self._read()

    def write(self) -> None:
        """Write the file."""
        ordered = [self.replicates[k].as_dict() for k in sorted(self.replicates)]
        first = {"simulated": True, **self._header}
        lines = [json.dumps(record) for record in (first, *ordered)]
        with whole_file(self.path) as beside:
            beside.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def _read(self) -> None:
        found, read = _parsed(self.path, _REMEDY)
        for key, value in self._header.items():
            if not isinstance(found, dict) or found.get(key) != value:
                raise InputError(f"{self.path}: holds ranks of another {key}; {_REMEDY}.")
        self.replicates = {replicate.replicate: replicate for replicate in read}


def read_ranks(path: Path) -> list[Replicate]:
    """Return the replicates of a file of ranks, whatever study they are of.

    Raises
    ------
    InputError
        If it cannot be read as ranks.
    """
    return _parsed(path, "run 'mirical sbc' again")[1]


def _parsed(path: Path, remedy: str) -> tuple[object, list[Replicate]]:
    """Return the first line of a file of ranks, and its replicates."""
    with reading(str(path), "ranks of an earlier run", remedy):
        text = path.read_text("utf-8")
        found, *records = [json.loads(line) for line in text.splitlines()] or [None]
    for number, record in enumerate(records, start=2):
        if not _is_replicate(record):
            raise InputError(
                f"{path} line {number}: cannot be read as ranks of an earlier run; {remedy}."
            )
    return found, [Replicate(**record) for record in records]


def _is_replicate(record: object) -> bool:
    """Return whether a line has the entries of a replicate, each of its kind."""
    if not isinstance(record, dict) or set(record) != {field.name for field in fields(Replicate)}:
        return False
    counts = (record[name] for name in ("replicate", "draws", "divergences"))
    ranks = record["ranks"]
    return (
        all(_is_count(count) for count in counts)
        and isinstance(record["problem"], str)
        and all(_is_measure(record[name]) for name in ("rhat", "ess"))
        and isinstance(ranks, dict)
        and all(_is_rank(rank) for rank in ranks.values())
    )


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_measure(value: object) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def _is_rank(value: object) -> bool:
    if not isinstance(value, list) or len(value) != 2:
        return False
    return all(map(_is_count, value)) and value[0] <= value[1]


def header(study: Study) -> dict[str, Any]:
    """Return what the ranks of a study depend on, as plain types for JSON."""
    sampler = study.sampler
    posterior: dict[str, Any] = {}
    if study.truths is not None:
        posterior["posterior"] = truths_hash(study.truths, study.design)
    if study.fast:
        posterior["fast"] = asdict(SMALL)
    return posterior | {
        "seed": sampler.seed,
        "card": hashlib.sha256(study.card.text.encode()).hexdigest(),
        "design": _design_hash(study.fitted),
        "distortion": asdict(study.distortion),
        "sampler": {name: getattr(sampler, name) for name in ("warmup", "draws", "target_accept")},
    }


def _design_hash(design: Design) -> str:
    """Return the hash of everything but the log factors, which are drawn, and what they set."""
    digest = hashlib.sha256()
    for part in (design, design.covariates):
        for field in fields(part):
            if field.name in ("log_factor", "units", "covariates"):
                continue
            value = getattr(part, field.name)
            content = value.tobytes() if isinstance(value, np.ndarray) else repr(value).encode()
            digest.update(field.name.encode() + b"\0" + content)
    return digest.hexdigest()
