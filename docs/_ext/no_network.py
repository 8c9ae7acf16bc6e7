"""Refuse a site whose pages would load anything from the network."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

_LOADED = re.compile(
    r"<(?:script|img|iframe|source|audio|video|embed)\b[^>]*\bsrc=[\"'](?:https?:)?//[^\"']*"
    r"|<link\b(?![^>]*rel=[\"'](?:canonical|license))[^>]*\bhref=[\"'](?:https?:)?//[^\"']*"
    r"|@import\s+(?:url\()?[\"']?(?:https?:)?//\S*|url\([\"']?(?:https?:)?//[^)]*"
)


def loaded(text: str) -> list[str]:
    """Return what a page or a style sheet loads from elsewhere."""
    return _LOADED.findall(text)


def _refuse(app: Any, error: Exception | None) -> None:
    if error is not None or app.builder.format != "html":
        return
    for kind in ("*.html", "*.css"):
        for page in sorted(Path(app.outdir).rglob(kind)):
            found = loaded(page.read_text(encoding="utf-8"))
            if found:
                raise RuntimeError(f"{page} loads from the network: {found[0]}")


def setup(app: Any) -> dict[str, Any]:
    """Look at all pages once they are written."""
    app.connect("build-finished", _refuse)
    return {"parallel_read_safe": True}
