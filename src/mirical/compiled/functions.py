"""The store of compiled functions: found by all that they depend on, else compiled and stored.

To trace a function through the handlers of the model takes longer than to compile it, and JAX's own
cache saves the latter alone. Whatever goes wrong with the store, functions are compiled as usual.

There are two entries of a function. One is found without tracing: by the function, what it closes
over, its arguments and this program's sources. It names the other, the code, which is found by the
operations that were traced: functions and versions of this program that do the same share it.
"""

from __future__ import annotations

import pickle
import secrets
import threading
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from typing import Any, NamedTuple

import jax
from jax.experimental.serialize_executable import deserialize_and_load, serialize

from mirical.compiled import files
from mirical.compiled.content import Leaf, content
from mirical.compiled.lapack import provide, routines
from mirical.compiled.leaves import Kind, as_numbers, kind_of
from mirical.compiled.surroundings import known, source_hash, surroundings

_HELD = 16  # functions that a process keeps loaded beyond those in use

_tracing, _preparing = threading.RLock(), threading.RLock()
"""Held while a function is traced, for the handlers of NumPyro are those of all threads; and while
one is looked for."""

_prepared: dict[str, Prepared] = {}
"""What this process has prepared last, by key."""


class Results(NamedTuple):
    """What a function returns: a tree of the places of its leaves, and their kinds."""

    tree: Any
    kinds: list[Kind]

    def of(self, numbers: list[Any]) -> Any:
        """Return the tree of results of such numbers."""
        leaves = [kind.restored(one) for kind, one in zip(self.kinds, numbers, strict=True)]
        return jax.tree.map(leaves.__getitem__, self.tree)


class Prepared:
    """A function that was traced, or found in the store.

    Parameters
    ----------
    function : callable
        The function.
    place : PyTreeDef
        Tree of its arguments.
    kinds : list of Kind
        Of their leaves.
    key : str or None
        Its key in the store, if it can be stored.

    Attributes
    ----------
    out_info : tree of jax.ShapeDtypeStruct
        What it returns.
    """

    def __init__(
        self, function: Callable[..., Any], place: Any, kinds: list[Kind], key: str | None
    ) -> None:
        self._function: Any = function
        self._place, self._kinds, self._key = place, kinds, key
        self._name = f"stored_{secrets.token_hex(8)}"
        self._lowered: Any = None
        self._compiled: Any = None
        self._compiling = threading.Lock()
        self._trials: list[Callable[[], None]] = []
        self._stored = None if key is None else _found(key)
        if self._stored is None:
            self._lower()
        else:
            self._results = self._stored.results
        leaves = [kind.leaf for kind in self._results.kinds]
        self.out_info = jax.tree.map(leaves.__getitem__, self._results.tree)

    def compile(self) -> Callable[..., Any]:
        """Load the function, or compile and store it; in any thread.

        Returns
        -------
        callable
            Takes trees of arrays like the arguments, and returns a tree of arrays.
        """
        with self._compiling:
            if self._compiled is None:
                if self._stored is not None:
                    self._compiled = self._loaded(self._stored)
                if self._compiled is None:
                    self._compiled = self._made()
                self._stored = self._lowered = self._function = None  # give back the memory
        return self._call

    def _call(self, *arguments: Any) -> Any:
        leaves, place = jax.tree.flatten(arguments)
        if place != self._place:
            raise TypeError(f"compiled for arguments {self._place}, called with {place}")
        found = self._compiled(*map(as_numbers, leaves))
        self._end_trial()
        return self._results.of(found)

    def _end_trial(self) -> None:
        with suppress(IndexError):
            self._trials.pop()()

    def _lower(self) -> Any:
        seen: list[Results] = []

        def flat(*numbers: Any) -> list[Any]:
            leaves = [kind.restored(one) for kind, one in zip(self._kinds, numbers, strict=True)]
            found, tree = jax.tree.flatten(self._function(*self._place.unflatten(leaves)))
            places = tree.unflatten(range(len(found)))
            seen.append(Results(places, [kind_of(one) for one in found]))
            return [as_numbers(one) for one in found]

        if self._key is not None:
            # A name of its own, so that JAX's cache does not hold it: what was loaded from there
            # cannot be stored again, its code would lack parts.
            flat.__name__ = self._name
        with _tracing:  # all arguments are kept, so that the text tells which of them is which
            traced = jax.jit(flat, keep_unused=True)
            self._lowered = traced.lower(*[kind.numbers for kind in self._kinds])
        self._results = seen[-1]
        return self._lowered

    def _made(self) -> Any:
        """Compile the function and store it, or load code of the same operations."""
        lowered = self._lowered or self._lower()
        stored = self._to_store()
        if stored is None:
            return lowered.compile()
        made = self._loaded(stored)
        missing = made is None
        if missing:
            made = lowered.compile()
        with suppress(Exception):  # what cannot be stored can be used
            if missing:
                files.write(stored.code, serialize(made)[0])
            files.write(str(self._key), pickle.dumps(stored))
        return made

    def _to_store(self) -> _Stored | None:
        """Return what can be stored of the function that was lowered, None if that is nothing."""
        if self._key is None:
            return None
        try:
            text = self._lowered.as_text().replace(self._name, "")
            called = routines(text)
            if called is None or not known():
                return None
            taken_and_given = content([self._kinds, self._results.kinds, text])
            code = sha256(b"code" + surroundings() + taken_and_given).hexdigest()
            return _Stored(code, called, self._results)
        except Exception:  # of whatever kind: it is compiled as usual
            return None

    def _loaded(self, stored: _Stored) -> Any:
        """Return the code that is stored, None if there is none that can be loaded."""
        with suppress(Exception):
            code = files.read(stored.code)
            if code is None:
                return None
            for routine in stored.routines:
                provide(routine)
            taken = jax.tree.structure(((0,) * len(self._kinds), {}))
            given = jax.tree.structure([0] * len(stored.results.kinds))
            self._trials.append(files.begin_trial(stored.code))
            try:
                return deserialize_and_load(code, taken, given)
            except BaseException:
                self._end_trial()
                files.remove(stored.code)
                raise
        return None


