"""Marks of the figures: points of stars, numbers with errors, curves, legends."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import cycle

import numpy as np
from astropy.table import QTable
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.patheffects import withStroke

from mirical.instruments.instrument import Instrument
from mirical.number_text import DATA, MINUS, floats, value, words
from mirical.plotting.canvas import GREY, INK, OURS, PUBLISHED, SHADE
from mirical.text import drawn_text

_LONGEST_NAME = 26  # characters
_LABELLED = 3  # rows beyond a panel that are given their value: the farthest
_PLAIN = 1e-4, 1e5  # numbers that no axis writes with a power of ten
_CHARACTER, _GAP = 0.03, 0.05  # width of a character of such a label, and of what is before it

OUTLIER = 0.5
"""Outlier probability above which a row is ringed and listed."""


@dataclass(frozen=True)
class Mark:
    """How the stars of a type are drawn."""

    label: str
    marker: str
    colour: str


_MARKERS = ("o", "#CC79A7"), ("s", "#009E73"), ("^", "#E69F00"), ("D", "#56B4E9"), ("v", "#D55E00")


def marks(instrument: Instrument) -> dict[str, Mark]:
    """Return how the stars of each type are drawn, by type."""
    looks = zip(instrument.star_types, cycle(_MARKERS), strict=False)
    return {one.name: Mark(one.label or one.name, *look) for one, look in looks}


def draw_curve(axes: Axes, curve: QTable) -> None:
    """Draw our C(t) with its bands, the published one, and shade the epochs without rows."""
    mjd = floats(curve["mjd"])
    inside = mjd[np.asarray(curve["within_data"], dtype=bool)]
    for low, high in ((mjd.min(), inside.min()), (inside.max(), mjd.max())):
        axes.axvspan(low, high, color=SHADE, lw=0, zorder=0)
    c = {name: floats(curve[name]) for name in curve.colnames if name.startswith("c_")}
    axes.fill_between(mjd, c["c_q025"], c["c_q975"], color=OURS, alpha=0.18, lw=0)
    axes.fill_between(mjd, c["c_q16"], c["c_q84"], color=OURS, alpha=0.3, lw=0)
    axes.plot(mjd, c["c_q50"], color=OURS)
    if "published" in curve.colnames:
        printed, error = (floats(curve[name]) for name in ("published", "published_std"))
        axes.fill_between(mjd, printed - error, printed + error, color=PUBLISHED, alpha=0.35, lw=0)
        axes.plot(mjd, printed, color=PUBLISHED, ls="--")


def name_band(axes: Axes, band: str, instrument: Instrument) -> None:
    """Put a band's name and pivot wavelength above its panel, whose limits are set."""
    # Without a power of ten above the axis, which the name would stand on, nobody need look for a
    # place: Matplotlib lays out every tick label of a panel twice to find one.
    plain = _PLAIN[0] <= np.max(np.abs(axes.get_ylim())) < _PLAIN[1]
    high = 1.0 if plain else None
    axes.set_title(band, loc="left", weight="bold", fontsize=12, pad=4, y=high)
    pivot = instrument.bands[band].pivot
    axes.set_title(rf"{pivot:.3f} $\mu$m", loc="right", fontsize=10, color=GREY, pad=4, y=high)


def drawn_names(names: Iterable[object]) -> list[str]:
    """Return names of stars as an axis can carry them: not long, and never a formula."""
    return [drawn_text(str(name), _LONGEST_NAME) for name in names]


def draw_rows(
    axes: Axes,
    at: tuple[np.ndarray, np.ndarray],
    errors: np.ndarray | None,
    rows: QTable,
    instrument: Instrument,
) -> None:
    """Draw rows by star type, ring the deviant ones, and say where those beyond the panel are.

    Each of the latter has an arrow; the farthest have their values, as far as there is room.
    """
    x, y = at
    low, high = axes.get_ylim()
    inset = 0.09 * (high - low)
    shown = np.clip(y, low + inset, high - inset)
    beyond = (y < low) | (y > high)
    shown = np.where(beyond, shown, y)
    for kind, mark in marks(instrument).items():
        mine = np.asarray(rows["srctype"]) == kind
        look = {"ls": "", "marker": mark.marker, "color": mark.colour, "mec": INK, "mew": 0.5}
        look |= {"clip_on": False, "in_layout": False}  # a point on an edge is drawn whole
        axes.plot(x[mine], shown[mine], ms=5.5, zorder=4, **look)
        if errors is not None:
            seen = mine & ~beyond
            axes.errorbar(
                x[seen], y[seen], errors[seen], ls="", ecolor=mark.colour, elinewidth=1.1, zorder=3
            )
    deviant = floats(rows["outlier_probability"]) > OUTLIER
    ring = {"ls": "", "marker": "o", "ms": 12, "mfc": "none", "mec": INK, "mew": 1.1}
    axes.plot(x[deviant], shown[deviant], zorder=5, clip_on=False, in_layout=False, **ring)
    far = np.where(y > high, y - high, low - y)
    order = [int(i) for i in np.argsort(-far, kind="stable") if beyond[i]]
    _point_beyond(axes, (x, y), shown, order)


