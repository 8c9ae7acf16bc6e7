"""Figures as pages carry them: vector graphics where these are small, else pixels."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass

from matplotlib.figure import Figure

from mirical.plotting.canvas import png, svg

LARGEST = 300_000
"""Bytes of vector graphics above which a page carries pixels: it must stay small enough to mail."""


@dataclass(frozen=True)
class Picture:
    """A figure, drawn.

    Attributes
    ----------
    png : bytes
        Its file beside the page.
    svg : bytes or None
        The same as vector graphics; None where these are too large for a page.
    """

    png: bytes
    svg: bytes | None = None

    @property
    def uri(self) -> str:
        """What a page names as the picture's source: the picture itself."""
        kind, content = ("png", self.png) if self.svg is None else ("svg+xml", self.svg)
        return f"data:image/{kind};base64,{b64encode(content).decode('ascii')}"


def pictures_of(figures: Mapping[str, Figure]) -> dict[str, Picture]:
    """Return figures drawn, by the same names."""
    drawn = {}
    for name, figure in figures.items():
        pixels = png(figure)
        figure.set_layout_engine("none")  # what was found for the pixels holds for the vectors too
        vectors = svg(figure)
        drawn[name] = Picture(pixels, vectors if len(vectors) <= LARGEST else None)
    return drawn
