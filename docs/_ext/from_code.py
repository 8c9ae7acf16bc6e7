"""Pages made from the code at every build, into `docs/made/`: they cannot say what is no more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import api_page
import card_pages
import column_page
import command_page
import list_pages
import shared_run


def _write(app: Any) -> None:
    made = Path(app.srcdir) / "made"
    made.mkdir(exist_ok=True)
    pages = {
        "commands": command_page.text(),
        "cards": card_pages.model_cards(),
        "instruments": card_pages.instruments(),
        "jobs": card_pages.jobs(),
        "columns": column_page.text(Path(app.srcdir).parent, shared_run.folder(app)),
        "lists": list_pages.text(),
        "api": api_page.text(),
    }
    for name, text in pages.items():
        page = made / f"{name}.md"
        if not page.exists() or page.read_text(encoding="utf-8") != text:
            page.write_text(text, encoding="utf-8")


def setup(app: Any) -> dict[str, Any]:
    """Write the pages before Sphinx looks for pages."""
    app.connect("builder-inited", _write, priority=200)  # the run comes first
    return {"parallel_read_safe": True}
