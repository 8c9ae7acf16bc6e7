"""Names and titles are text: no formula in a figure, no markup on a terminal."""

from __future__ import annotations

import io
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from astropy.table import QTable
from matplotlib.figure import Figure
from rich.console import Console
from rich.text import Text

from miri_facts import MIRI
from mirical.checking.figures import excess_figure, influence_figure
from mirical.console import shared
from mirical.console.progress import FitWatch
from mirical.imaging.figures import picture
from mirical.plotting.canvas import png
from mirical.reporting.figures import star_offsets
from mirical.rivals.figures import model_figure

HOSTILE = ["$x^{$ star", "_[bold]x[/]", r"\input{x}$", "<script>", "a_b%&#:star:", "\x1b[31mred"]
SHOWN = [r"\$x^{\$ star", " _[bold]x[/]", r"\input{x}\$", "<script>", "a_b%&#:star:", "red"]


def stars() -> Figure:
    table = QTable({"name": HOSTILE, "srctype": ["ADwarfs"] * 6, "basis": ["data"] * 6})
    table["offset_pct"], table["offset_pct_std"] = np.arange(6.0), np.ones(6)
    table["n_rows"] = 1
    return star_offsets(table, MIRI, False)


def influence() -> Figure:
    table = QTable({"name": HOSTILE, "filter": ["F770W"] * 6, "basis": ["data"] * 6})
    table["shift_sigma"], table["alone"] = np.arange(6.0), False
    return influence_figure(table, False)


def excess() -> Figure:
    return excess_figure(QTable({"name": HOSTILE, "p_excess": np.linspace(0, 1, 6)}), False)


def models() -> Figure:
    table = QTable({"model": HOSTILE, "behind": np.arange(6.0), "behind_se": np.ones(6)})
    return model_figure(table, False)


@pytest.mark.parametrize("draw", [stars, influence, excess, models])
def test_names_are_drawn_as_they_stand(draw):
    figure = draw()
    assert png(figure).startswith(b"\x89PNG")
    labels = {label.get_text() for axes in figure.axes for label in axes.get_yticklabels()}
    assert set(SHOWN) <= labels


def test_a_picture_of_a_star_and_file_of_any_name_is_drawn():
    image = SimpleNamespace(
        data=np.random.default_rng(1).normal(size=(60, 60)),
        exposure=SimpleNamespace(name=HOSTILE[0], band="F770W", subarray="FULL", simulated=False),
        scale=1.0,
    )
    found = SimpleNamespace(
        position=SimpleNamespace(x=30.0, y=30.0),
        iflux=1.0,
        ifluxunc=0.1,
        flag="crowded",
        reason="$y_{$",
    )
    aperture = SimpleNamespace(r_a=4.0, r_b1=6.0, r_b2=9.0)
    drawn: Any = picture
    figure = drawn(image, aperture, found, HOSTILE[2])
    assert png(figure).startswith(b"\x89PNG")
    assert figure.axes[0].get_title(loc="left") == rf"{SHOWN[0]}, F770W, FULL"
    assert figure.get_supxlabel().startswith(f"{SHOWN[2]}: aperture")
    assert figure.get_supxlabel().endswith(r"crowded: \$y_{\$")


def test_what_is_printed_is_no_markup(monkeypatch):
    out = io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    results, _ = shared.consoles()
    results.print("[bold]x[/] [/] :star:", Text("[red]"))
    assert out.getvalue() == "[bold]x[/] [/] :star: [red]\n"


def test_a_model_of_any_name_is_watched():
    console = Console(file=io.StringIO(), force_terminal=True, width=100)
    with FitWatch(console) as watch:
        watch.begin("[/] [bold]x", 2)()
    assert "[/] [bold]x" in console.file.getvalue()
