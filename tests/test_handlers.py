"""No handler of all exceptions hides a programming error: each in the package is listed here."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import mirical

PACKAGE = Path(mirical.__file__).parent
_EVERYTHING = {"Exception", "BaseException"}

ALLOWED: dict[str, str] = {
    "chains/checkpoint.py _opened": "raises again, once the file is closed",
    "compiled/files.py write": "raises again, once nothing half-written is left",
    "compiled/functions.py _made": "what cannot be stored has been compiled, and is used",
    "compiled/functions.py _to_store": "what cannot be stored is compiled as ever",
    "compiled/functions.py _loaded": "code that cannot be loaded is compiled anew",
    "compiled/functions.py _key": "what cannot be told for certain is compiled as ever",
    "compiled/functions.py _found": "a damaged file is compiled anew",
    "many/parcels.py of": "hands what was raised to everyone who waits for the same thing",
    "table_files/fits_tables.py holds_image": "who reads the damaged file next says what is wrong",
    "imaging/image_files.py reading": "raises again what was raised in a module of mirical",
}
"""Handlers of everything, by file and function, and why they hide nothing."""


def handlers(source: str) -> Iterator[str]:
    """Give the function of every handler of all exceptions, once a handler."""
    for function in ast.walk(ast.parse(source)):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        for node in ast.walk(function):
            if isinstance(node, ast.ExceptHandler) and _catches_everything(node.type):
                yield function.name
            elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("suppress"):
                if any(_catches_everything(argument) for argument in node.args):
                    yield function.name


def _catches_everything(caught: ast.expr | None) -> bool:
    if caught is None:
        return True
    return bool(_EVERYTHING & {n.id for n in ast.walk(caught) if isinstance(n, ast.Name)})


def test_no_handler_takes_every_exception_but_those_that_raise_our_own_again():
    found = {
        f"{path.relative_to(PACKAGE).as_posix()} {function}"
        for path in PACKAGE.rglob("*.py")
        for function in handlers(path.read_text(encoding="utf-8"))
    }
    assert found == set(ALLOWED)


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("try: x\n  except: y", ["f"]),
        ("try: x\n  except Exception as e: y", ["f"]),
        ("try: x\n  except (OSError, BaseException): y", ["f"]),
        ("with suppress(Exception): x", ["f"]),
        ("try: x\n  except (OSError, ValueError): y", []),
        ("with suppress(OSError): x", []),
    ],
)
def test_a_handler_of_everything_is_found(body: str, found: list[str]):
    assert list(handlers(f"def f():\n  {body}")) == found