class _Stored(NamedTuple):
    """What the store holds of a function: the key of its code, the routines that calls, results."""

    code: str
    routines: list[str]
    results: Results


def prepare(function: Callable[..., Any], *arguments: Any) -> Prepared:
    """Find a function in the store, or trace it.

    It can be stored if all that it depends on can be told: a function at the top of one of this
    program's modules, or `functools.partial` of one and of plain values, arrays and records
    (`mirical.compiled.content`). Any other is compiled as usual.

    Parameters
    ----------
    function : callable
        Of trees of arrays; returns a tree of arrays.
    *arguments : trees of arrays
        Or of `jax.ShapeDtypeStruct`, of the shapes that it is called with.
    """
    leaves, place = jax.tree.flatten(arguments)
    kinds = [kind_of(leaf) for leaf in leaves]
    key = _key(function, place, kinds)
    if key is None:
        return Prepared(function, place, kinds, None)
    with _preparing:
        found = _prepared.pop(key, None) or Prepared(function, place, kinds, key)
        _prepared[key] = found  # the last of them
        if len(_prepared) > _HELD:
            del _prepared[next(iter(_prepared))]
    return found


def stored(function: Callable[..., Any], *arguments: Any) -> Callable[..., Any]:
    """Return the compiled function of such arguments (`prepare`)."""
    return prepare(function, *arguments).compile()


def _key(function: Callable[..., Any], place: Any, kinds: list[Kind]) -> str | None:
    """Return the hash of all that a compiled function depends on, None where that is not known."""
    try:
        if not known():
            return None
        arguments = place.unflatten(map(Leaf, range(len(kinds))))
        known_by = sha256(surroundings() + content([source_hash(), function, arguments, kinds]))
        return known_by.hexdigest()
    except Exception:  # of whatever kind: it is compiled as usual
        return None


def _found(key: str) -> _Stored | None:
    """Return what the store holds under a key."""
    try:
        said = files.read(key)
        found = None if said is None else pickle.loads(said)
    except Exception:  # of whatever kind: it is compiled anew
        return None
    return found if isinstance(found, _Stored) else None
