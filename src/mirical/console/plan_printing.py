"""What `mirical plan` prints."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from mirical.number_text import measured
from mirical.terminal import print_sheet

if TYPE_CHECKING:
    from mirical.planning.plan import Plan

_SHOWN = 10  # candidates not chosen that are printed


def print_plan(made: Plan, folder: Path, console: Console) -> None:
    """Print the chosen set, the candidates that tell most per hour, and where the page is."""
    about = f"{'SIMULATED DATA · ' if made.simulated else ''}{made.name}: {made.goal}"
    of = ("candidate", "name", "filter", "subarray")
    heads = (*of, "MJD", "hours")
    if len(made.tables["set"]):
        lines = [
            (
                row["step"],
                *(row[name] for name in of),
                f"{row['mjd'].value:.0f}",
                f"{row['total_hours'].value:.2f}",
                f"{row['fall_pct'].value:.2f}",
                measured(row["error_after_pct"].value, row["error_after_pct_mc"].value).text,
            )
            for row in made.tables["set"]
        ]
        heads_set = ("step", *heads[:-1], "hours in all", "variance falls by (%)", "error (%)")
        title = f"{about}, chosen within {made.hours:g} h"
        print_sheet(title, heads_set, lines, console, keys=2, table=made.tables["set"])
    lines = [
        (
            row["rank"],
            *(row[name] for name in of),
            f"{row['mjd'].value:.0f}",
            f"{row['cost_hours'].value:.2f}",
            measured(row["fall_pct"].value, row["fall_pct_mc"].value).text,
            f"{row['fall_per_hour_pct'].value:.2f}",
        )
        for row in made.tables["plan"][:_SHOWN]
    ]
    heads_all = ("rank", *heads, "variance falls by (%)", "per hour (%)")
    title = f"{about}, each candidate alone"
    print_sheet(title, heads_all, lines, console, keys=2, table=made.tables["plan"])
    for sentence in made.sentences:
        console.print(Text(sentence), soft_wrap=True)
    console.print(Text(f"Page: {folder / 'plan.html'}"), soft_wrap=True)
