"""Links of the pages that lead out of `docs/`, to files of the repository, as plain names.

The pages are read in the repository too, where such a link opens the file. A site has no files but
its own.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

_OUTWARD = re.compile(r"(?<!!)\[([^\]]+)\]\((\.\./[^)\s]+)\)")


def _named(app: Any, docname: str, source: list[str]) -> None:
    page = Path(app.env.doc2path(docname))

    def named(found: re.Match[str]) -> str:
        words, target = found.groups()
        path = (page.parent / target.partition("#")[0]).resolve()
        root = Path(app.srcdir).parent
        if path.is_relative_to(app.srcdir):
            return found.group(0)
        name = path.relative_to(root).as_posix()
        return f"`{name}`" if words in (name, path.name, f"`{name}`") else f"{words} (`{name}`)"

    source[0] = _OUTWARD.sub(named, source[0])


def setup(app: Any) -> dict[str, Any]:
    """Rewrite the links of every page as it is read."""
    app.connect("source-read", _named)
    return {"parallel_read_safe": True}
