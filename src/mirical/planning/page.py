"""Page, figure and folder of a plan."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

from mirical.number_text import Sheet, count, floats, measured, number, text, words
from mirical.pages.page import page_of
from mirical.pages.page_folder import write_page
from mirical.pages.pictures import Picture, pictures_of
from mirical.planning.plan import Plan
from mirical.plotting.canvas import GREY, OURS, STYLE, blank
from mirical.text import drawn_text

LISTED = 20
"""Candidates on the page; all are in the table."""

_DRAWN = 12
_LONGEST = 34  # characters of a candidate's name in the figure


def write_plan(made: Plan, folder: Path) -> None:
    """Write ``plan.html``, its tables and ``figures/plan.png``, all or nothing.

    Raises
    ------
    InputError
        If the folder cannot be written.
    """
    pictures = pictures_of({"plan": plan_figure(made)})
    write_page(made, "plan.html", render(made, pictures), pictures, folder)


def render(made: Plan, pictures: dict[str, Picture]) -> str:
    """Return the page; every text from a table is escaped."""
    content = {
        "name": made.name,
        "attrs": made.attrs,
        "goal": made.goal,
        "sentences": made.sentences,
        "chosen": set_sheet(made),
        "ranked": ranked_sheet(made),
        "listed": min(LISTED, len(made.tables["plan"])),
        "candidates": len(made.tables["plan"]),
        "draws": made.tables["plan"].meta["draws"],
        "pictures": pictures,
    }
    return page_of("plan.html", content)


def set_sheet(made: Plan) -> Sheet:
    """Return the chosen set in the order in which it was chosen."""
    lines = tuple(
        (
            count(row["step"]),
            text(row["candidate"]),
            text(row["name"]),
            text(row["filter"]),
            text(row["subarray"]),
            number(float(row["mjd"].value), 0),
            number(float(row["total_hours"].value), 2),
            number(float(row["fall_pct"].value), 2),
            number(float(row["alone_pct"].value), 2),
            measured(float(row["error_after_pct"].value), float(row["error_after_pct_mc"].value)),
        )
        for row in made.tables["set"]
    )
    heads = ("", "Candidate", "Star", "Band", "Subarray", "MJD", "Hours in all",
             "Variance falls by (%)", "Alone (%)", "Error after (%)")  # fmt: skip
    return Sheet(f"Chosen within {made.hours:g} h", heads, lines)


def ranked_sheet(made: Plan) -> Sheet:
    """Return the candidates that tell most per hour."""
    lines = tuple(
        (
            count(row["rank"]),
            text(row["candidate"]),
            text(row["name"]),
            text(row["filter"]),
            text(row["subarray"]),
            number(float(row["mjd"].value), 0),
            number(float(row["cost_hours"].value), 2),
            measured(float(row["fall_pct"].value), float(row["fall_pct_mc"].value)),
            number(float(row["fall_per_hour_pct"].value), 2),
        )
        for row in made.tables["plan"][:LISTED]
    )
    heads = ("", "Candidate", "Star", "Band", "Subarray", "MJD", "Hours",
             "Variance falls by (%)", "An hour (%)")  # fmt: skip
    return Sheet("Each candidate alone", heads, lines)


@rc_context(STYLE)
def plan_figure(made: Plan) -> Figure:
    """Draw the error against the hours spent, and the candidates that tell most per hour."""
    figure = blank(4.6, made.simulated)
    spent, ranked = figure.subplots(1, 2, width_ratios=(1.2, 1))
    steps, top = made.tables["set"], made.tables["plan"][:_DRAWN]
    hours = np.concatenate([[0.0], floats(steps["total_hours"])])
    errors = np.concatenate([[made.error], floats(steps["error_after_pct"])])
    unc = np.concatenate([[made.error_mc], floats(steps["error_after_pct_mc"])])
    spent.axhline(made.error, color=GREY, ls="--", lw=1)
    spent.errorbar(hours, errors, yerr=unc, fmt="o-", ms=4, color=OURS)
    spent.set_ylim(bottom=0)
    spent.set_xlabel("Hours spent")
    spent.set_ylabel("Error (%)")
    spent.set_title(drawn_text(made.goal, 60))
    place = np.arange(len(top))
    rates = floats(top["fall_per_hour_pct"])
    ranked.errorbar(
        rates, place, xerr=floats(top["fall_pct_mc"]) / floats(top["cost_hours"]), fmt="o", ms=4,
        color=OURS,
    )  # fmt: skip
    labels = [
        drawn_text(f"{band}, {mjd:.0f}, {star}", _LONGEST)
        for star, band, mjd in zip(
            words(top["name"]), words(top["filter"]), floats(top["mjd"]), strict=True
        )
    ]
    ranked.set_yticks(place, labels, fontsize=9)
    ranked.invert_yaxis()
    ranked.set_xlim(left=0)
    ranked.set_xlabel("Fall of the variance per hour (%)")
    return figure
