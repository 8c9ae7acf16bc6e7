"""Figures as files for a paper: PDF, SVG or PNG, whole or not at all."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure

from mirical.calibration.provenance import run_record
from mirical.conventions import SIMULATED
from mirical.errors import InputError
from mirical.plotting.canvas import labelled, png, svg
from mirical.storage.files import whole_file

SUFFIXES = (".pdf", ".svg", ".png")
"""Kinds of file: vectors, vectors for the web, pixels."""


def require_suffix(path: Path) -> None:
    """Refuse a file whose name does not say which kind of picture it is to be.

    Raises
    ------
    InputError
        If its suffix is none of `SUFFIXES`.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(
            f"{path}: expected a name that ends in {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}."
        )


def write_figure(figure: Figure, path: Path, attrs: Mapping[str, Any]) -> None:
    """Write a figure, whole or not at all; PDF and PNG hold what it is of.

    Parameters
    ----------
    figure : Figure
        The figure.
    path : Path
        File whose suffix is one of `SUFFIXES`.
    attrs : mapping
        Provenance of its run.

    Raises
    ------
    InputError
        If it cannot be written.
    """
    require_suffix(path)
    with whole_file(path, path.suffix) as beside:
        beside.write_bytes(_bytes_of(figure, path.suffix.lower(), run_record(attrs)))


def _bytes_of(figure: Figure, suffix: str, about: Mapping[str, Any]) -> bytes:
    title = f"{SIMULATED} data" if about.get("simulated") else None
    if suffix == ".png":
        return labelled(png(figure), about)
    return svg(figure, title) if suffix == ".svg" else _pdf(figure, about, title)


def _pdf(figure: Figure, about: Mapping[str, Any], title: str | None) -> bytes:
    """Return a figure as PDF: letters that stay letters, the same bytes whenever it is drawn."""
    said = json.dumps(about, ensure_ascii=True)
    known = {"Creator": "mirical", "Producer": "mirical", "CreationDate": None}
    known |= {"Title": title, "Subject": said}
    buffer = io.BytesIO()
    with rc_context({"pdf.fonttype": 42}):
        figure.savefig(buffer, format="pdf", metadata=known)
    return buffer.getvalue()
