"""Pages made from the code at every build: commands and options, fields of cards, columns."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def _write(app: Any) -> None:
    made = Path(app.srcdir) / "made"
    made.mkdir(exist_ok=True)
    for name, text in (("commands", _commands()),):
        page = made / f"{name}.md"
        if not page.exists() or page.read_text(encoding="utf-8") != text:
            page.write_text(text, encoding="utf-8")


def _commands() -> str:
    import argparse

    from mirical import cli

    parser = cli._parser()
    actions = parser._actions
    commands = next(a.choices for a in actions if isinstance(a, argparse._SubParsersAction))
    parts = ["# Commands and options", "", "What `mirical COMMAND --help` prints.", ""]
    for name, one in sorted(commands.items()):
        parts += [f"## mirical {name}", "", "```text", one.format_help().rstrip(), "```", ""]
    return "\n".join(parts)


def setup(app: Any) -> dict[str, Any]:
    """Write the pages before Sphinx looks for pages."""
    app.connect("builder-inited", _write)
    return {"parallel_read_safe": True}
