"""Cells of shell commands, shown without the line that makes them so.

A tutorial's command is a cell that begins with `%%bash`: unlike `!mirical ...`, it fails the build
if the command fails. A reader types the command alone.
"""

from __future__ import annotations

from typing import Any

from docutils import nodes

_MAGIC = "%%bash\n"


def _show(app: Any, doctree: Any) -> None:
    for block in list(doctree.findall(nodes.literal_block)):
        text = block.astext()
        if text.startswith(_MAGIC):
            shown = text.removeprefix(_MAGIC)
            block.replace_self(nodes.literal_block(shown, shown, language="bash"))


def setup(app: Any) -> dict[str, Any]:
    """Change the cells of every page as it is read."""
    app.connect("doctree-read", _show)
    return {"parallel_read_safe": True}
