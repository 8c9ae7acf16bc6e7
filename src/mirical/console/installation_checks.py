"""What `mirical doctor` looks at: versions, cores, cache, data of other packages."""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from mirical.compiled.files import cache_folder, store_folder
from mirical.many.processes import cores, memory
from mirical.version import __version__

GIGABYTE = 1e9
LITTLE_MEMORY = 3e9
"""Bytes below which the fit of a whole program may not have room."""

_REQUIREMENT = re.compile(r"^(?P<name>[\w.-]+)(?:\[[^]]*\])?(?:>=(?P<least>[\d.]+))?")


class Finding(NamedTuple):
    """Something looked at: what is here, whether it works (yes, no, partly), what to do."""

    what: str
    here: str
    works: str = "yes"
    remedy: str = ""


def examine() -> list[Finding]:
    """Return everything that is looked at; nothing is asked of the network."""
    return [*_machine(), *_packages(), _crds(), _stpsf(), *_extras()]


def _machine() -> Iterator[Finding]:
    yield Finding("mirical", f"{__version__}, {Path(__file__).parents[1]}")
    yield Finding("Python", f"{platform.python_version()}, {sys.executable}")
    size = memory()
    yield Finding("cores", f"{cores()}, for chains and fits side by side")
    little = size < LITTLE_MEMORY
    yield Finding(
        "memory",
        f"{size / GIGABYTE:.1f} GB",
        "partly" if little else "yes",
        "the fit of a program of hundreds of rows may not have room" if little else "",
    )
    yield _cache(Path(os.environ.get("JAX_COMPILATION_CACHE_DIR") or cache_folder() / "compiled"))


def _cache(folder: Path) -> Finding:
    """Look whether compiled functions can be kept."""
    there = folder
    while not there.exists() and there != there.parent:
        there = there.parent
    if not (there.is_dir() and os.access(there, os.W_OK)):
        remedy = "every run compiles again, half a minute; set XDG_CACHE_HOME to a folder of yours"
        return Finding("cache", f"{folder}, cannot be written", "partly", remedy)
    folders = folder, store_folder()
    files = [path for each in folders for path in each.rglob("*") if path.is_file()]
    size, names = sum(path.stat().st_size for path in files), " and ".join(map(str, folders))
    return Finding("cache", f"{names}, {size / 1e6:.0f} MB, may be removed at any time")


def _packages() -> Iterator[Finding]:
    """Look at the packages mirical requires, and the least version of each."""
    for line in requires("mirical") or []:
        found = _REQUIREMENT.match(line)
        if "extra ==" in line or found is None:
            continue
        name, least = found["name"], found["least"] or "0"
        here = _version(name)
        if here is None:
            yield Finding(name, "missing", "no", f"pip install '{name}>={least}'")
        elif _numbers(here) < _numbers(least):
            yield Finding(name, here, "no", f"too old; pip install '{name}>={least}'")
        else:
            yield Finding(name, here)


def _crds() -> Finding:
    """Look whether the pipeline's own stages find their reference files."""
    path, server = os.environ.get("CRDS_PATH"), os.environ.get("CRDS_SERVER_URL")
    if path and Path(path).is_dir() and server:
        return Finding("CRDS", f"{path}, {server}")
    here = "CRDS_PATH is not set" if not path else f"CRDS_PATH={path}, no such folder"
    if path and Path(path).is_dir():
        here = f"{path}, CRDS_SERVER_URL is not set"
    return Finding(
        "CRDS", here, "partly",
        "all of mirical works; the pipeline's first stages, which are yours to run, do not",
    )  # fmt: skip


def _stpsf() -> Finding:
    """Look whether model PSFs can be made."""
    here, data = _version("stpsf"), os.environ.get("STPSF_PATH")
    if here is not None and data and Path(data).is_dir():
        return Finding("stpsf", f"{here}, {data}")
    lack = "not installed" if here is None else f"{here}, STPSF_PATH names no folder of its data"
    remedy = "mirical apertures needs --psf BAND=FILE for each band"
    return Finding("stpsf", lack, "partly", remedy)


def _extras() -> Iterator[Finding]:
    """Look at what few need."""
    for name, extra, command in (
        ("astroquery", "fetch", "mirical fetch table5 does not work, files downloaded by hand do"),
        ("distributed", "cluster", "--scheduler does not work, --workers and --shard do"),
    ):
        here = _version(name) if find_spec(name) else None
        if here is None:
            remedy = f"{command}; pip install 'mirical[{extra}]'"
            yield Finding(name, "not installed", "partly", remedy)
        else:
            yield Finding(name, here)


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _numbers(text: str) -> tuple[int, ...]:
    """Return the leading numbers of a version."""
    found = re.match(r"[\d.]+", text)
    return tuple(int(part) for part in found[0].split(".") if part) if found else ()
