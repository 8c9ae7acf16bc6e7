"""The ranks of a calibration on disk: whole after every replicate, and taken up again."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np

from mirical.errors import InputError
from mirical.inference.replicates import Replicate, Study
from mirical.model.design import Design

RANKS = "ranks.jsonl"


class RankFile:
    """The ranks of a study's replicates, one JSON line each, after a line that says of what.

    Written whole after every replicate and in their order, so that a study
    that was stopped and taken up again leaves the same bytes as one that was not.
    """

    def __init__(self, folder: Path, study: Study) -> None:
        self.path = folder / RANKS
        self._header = header(study)
        self.replicates: dict[int, Replicate] = {}
        if self.path.exists():
            self._read()

    def add(self, replicate: Replicate) -> None:
        """Add a replicate and write the file."""
        self.replicates[replicate.replicate] = replicate
        ordered = [self.replicates[k].as_dict() for k in sorted(self.replicates)]
        lines = [json.dumps(record) for record in (self._header, *ordered)]
        partial = self.path.with_suffix(".partial")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            partial.write_text("\n".join(lines) + "\n", encoding="utf-8")
            os.replace(partial, self.path)
        except OSError as error:
            raise InputError(
                f"{self.path}: cannot be written ({error.strerror}); choose another --out."
            ) from error

    def _read(self) -> None:
        try:
            records = [json.loads(line) for line in self.path.read_text("utf-8").splitlines()]
            found, rest = records[0], records[1:]
            read = [Replicate(**record) for record in rest]
        except (OSError, UnicodeDecodeError, ValueError, TypeError, IndexError) as error:
            raise InputError(
                f"{self.path}: cannot be read as ranks of an earlier run; remove it or choose "
                "another --out."
            ) from error
        for key, value in self._header.items():
            if not isinstance(found, dict) or found.get(key) != value:
                raise InputError(
                    f"{self.path}: holds ranks of another {key}; remove it or choose another --out."
                )
        self.replicates = {replicate.replicate: replicate for replicate in read}


def header(study: Study) -> dict[str, Any]:
    """Return what the ranks of a study depend on, as plain types for JSON."""
    sampler = study.sampler
    return {
        "seed": sampler.seed,
        "card": hashlib.sha256(study.card.text.encode()).hexdigest(),
        "design": _design_hash(study.design),
        "distortion": asdict(study.distortion),
        "sampler": {name: getattr(sampler, name) for name in ("warmup", "draws", "target_accept")},
    }


def _design_hash(design: Design) -> str:
    """Return the hash of everything but the log factors, which are drawn, and what they set."""
    digest = hashlib.sha256()
    for field in fields(design):
        if field.name in ("log_factor", "units"):
            continue
        value = getattr(design, field.name)
        content = value.tobytes() if isinstance(value, np.ndarray) else repr(value).encode()
        digest.update(field.name.encode() + b"\0" + content)
    return digest.hexdigest()
