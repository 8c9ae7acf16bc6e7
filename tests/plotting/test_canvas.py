"""Axes can be read, and what is drawn is the same whenever it is drawn."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from miri_facts import MIRI
from mirical.plotting.canvas import blank, log_x, png, svg
from mirical.plotting.marks import name_band


@pytest.mark.parametrize(
    ("low", "high", "labels"),
    [
        (5520.0, 5840.0, ["5600", "5800"]),
        (2600.0, 44000.0, ["3000", "10000", "30000"]),
        (30.0, 620.0, ["30", "100", "300"]),
        (0.02, 0.09, ["0.02", "0.05"]),
        (0.6, 300.0, None),
        (7.0, 7.0, None),
    ],
)
def test_a_logarithmic_axis_has_few_labels_that_do_not_touch(low, high, labels):
    figure = blank(2.5, False, width=3.2)
    axes = figure.subplots()
    values = np.geomspace(low, high, 5)
    axes.plot(values, values, "o")
    log_x(axes, values)
    figure.canvas.draw()
    start, end = axes.get_xlim()
    assert start < low and high < end
    seen = [
        label
        for label, at in zip(
            axes.get_xticklabels(which="both"), axes.xaxis.get_ticklocs(), strict=False
        )
        if label.get_text() and start <= at <= end
    ]
    assert 1 <= len(seen) <= 4
    if labels:
        assert [label.get_text() for label in seen] == labels
    boxes = [label.get_window_extent() for label in seen]
    assert not any(one.overlaps(other) for one, other in pairwise(boxes))


def test_the_same_figure_gives_the_same_vectors_without_a_date():
    def drawn() -> bytes:
        figure = blank(2.0, True)
        figure.subplots().plot([1, 2], [3, 4], clip_on=True)
        return svg(figure)

    assert drawn() == drawn()
    assert b"<dc:date>" not in drawn() and b"<text" not in drawn()


def test_a_figure_is_drawn_once_a_file_and_is_as_it_was_after():
    figure = blank(2.0, False)
    axes = figure.subplots()
    drawn = []
    axes.draw = lambda renderer: drawn.append(type(renderer).__name__)  # type: ignore[method-assign]
    before = figure.canvas, figure.get_dpi()
    png(figure)
    svg(figure)
    assert len(drawn) == 2
    assert (figure.canvas, figure.get_dpi()) == before


@pytest.mark.parametrize("top", [3e-19, 2.0, 4e7])
def test_the_name_of_a_band_stands_clear_of_a_power_of_ten(top: float):
    figure = blank(2.0, False)
    axes = figure.subplots()
    axes.plot([1, 2], [top / 2, top])
    name_band(axes, "F770W", MIRI)
    figure.canvas.draw()
    power = axes.yaxis.get_offset_text()
    name = next(one for one in axes.get_children() if getattr(one, "get_text", str)() == "F770W")
    assert bool(power.get_text()) == (top != 2.0)
    if power.get_text():
        assert not name.get_window_extent().overlaps(power.get_window_extent())
