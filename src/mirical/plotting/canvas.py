"""Canvas of the figures: style, colours, grids of panels, bytes of PNG and SVG."""

from __future__ import annotations

import io
import json
import struct
import warnings
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import (
    FixedLocator,
    FuncFormatter,
    LogLocator,
    MaxNLocator,
    NullLocator,
)

from mirical.conventions import SIMULATED

STYLE: dict[str, Any] = {
    "font.family": ["STIXGeneral", "DejaVu Sans"],
    "mathtext.fontset": "stix",
    "font.size": 12,
    "axes.titlesize": 13,
    "axes.labelsize": 12,
    "axes.linewidth": 0.8,
    "axes.axisbelow": True,
    "axes.formatter.useoffset": False,
    "xtick.direction": "in",
    "ytick.direction": "in",
    "xtick.top": True,
    "ytick.right": True,
    "xtick.labelsize": 11,
    "ytick.labelsize": 11,
    "legend.frameon": False,
    "legend.fontsize": 11,
    "lines.linewidth": 1.4,
    "figure.constrained_layout.use": True,
    "figure.labelsize": 13,
}
"""Every figure is drawn within these settings."""

WIDTH = 9.6
"""Width of a figure in inches: two columns of a journal, drawn a third larger than printed."""

# Okabe and Ito's palette, told apart with any kind of colour vision.
OURS, PUBLISHED, WARNING = "#0072B2", "#D55E00", "#B00020"
INK, GREY, SHADE = "#222222", "#777777", "#EFEFEF"

_DPI = 160
_SIGNATURE_AND_HEADER = 33  # bytes of a PNG file before which no text may stand
_COLUMNS = 3
_FEW_DECADES = 2.0


def panels(n_panels: int, height: float, simulated: bool) -> tuple[Figure, list[Axes]]:
    """Return a figure with that many panels in three columns at most, each `height` inches tall."""
    n_columns = min(n_panels, _COLUMNS)
    n_rows = -(-n_panels // n_columns)
    figure = blank(height * n_rows + 0.9, simulated)
    grid = figure.subplots(n_rows, n_columns, squeeze=False).ravel()
    for spare in grid[n_panels:]:
        spare.remove()
    return figure, list(grid[:n_panels])


def blank(height: float, simulated: bool, width: float = WIDTH) -> Figure:
    """Return an empty figure, which says so if its data are simulated."""
    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    if simulated:
        figure.suptitle("simulated data", color=WARNING, weight="bold", fontsize=15)
    return figure


def label_below(grid: Sequence[Axes], label: str) -> None:
    """Label the x axis of the lowest panel of each column."""
    # A label of the whole figure would be drawn over by the legend below it.
    for axes in grid[-_COLUMNS:]:
        axes.set_xlabel(label)


def legend_below(figure: Figure, handles: Sequence[Artist], columns: int) -> None:
    """Put one legend for all panels below them."""
    figure.legend(
        handles=list(handles),
        loc="outside lower center",
        ncols=columns,
        columnspacing=1.6,
        handlelength=1.8,
    )


def limits(values: Any, margin: float = 0.08) -> tuple[float, float]:
    """Return axis limits around the finite ones of some values."""
    finite = np.asarray(values, dtype=float)
    finite = finite[np.isfinite(finite)]
    low, high = float(finite.min()), float(finite.max())
    room = margin * (high - low) or 0.01 * abs(high) or 1.0
    return low - room, high + room


def log_x(axes: Axes, values: Any) -> None:
    """Let the x axis be logarithmic about some values, with few labels that can be read.

    Where the values span less than `_FEW_DECADES`, labels are plain numbers: powers of ten, if
    these are too few 3 or 2 and 5 times them as well, and else round numbers.
    """
    axes.set_xscale("log")
    finite = np.asarray(values, dtype=float)
    low, high = float(np.min(finite)), float(np.max(finite))
    room = max((high / low) ** 0.05, 1.02)
    low, high = low / room, high * room
    axes.set_xlim(low, high)
    if high / low >= 10**_FEW_DECADES:
        axes.xaxis.set_major_locator(LogLocator(numticks=4))
        return
    powers = 10.0 ** np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1)
    for steps in ((1.0,), (1.0, 3.0), (1.0, 2.0, 5.0)):
        ticks = np.sort(np.outer(powers, steps).ravel())
        ticks = ticks[(ticks >= low) & (ticks <= high)]
        if len(ticks) > 1:
            break
    else:
        ticks = MaxNLocator(2, steps=[1, 2, 5, 10]).tick_values(low, high)
    axes.xaxis.set_major_locator(FixedLocator([one for one in ticks if low <= one <= high]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_locator(NullLocator())


def png(figure: Figure) -> bytes:
    """Return the figure as PNG: the same bytes whenever and wherever the same is drawn."""
    with _kept(figure):
        figure.set_dpi(_DPI)
        return _printed(FigureCanvasAgg(figure).print_png, {"Software": None})


def svg(figure: Figure, title: str | None = None) -> bytes:
    """Return the figure as SVG, its letters as outlines: the same bytes whenever it is drawn."""
    unnamed: dict[str, str | None] = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    unnamed |= {} if title is None else {"Title": title}
    with _kept(figure), rc_context({"svg.hashsalt": "mirical", "svg.fonttype": "path"}):
        return _printed(FigureCanvasSVG(figure).print_svg, unnamed)


@contextmanager
def _kept(figure: Figure) -> Iterator[None]:
    """Give a figure its canvas and resolution back in the end."""
    canvas, dpi = figure.canvas, figure.get_dpi()
    try:
        yield
    finally:
        figure.set_canvas(canvas)
        figure.set_dpi(dpi)


def _printed(draw: Callable[..., Any], metadata: Mapping[str, str | None]) -> bytes:
    """Return what a canvas prints: of itself, for `Figure.savefig` draws it twice to lay it out."""
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # A star may be named in letters no shipped font has; the tables still spell it.
        warnings.filterwarnings("ignore", "Glyph .* missing", UserWarning)
        draw(buffer, metadata=metadata)
    return buffer.getvalue()


def labelled(picture: bytes, about: Mapping[str, Any]) -> bytes:
    """Return a PNG file with a record as its text (iTXt chunks, a key each)."""
    texts = {"Title": f"{SIMULATED} data"} if about.get("simulated") else {}
    texts |= {key: json.dumps(value, ensure_ascii=False) for key, value in about.items()}
    chunks = b"".join(_text_chunk(key, text) for key, text in texts.items())
    return picture[:_SIGNATURE_AND_HEADER] + chunks + picture[_SIGNATURE_AND_HEADER:]


def _text_chunk(key: str, text: str) -> bytes:
    body = b"iTXt" + key.encode("latin-1", "replace")[:79] + b"\0\0\0\0\0" + text.encode("utf-8")
    return struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
