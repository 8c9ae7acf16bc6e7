"""Tasks of a study: the hash of what each depends on, and how the function that does it is made."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from functools import cache, cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from mirical.version import __version__

Result = dict[str, Any]
"""What a task leaves: arrays by name, and whatever else JSON can hold."""

Perform = Callable[[Any, threading.Event], Result | None]
"""Does the task of an item; None if the event stopped it."""

Then = Callable[[int, Result], None]
"""Told of every task's number and result, in no order."""

Runner = Callable[[Sequence["Task"], Then], None]
"""Has tasks done and tells of each. `mirical.many.running.run_tasks` and what is made of it."""


def nothing() -> None:
    """Do nothing."""


@dataclass(frozen=True)
class Recipe:
    """What tasks have in common, and how the function that does them is made.

    Attributes
    ----------
    inputs : dict
        All that the results depend on beside the item and the versions; of what `content_hash`
        knows.
    packages : tuple of str
        Libraries on whose versions the results depend too.
    prepare : callable
        Makes that function, at any expense: it is called once in a process. Picklable.
    begin : callable, optional
        Called in a worker process first of all, before anything else is imported there.
    processes : bool, optional
        Whether tasks side by side need processes of their own; by default threads do, which share
        what was prepared.
    """

    inputs: Mapping[str, Any]
    packages: tuple[str, ...]
    prepare: Callable[[], Perform]
    begin: Callable[[], None] = nothing
    processes: bool = False

    @cached_property
    def key(self) -> str:
        """Return the hash of the inputs and the versions."""
        return content_hash([self.inputs, self.versions])

    @cached_property
    def versions(self) -> dict[str, str]:
        """Return the versions of this program and of the libraries."""
        return versions_of(self.packages)


@dataclass(frozen=True)
class Task:
    """One piece of a study that is done whole or not at all; done twice, it leaves the same.

    Attributes
    ----------
    recipe : Recipe
        How it is done.
    item : object
        Which of its recipe's tasks it is, as plain types for JSON.
    """

    recipe: Recipe
    item: Any

    @cached_property
    def key(self) -> str:
        """Return the hash of all that the result depends on, the name of its file."""
        return content_hash([self.recipe.key, self.item])


def versions_of(packages: Iterable[str]) -> dict[str, str]:
    """Return the versions of this program, its source's hash among them, and of libraries."""
    own = {"mirical": __version__, "source": source_hash()}
    return own | {name: version(name) for name in packages}


@cache
def source_hash() -> str:
    """Return the hash of this program's modules: a version of its own to a developer."""
    folder = Path(__file__).parents[1]
    return content_hash([path.read_bytes().hex() for path in sorted(folder.rglob("*.py"))])[:12]


def content_hash(value: object) -> str:
    """Return the SHA-256 of nested records, mappings, sequences, arrays and plain values.

    Raises
    ------
    TypeError
        If there is anything else among them.
    """
    digest = hashlib.sha256()
    _feed(digest, value)
    return digest.hexdigest()


def _feed(digest: hashlib._Hash, value: object) -> None:
    """Feed a value with its kind and length, so that no two values are fed the same bytes."""
    if value is None or isinstance(value, bool | int | float | str):
        parts: list[object] = []
        text = repr(value)
    elif is_dataclass(value) and not isinstance(value, type):
        parts = [part for f in fields(value) for part in (f.name, getattr(value, f.name))]
        text = type(value).__name__
    elif isinstance(value, Mapping):
        parts = [part for key in sorted(value, key=repr) for part in (key, value[key])]
        text = "mapping"
    elif isinstance(value, list | tuple):
        parts, text = list(value), "sequence"
    elif hasattr(value, "__array__"):
        array = np.asarray(value)
        parts, text = [], f"{array.dtype.str} {array.shape} {array.tobytes().hex()}"
    else:
        raise TypeError(f"no hash is known of a {type(value).__name__}")
    kind = type(value).__name__ if not parts else str(len(parts))
    head = f"{kind} {text}".encode()
    digest.update(str(len(head)).encode() + b":" + head)
    for part in parts:
        _feed(digest, part)
