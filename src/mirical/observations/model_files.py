"""Data models of the JWST pipeline written as FITS files, whatever the file is called."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mirical.text import ascii_text


def save_model(model: Any, path: Path) -> None:
    """Write a data model with checksums.

    The model writes its file's name into the header, which holds ASCII alone: a name with other
    letters stands there as `mirical.text.ascii_text` has it.

    Parameters
    ----------
    model : JwstDataModel
        What to write.
    path : Path
        FITS file in an existing folder; replaced if it exists.
    """
    stored = path.with_name(ascii_text(path.name))
    model.save(str(stored), checksum=True)
    stored.replace(path)
