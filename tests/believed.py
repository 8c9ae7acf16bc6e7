"""A stored run whose verdict is made to be good: short chains are enough for what tests it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from mirical.calibration.manifest import MANIFEST


def believe(folder: Path) -> None:
    """Let a run's diagnostics say that it may be believed, and its manifest agree."""
    path, manifest = folder / "diagnostics.json", folder / MANIFEST
    found = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(found | {"believable": True}), encoding="utf-8")
    listed = json.loads(manifest.read_text(encoding="utf-8"))
    listed["sha256"][path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
    manifest.write_text(json.dumps(listed), encoding="utf-8")
