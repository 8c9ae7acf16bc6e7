"""Recipes prepared once in a process, and packed for other processes."""

from __future__ import annotations

import pickle
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from mirical.errors import InputError
from mirical.many.result_files import encode
from mirical.many.tasks import Perform, Recipe, versions_of

RECIPES_AT_ONCE = 2
"""Recipes whose prepared functions a process holds: a compiled model takes a few 100 MB."""


class Prepared:
    """Functions of the recipes used last; each is made once, however many threads ask for it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made: OrderedDict[str, Future[Perform]] = OrderedDict()

    def of(self, key: str, prepare: Callable[[], Perform]) -> Perform:
        """Return the function of a recipe's hash, made by `prepare` if it is not there."""
        with self._lock:
            known = self._made.get(key)
            made = known or Future[Perform]()
            self._made[key] = made
            self._made.move_to_end(key)
            while len(self._made) > RECIPES_AT_ONCE:
                self._made.popitem(last=False)
        if known is None:
            try:
                made.set_result(prepare())
            except BaseException as error:
                made.set_exception(error)
                self._made.pop(key, None)
        return made.result()


@dataclass(frozen=True)
class Parcel:
    """A recipe on its way to another process.

    Attributes
    ----------
    key : str
        Hash of its inputs.
    begin : callable
        To be called before the content is unpacked.
    content : bytes
        Its `prepare`, pickled.
    versions : dict of {str : str}
        Of packages on which the results depend.
    """

    key: str
    begin: Callable[[], None]
    content: bytes
    versions: dict[str, str]

    def open(self) -> Perform:
        """Return the function that does the recipe's tasks.

        Raises
        ------
        InputError
            If a package has another version in this process.
        """
        here = versions_of(set(self.versions) - {"mirical", "source"})
        for package, wanted in self.versions.items():
            if here[package] != wanted:
                raise InputError(
                    f"a worker has {package} {here[package]}, but this command {wanted}; install "
                    "the same there."
                )
        self.begin()
        return pickle.loads(self.content)()


class Parcels:
    """Recipes packed once each."""

    def __init__(self) -> None:
        self._packed: dict[str, Parcel] = {}

    def of(self, recipe: Recipe) -> Parcel:
        """Return a recipe packed."""
        if recipe.key not in self._packed:
            packed = pickle.dumps(recipe.prepare)
            self._packed[recipe.key] = Parcel(recipe.key, recipe.begin, packed, recipe.versions)
        return self._packed[recipe.key]


_prepared_here = Prepared()
"""Of this process, if it works for another."""


def perform_there(parcel: Parcel, item: Any) -> bytes | None:
    """Do a task in a worker process."""
    return content_of(_prepared_here.of(parcel.key, parcel.open), item, threading.Event())


def content_of(perform: Perform, item: Any, stop: threading.Event) -> bytes | None:
    """Do a task here; return the bytes of its result's file, None if it was stopped."""
    result = None if stop.is_set() else perform(item, stop)
    return None if result is None else encode(result)
