"""Where and when a benchmark was run, and with what."""

from __future__ import annotations

import datetime
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

from mirical.inference import runtime


def machine(*others: str) -> dict[str, Any]:
    """Return what a benchmark's table records, with the versions of `others` too."""
    return {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "machine": platform.machine(),
        "cpu": _cpu(),
        "cores": runtime.cores(),
        "python": platform.python_version(),
        "versions": {
            name: version(name) for name in ("mirical", "jax", "numpyro", "numpy", *others)
        },
    }


def _cpu() -> str:
    """Return the processor's name, which Python does not know on Linux."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text("utf-8").splitlines() if info.exists() else []
    found = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return found[0] if found else platform.processor()
