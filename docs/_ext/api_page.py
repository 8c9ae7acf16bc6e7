"""The page of the Python interface: all that `import mirical` promises."""

from __future__ import annotations

import ast
import inspect
import sys
from importlib import import_module
from typing import Any

import mirical

_HEAD = """# The Python interface

What `import mirical` offers, and what it returns. Nothing else is promised: other modules may
change without notice. Units and shapes stand at each argument.
"""


def text() -> str:
    """Return the page."""
    names = [name for name in mirical.__all__ if not name.startswith("__")]
    offered = {name: getattr(mirical, name) for name in names}
    functions = {n: o for n, o in offered.items() if inspect.isfunction(o)}
    classes = {n: o for n, o in offered.items() if inspect.isclass(o)}
    lines = [_HEAD, "## Functions", ""]
    for name in functions:
        lines += _auto("autofunction", f"mirical.{name}")
    if classes:
        lines += ["## Classes", ""]
    for name in classes:
        lines += _auto("autoclass", f"mirical.{name}", "   :members:")
    returned = [one for one in _returned([*offered.values()]) if one not in classes.values()]
    if returned:
        lines += ["## What is returned", ""]
    for one in returned:
        lines += _auto("autoclass", f"{one.__module__}.{one.__qualname__}", "   :members:")
    return "\n".join(lines)


def _returned(offered: list[object]) -> list[type]:
    """Return the classes of ours that public functions and methods return."""
    found: dict[type, None] = {}
    for one in offered:
        methods = (
            [m for n, m in vars(one).items() if n[:1] != "_"] if inspect.isclass(one) else [one]
        )
        for one_of in methods:
            method = one_of.fget if isinstance(one_of, property) else one_of
            if not inspect.isfunction(method):
                continue
            kind = _named(method).get(str(method.__annotations__.get("return")))
            if inspect.isclass(kind) and kind.__module__.startswith("mirical."):
                found[kind] = None
    return list(found)


def _named(method: Any) -> dict[str, Any]:
    """Return what names mean in a method's annotations, imported for them alone or not."""
    module = sys.modules[method.__module__]
    tree = ast.parse(inspect.getsource(module))
    return vars(module) | {
        name.asname or name.name: getattr(import_module(node.module), name.name)
        for block in tree.body
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
        for node in block.body
        if isinstance(node, ast.ImportFrom) and node.module
        for name in node.names
    }


def _auto(directive: str, name: str, *options: str) -> list[str]:
    return ["```{eval-rst}", f".. {directive}:: {name}", *options, "```", ""]
