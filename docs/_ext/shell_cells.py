"""Cells of shell commands, shown as typed, and their output without progress.

A tutorial's command is a cell that begins with `%%bash`: unlike `!mirical ...`, it fails the build
if the command fails. A reader types the command alone. Of what it writes to standard error, notes
and mistakes are shown; how long each step took is of the machine that built the page.
"""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes

_MAGIC = "%%bash\n"
_SAID = re.compile(r"^(?:note|mirical): .*$", re.MULTILINE)


def _show(app: Any, doctree: Any) -> None:
    for block in list(doctree.findall(nodes.literal_block)):
        text = block.astext()
        if text.startswith(_MAGIC):
            shown = text.removeprefix(_MAGIC)
            block.replace_self(nodes.literal_block(shown, shown, language="bash"))
        elif "stderr" in block["classes"]:
            _replace(block, "\n".join(_SAID.findall(text)))


def _replace(block: nodes.literal_block, text: str) -> None:
    if text:
        like = {name: block[name] for name in ("classes", "language") if name in block}
        block.replace_self(nodes.literal_block(text, text, **like))
    else:
        block.parent.remove(block)


def setup(app: Any) -> dict[str, Any]:
    """Change the cells of every page as it is read."""
    app.connect("doctree-read", _show)
    return {"parallel_read_safe": True}
