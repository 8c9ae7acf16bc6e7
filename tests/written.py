"""What a command has written into a folder, to be compared."""

from __future__ import annotations

import re
from pathlib import Path

_LINKS = re.compile(b"(?<=<!-- pages of the run -->).*(?=<!-- /pages of the run -->)", re.DOTALL)


def content(folder: Path) -> dict[str, bytes]:
    """Return what files hold, without the links that a page has in a run's folder alone."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): _LINKS.sub(b"", path.read_bytes()) for path in files}
