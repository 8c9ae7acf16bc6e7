"""What compiled code depends on besides its function: sources, versions, processor, settings."""

from __future__ import annotations

import os
import platform
import sys
import time
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax

from mirical.compiled.content import content
from mirical.many.processes import cores

_PACKAGES = "jax", "jaxlib", "numpyro", "numpy", "scipy"
_PROCESSOR = (
    *("vendor_id", "cpu family", "model", "model name", "stepping", "flags"),
    *("CPU implementer", "CPU architecture", "CPU variant", "CPU part", "Features"),
)
"""Lines of Linux's description of a processor for which XLA may compile otherwise."""
_NO_MATTER = "jax_compilation_cache", "jax_persistent_cache", "jax_log", "jax_debug_log"
"""Settings of JAX that begin so change no code."""
_ENVIRONMENT = "XLA_FLAGS", "NPROC", "LLVM_", "TF_", "XLA_"
_WITHIN = 2.0  # s; to which clocks of file systems agree with the machine's


def known() -> bool:
    """Return whether all of it can be told: on Linux, on a processor, with JAX's caches on."""
    settings: Any = jax.config
    return (
        sys.platform == "linux"
        and jax.default_backend() == "cpu"
        and bool(settings.jax_enable_compilation_cache)
        and not settings.jax_disable_jit
        and _as_loaded()
    )


def surroundings() -> bytes:
    """Return bytes that differ wherever the same operations may be compiled to different code."""
    settings = {name: repr(getattr(jax.config, name, None)) for name in sorted(jax.config.values)}
    chosen = {k: v for k, v in settings.items() if not k.startswith(_NO_MATTER)}
    environment = {k: v for k, v in sorted(os.environ.items()) if k.startswith(_ENVIRONMENT)}
    return _lasting() + content([chosen, environment, cores()])


@cache
def _lasting() -> bytes:
    """Return what stays the same as long as the process lives."""
    versions = {name: version(name) for name in _PACKAGES}
    return content([versions, sys.version, _processor()])


@cache
def source_hash() -> str:
    """Return the hash of all files of this program, data that comes with it included."""
    digest, folder = sha256(), _folder()
    for path in _sources():
        digest.update(content([str(path.relative_to(folder)), path.read_bytes()]))
    return digest.hexdigest()


def _folder() -> Path:
    return Path(__file__).parents[1]


def _sources() -> list[Path]:
    found = sorted(_folder().rglob("*"))
    return [path for path in found if path.is_file() and path.suffix not in (".pyc", ".pyo")]


def _as_loaded() -> bool:
    """Return whether the sources are still those that this process may have imported.

    An editor may have changed one since: it would not be what runs here.
    """
    with open("/proc/self/stat", encoding="utf-8", errors="replace") as file:
        ticks = int(file.read().rpartition(")")[2].split()[19])
    age = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    changed = max(path.stat().st_ctime for path in _sources())
    return changed < time.time() - age - _WITHIN


def _processor() -> list[str]:
    """Return what the system tells of its processors, their names and numbers left out.

    Raises
    ------
    OSError
        If it tells nothing.
    """
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    told = {line for line in lines if line.split(":")[0].strip() in _PROCESSOR}
    if not any(line.split(":")[0].strip() in ("flags", "Features") for line in told):
        raise OSError("the features of this processor are not told")
    return [platform.machine(), *sorted(told)]
