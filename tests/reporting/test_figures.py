"""Figures show what the tables hold: tested by what their artists carry."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from astropy.table import QTable
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.patches import Rectangle

from made_runs import make_run
from miri_facts import BANDS, MIRI
from mirical.plotting.canvas import OURS, PUBLISHED, panels, png
from mirical.plotting.marks import draw_rows, marks
from mirical.reporting import figures
from mirical.reporting.curves import factor_differences, tail_histogram
from mirical.reporting.page import draw
from mirical.stars import STARS

FIGURES = ("differences", "curves", "stars", "subarrays", "predictive", "tails")
AWKWARD = {"<script>alert(1)</script>" * 3: "ADwarfs", "$\\frac{$ star": "HotStars"}


def lines(axes: Axes, marker: str, colour: str | None = None) -> list:
    return [
        line
        for line in axes.get_lines()
        if line.get_marker() == marker and (colour is None or line.get_color() == colour)
    ]


def panel(figure, band: str) -> Axes:
    return next(axes for axes in figure.axes if axes.get_title(loc="left") == band)


@pytest.fixture(scope="module")
def everything():
    """The tables of fourteen bands and thirty-one stars, two of them with awkward names."""
    stars = {star.name: star.srctype for star in STARS.values()} | AWKWARD
    return make_run(tuple(BANDS), stars).tables


@pytest.fixture(scope="module")
def large(everything):
    """Its figures."""
    return draw(everything, MIRI, True)


@pytest.fixture(scope="module", params=[True, False], ids=["simulated", "measured"])
def stamped(request, run):
    """The figures of simulated and of measured rows, and the words they must carry."""
    return draw(run.tables, MIRI, request.param), "simulated data" if request.param else ""


def test_differences_are_drawn_where_the_table_has_them(run):
    table = factor_differences(run.tables["comparison"])
    table["basis"] = ["data", "data", "prior"]
    (axes,) = figures.factor_differences(table, False).axes
    points = lines(axes, "o", OURS)
    drawn = [point.get_ydata()[0] for point in points]
    np.testing.assert_allclose(drawn, table["diff_pct"].value)
    assert [point.get_markerfacecolor() for point in points] == [OURS, OURS, "white"]
    heights = [bar.get_height() for bar in axes.patches]
    np.testing.assert_allclose(heights, 2 * table["published_std_pct"].value)


def test_each_band_has_its_curves(run):
    curves = run.tables["curves"]
    figure = figures.factor_curves(curves, run.tables["predictive"], MIRI, False)
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["F560W", "F770W", "F1800W"]
    for axes in figure.axes:
        curve = curves[curves["filter"] == axes.get_title(loc="left")]
        (ours,) = [line for line in lines(axes, "None") if line.get_color() == OURS]
        np.testing.assert_array_equal(ours.get_ydata(), curve["c_q50"].value)
        np.testing.assert_array_equal(ours.get_xdata(), curve["mjd"].value)
        (theirs,) = [line for line in lines(axes, "None") if line.get_color() == PUBLISHED]
        np.testing.assert_array_equal(theirs.get_ydata(), curve["published"].value)
    assert figure.get_supylabel() == r"$C$ [(MJy sr$^{-1}$)/(DN s$^{-1}$ pixel$^{-1}$)]"


def test_epochs_without_rows_are_grey(run):
    figure = figures.factor_curves(run.tables["curves"], run.tables["predictive"], MIRI, False)
    assert panel(figure, "F770W").get_xlim() == (59720, 60000)

    def ends(band):
        return [
            (patch.get_x(), patch.get_width())
            for patch in panel(figure, band).patches
            if isinstance(patch, Rectangle)
        ]

    assert ends("F770W") == [(59720, 10), (59790, 210)]
    assert ends("F1800W") == [(59720, 10), (59730, 270)]


def test_rows_stand_at_their_factor_in_full_in_the_mark_of_their_type(run):
    predictive = run.tables["predictive"]
    figure = figures.factor_curves(run.tables["curves"], predictive, MIRI, False)
    rows = predictive[predictive["filter"] == "F770W"]
    for kind, mark in marks(MIRI).items():
        mine = rows[rows["srctype"] == kind]
        (line,) = lines(panel(figure, "F770W"), mark.marker, mark.colour)
        np.testing.assert_array_equal(line.get_ydata(), mine["factor_aligned"].value)
        np.testing.assert_array_equal(line.get_xdata(), mine["mjd"].value)


def test_rows_of_an_earlier_version_are_drawn_as_they_are(run):
    predictive = QTable(run.tables["predictive"], copy=True)
    predictive.remove_columns(["factor_aligned", "factor_curve"])
    figure = figures.factor_curves(run.tables["curves"], predictive, MIRI, False)
    drawn = [y for mark in marks(MIRI).values()
             for line in lines(panel(figure, "F770W"), mark.marker, mark.colour)
             for y in line.get_ydata()]  # fmt: skip
    mine = predictive[predictive["filter"] == "F770W"]
    np.testing.assert_array_equal(sorted(drawn), sorted(mine["factor_full"].value))


@pytest.mark.parametrize("name", ["curves", "predictive"])
def test_a_deviant_row_is_ringed_and_named_where_it_is_beyond_the_panel(run, name):
    figure = draw(run.tables, MIRI, False)[name]
    ringed = {
        axes.get_title(loc="left"): sum(
            len(line.get_xdata()) for line in axes.get_lines() if line.get_markersize() == 12
        )
        for axes in figure.axes
    }
    assert ringed == {"F560W": 1, "F770W": 0, "F1800W": 0}
    axes = panel(figure, "F560W")
    expected = {"curves": "↑ 0.636", "predictive": "↑ 40"}[name]
    assert [text.get_text() for text in axes.texts] == [expected]
    low, high = axes.get_ylim()
    (ring,) = [line for line in axes.get_lines() if line.get_markersize() == 12]
    assert low < ring.get_ydata()[0] < high


@pytest.mark.parametrize("name", ["curves", "predictive"])
def test_a_row_whose_error_dwarfs_the_others_does_not_stretch_its_panel(run, name):
    tables = dict(run.tables)
    before = panel(draw(tables, MIRI, False)[name], "F770W").get_ylim()
    tables["predictive"] = rows = QTable(tables["predictive"], copy=True)
    at = int(np.flatnonzero(rows["filter"] == "F770W")[0])
    rows["factor_aligned"][at] *= 2614.0
    rows["factor_full_std"][at] = rows["factor_aligned"][at]
    for column in ("observed", "q025", "q975"):
        rows[column][at] *= 1000
    axes = panel(draw(tables, MIRI, False)[name], "F770W")
    low, high = axes.get_ylim()
    assert before[0] <= low < high <= before[1]
    (said,) = [text.get_text() for text in axes.texts]
    there = rows["factor_aligned" if name == "curves" else "observed"][at].value
    assert said == f"{'↑' if there > high else '↓'} {there:.3g}".replace("-", "−")


def test_of_many_rows_beyond_a_panel_the_farthest_have_values_the_others_arrows():
    axes = panels(1, 2.0, False)[1][0]
    axes.set_xlim(0, 10)
    axes.set_ylim(-1, 1)
    rows = QTable({"srctype": ["HotStars"] * 6, "outlier_probability": np.ones(6)})
    y = np.array([-2.0, -5.0, -60.0, -2.5, 4.0, 1500.0])
    draw_rows(axes, (np.array([1.0, 2.0, 2.1, 9.0, 1.0, 9.0]), y), None, rows, MIRI)
    # -5 is the third farthest, but its value would be written over that of -60.
    said = sorted(text.get_text() for text in axes.texts)
    assert said == sorted(["↑ 1500", "↓ −60", "↓", "↓", "↓", "↑"])


def test_predicted_intervals_are_those_of_the_table(run):
    predictive = run.tables["predictive"]
    figure = figures.predictive_rows(predictive, MIRI, False)
    rows = predictive[predictive["filter"] == "F770W"]
    axes = panel(figure, "F770W")
    wide, narrow = [c for c in axes.collections if isinstance(c, LineCollection)]
    for collection, low, high in ((wide, "q025", "q975"), (narrow, "q16", "q84")):
        ends = [segment[:, 1] for segment in collection.get_segments()]
        np.testing.assert_array_equal(ends, np.transpose([rows[low].value, rows[high].value]))
    order = np.argsort(rows["mjd"].value, kind="stable")
    assert [label.get_text() for label in axes.get_xticklabels()] == [
        str(row) for row in rows["row"][order]
    ]


def test_stars_stand_in_order_with_their_basis_beside_them(run):
    figure = figures.star_offsets(run.tables["stars"], MIRI, False)
    axes = figure.axes[0]
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names == ["G 191-B2B", "BD+60 1753", "16 Cyg B"]
    (beside,) = axes.child_axes
    words = [label.get_text() for label in beside.get_yticklabels()]
    assert words == ["2 rows, partly prior", "3 rows, prior", "1 row"]
    faces = {line.get_marker(): line.get_markerfacecolor() for line in axes.get_lines()}
    assert faces["^"] == marks(MIRI)["SolarAnalogs"].colour  # 16 Cyg B is decided by data
    assert faces["o"] == faces["s"] == "white"
    assert lines(axes, "^")[0].get_xdata()[0] == pytest.approx(-2.0)


def test_the_histogram_shows_the_counts(run):
    histogram = tail_histogram(run.tables["predictive"])
    (axes,) = figures.tail_shares(histogram, False).axes
    shown = next(patch for patch in axes.patches if hasattr(patch, "get_data"))
    np.testing.assert_array_equal(shown.get_data().values, histogram["n_rows"])


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_of_simulated_data_says_so(stamped, name):
    figures_of, expected = stamped
    assert figures_of[name].get_suptitle() == expected


@pytest.mark.parametrize("name", FIGURES)
def test_no_labels_overlap_in_a_large_program(large, name):
    figure = large[name]
    figure.canvas.draw()
    everywhere = [*figure.axes, *(child for axes in figure.axes for child in axes.child_axes)]
    labels = [axis.get_ticklabels() for a in everywhere for axis in (a.xaxis, a.yaxis)]
    for boxes in ([t.get_window_extent() for t in side if t.get_text()] for side in labels):
        assert not any(one.overlaps(other) for one, other in pairwise(boxes))
    on_the_left = [label for axes in figure.axes for label in axes.get_yticklabels()]
    shown = [text.get_window_extent() for text in on_the_left if text.get_text()]
    assert all(figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1 for box in shown)


def test_a_long_name_is_shortened_and_a_formula_stays_a_name(everything):
    axes = figures.star_offsets(everything["stars"], MIRI, False).axes[0]
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert len(names) == len(STARS) + len(AWKWARD)
    assert "\\$\\frac{\\$ star" in names  # drawn as it stands
    assert "<script>alert(1)</script>…" in names


def test_a_name_in_letters_no_font_has_is_drawn_without_a_warning():
    stars = make_run(stars={"참조별": "ADwarfs", "星": "HotStars"}).tables["stars"]
    assert png(figures.star_offsets(stars, MIRI, False)).startswith(b"\x89PNG")


def test_one_row_is_enough():
    tables = make_run(bands=("F770W",), stars={"16 Cyg B": "SolarAnalogs", "x": "ADwarfs"}).tables
    for figure in draw(tables, MIRI, False).values():
        assert png(figure).startswith(b"\x89PNG")


def test_the_same_table_gives_the_same_bytes(run):
    once, again = (png(figures.star_offsets(run.tables["stars"], MIRI, False)) for _ in range(2))
    assert once == again
    assert b"Software" not in once
    assert b"date" not in once


def test_masked_numbers_leave_a_gap(run):
    table = QTable(factor_differences(run.tables["comparison"]))
    table["diff_pct"][1] = np.nan
    (axes,) = figures.factor_differences(table, False).axes
    drawn = [point.get_ydata()[0] for point in lines(axes, "o", OURS)]
    assert np.isnan(drawn[1])
    assert np.isfinite(drawn[0])
