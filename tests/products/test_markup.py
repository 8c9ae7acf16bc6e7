"""Names and titles are text: no formula in a figure, no markup on a terminal."""

from __future__ import annotations

import io

import numpy as np
import pytest
from astropy.table import QTable
from matplotlib.figure import Figure
from rich.console import Console
from rich.text import Text

from mirical.commands import ending
from mirical.inference.watching import FitWatch
from mirical.products.canvas import png
from mirical.products.check_figures import excess_figure, influence_figure
from mirical.products.figures import star_offsets
from mirical.products.rivals_figures import model_figure

HOSTILE = ["$x^{$ star", "_[bold]x[/]", r"\input{x}$", "<script>", "a_b%&#:star:", "\x1b[31mred"]
SHOWN = [r"\$x^{\$ star", " _[bold]x[/]", r"\input{x}\$", "<script>", "a_b%&#:star:", "red"]


def stars() -> Figure:
    table = QTable({"name": HOSTILE, "srctype": ["ADwarfs"] * 6, "basis": ["data"] * 6})
    table["offset_pct"], table["offset_pct_std"] = np.arange(6.0), np.ones(6)
    table["n_rows"] = 1
    return star_offsets(table, False)


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


def test_what_is_printed_is_no_markup(monkeypatch):
    out = io.StringIO()
    monkeypatch.setattr(ending.sys, "stdout", out)
    results, _ = ending.consoles()
    results.print("[bold]x[/] [/] :star:", Text("[red]"))
    assert out.getvalue() == "[bold]x[/] [/] :star: [red]\n"


def test_a_model_of_any_name_is_watched():
    console = Console(file=io.StringIO(), force_terminal=True, width=100)
    with FitWatch(console) as watch:
        watch.begin("[/] [bold]x", 2)()
    assert "[/] [bold]x" in console.file.getvalue()