def _point_beyond(
    axes: Axes, at: tuple[np.ndarray, np.ndarray], shown: np.ndarray, order: Sequence[int]
) -> None:
    """Put an arrow at each row beyond the panel, and the values of the first where they fit."""
    x, y = at
    start, end = axes.get_xlim()
    place = (x - start) / (end - start)
    taken: list[tuple[str, float, float]] = []
    for rank, i in enumerate(order):
        up = y[i] > shown[i]
        arrow, inward = ("↑", -1) if up else ("↓", 1)
        value_there = f"{y[i]:.3g}" if abs(y[i]) < 1000 else f"{y[i]:.0f}"
        label = f"{arrow} {value_there}".replace("-", MINUS)
        right = 1 if place[i] < 0.5 else -1
        first, last = sorted((place[i], place[i] + right * (_GAP + _CHARACTER * len(label))))
        free = all(edge != arrow or last < low or high < first for edge, low, high in taken)
        if rank < _LABELLED and free:
            taken.append((arrow, first, last))
            side = "left" if right > 0 else "right"
            among = [j for j in order if j != i and (y[j] > shown[j]) == up]
            covers = any(first < place[j] < last for j in among)
            aside = (0, 14 * inward) if covers else (9 * right, 0)
        else:
            label, side, aside = arrow, "center", (0, -11 * inward)
        axes.annotate(
            label, (x[i], shown[i]), aside,
            textcoords="offset points", ha=side, va="center", fontsize=10, color=INK, zorder=6,
            path_effects=[withStroke(linewidth=2.5, foreground="white")],
        )  # fmt: skip


def draw_point(
    axes: Axes, at: tuple[float, float], error: tuple[str, float], colour: str, marker: str,
    basis: str,
) -> None:  # fmt: skip
    """Draw one number with its error; hollow unless data decided it."""
    length = value(error[1])
    axes.errorbar(
        [value(at[0])],
        [value(at[1])],
        xerr=length if error[0] == "x" else None,
        yerr=length if error[0] == "y" else None,
        marker=marker,
        color=colour,
        mfc=colour if basis == DATA else "white",
        ms=7,
        mew=1.4,
        elinewidth=1.5,
    )


def type_handles(types: Sequence[str], instrument: Instrument) -> list[Line2D]:
    """Return one legend handle per star type that occurs, in the order of `marks`."""
    return [
        Line2D(
            [], [], color=m.colour, marker=m.marker, ls="", mec=INK, mew=0.5, ms=6, label=m.label
        )
        for kind, m in marks(instrument).items()
        if kind in types
    ]


def hollow_handle(basis: Iterable[object]) -> list[Line2D]:
    """Return the legend's handle of hollow points, if there are any."""
    if all(str(word) == DATA for word in basis):
        return []
    return [
        Line2D(
            [], [], color=GREY, marker="o", mfc="white", ls="", mew=1.4, ms=7,
            label="hollow: not decided by data",
        )
    ]  # fmt: skip


def curve_handles(published: bool) -> list[Line2D | Patch]:
    """Return the legend's handles of what `draw_curve` draws."""
    theirs = Line2D([], [], color=PUBLISHED, ls="--", label=r"published, $\pm 1\sigma$")
    return [
        Line2D([], [], color=OURS, label="this run, median"),
        Patch(color=OURS, alpha=0.43, lw=0, label="68 % (dark), 95 % (light)"),
        *([theirs] if published else []),
        Patch(color=SHADE, lw=0, label="no rows at these epochs"),
    ]


def row_handles(predictive: QTable, instrument: Instrument) -> list[Line2D]:
    """Return the legend's handles of what `draw_rows` draws."""
    handles = type_handles(words(predictive["srctype"]), instrument)
    if np.any(floats(predictive["outlier_probability"]) > OUTLIER):
        ring = Line2D([], [], ls="", marker="o", ms=11, mfc="none", mec=INK, mew=1.1)
        ring.set_label("probably an outlier")
        handles.append(ring)
    return handles


def rows_and_basis(n_rows: int, basis: object) -> str:
    """Return what stands beside a point: its rows, and what it rests on unless that is data."""
    counted = f"{n_rows} row{'' if n_rows == 1 else 's'}"
    return counted if str(basis) == DATA else f"{counted}, {basis}"
