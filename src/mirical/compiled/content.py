"""Unambiguous bytes of what a compiled function closes over: values by content, code by name.

Whatever is not known for certain is refused: a function of unknown content must not be taken for
another one.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from functools import cached_property, partial, reduce
from types import FunctionType, MethodType
from typing import Any

import numpy as np

_PLAIN = (type(None), bool, int, float, complex, str, bytes)
_KINDS_OF_ARRAYS = "biufcSU"
_CODE = "mirical"
_RECORDS = ("mirical", "numpyro", "jax")
"""Packages whose classes may hold data; their versions tell what these are."""


class UnknownContentError(Exception):
    """Something whose content cannot be told for certain."""


@dataclass(frozen=True)
class Leaf:
    """The place of a leaf in a tree."""

    number: int


def content(thing: Any) -> bytes:
    """Return bytes that differ between any two things that a traced function may tell apart.

    Parameters
    ----------
    thing : object
        Plain values, arrays, named tuples, frozen dataclasses, containers of these; functions and
        classes at the top of this program's modules, and `functools.partial` of such functions.

    Raises
    ------
    UnknownContentError
        If there is anything else in it, such as a closure or a lambda.
    """
    return b"".join(_tokens(thing))


def _tokens(thing: Any) -> Iterator[bytes]:
    kind = type(thing)
    if kind in _PLAIN:
        yield _token(kind.__name__, repr(thing))
    elif kind is np.ndarray or isinstance(thing, np.generic):
        if thing.dtype.kind not in _KINDS_OF_ARRAYS:
            raise UnknownContentError(f"array of {thing.dtype}")
        yield _token(kind.__name__, f"{thing.dtype.str} {thing.shape}", thing.tobytes())
    elif kind in (tuple, list):
        yield _token(kind.__name__, str(len(thing)))
        yield from _each(thing)
    elif kind in (set, frozenset):
        yield _token(kind.__name__, str(len(thing)))
        yield from sorted(content(one) for one in thing)
    elif kind is dict:
        yield _token("dict", str(len(thing)))
        yield from _each(part for item in thing.items() for part in item)
    elif kind is partial:
        yield _token("partial")
        yield from _each((thing.func, thing.args, thing.keywords))
    elif kind is MethodType:
        yield _token("method")
        yield from _each((thing.__func__, thing.__self__))
    elif kind is FunctionType or isinstance(thing, type):
        yield _token("code", _name(thing, (_CODE,)))
    else:
        yield from _of_record(thing)


def _of_record(thing: Any) -> Iterator[bytes]:
    kind = type(thing)
    name = _name(kind, _RECORDS) if kind is not Leaf else "leaf"
    if isinstance(thing, Enum):
        yield _token("member", f"{name} {thing.name}")
    elif isinstance(thing, tuple) and hasattr(kind, "_fields") and not _state(thing):
        yield _token("named", f"{name} {len(thing)}")
        yield from _each(thing)
    elif is_dataclass(thing) and kind.__dataclass_params__.frozen:  # type: ignore[attr-defined]
        names = [field.name for field in fields(thing)]
        for more in _state(thing).keys() - set(names):
            if not isinstance(getattr(kind, more, None), cached_property):
                raise UnknownContentError(f"attribute {more} of a {name}")
        yield _token("record", f"{name} {' '.join(names)}")
        yield from _each(getattr(thing, one) for one in names)
    else:
        raise UnknownContentError(f"a {name}")


def _each(things: Any) -> Iterator[bytes]:
    for one in things:
        yield from _tokens(one)


def _state(thing: Any) -> dict[str, Any]:
    return getattr(thing, "__dict__", {})


def _token(kind: str, text: str = "", more: bytes = b"") -> bytes:
    """Return a token that tells where it ends."""
    text_bytes = text.encode("utf-8", "surrogatepass")
    return f"{kind} {len(text_bytes)} {len(more)}:".encode() + text_bytes + more


def _name(code: Any, packages: tuple[str, ...]) -> str:
    """Return the module and the name under which code is found again: that very function or class.

    What was made within a function, or put into another's place, is not.
    """
    module, name = code.__module__, code.__qualname__
    try:
        found = reduce(getattr, name.split("."), sys.modules[module])
    except (AttributeError, KeyError) as error:
        raise UnknownContentError(f"{module}.{name}") from error
    closure = getattr(code, "__closure__", None)
    if found is not code or closure or module.split(".")[0] not in packages:
        raise UnknownContentError(f"{module}.{name}")
    return f"{module} {name}"
