"""Report of a simulation-based calibration: table, figure, printed verdict."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from rich.console import Console
from rich.text import Text

from mirical.plotting.canvas import (
    GREY,
    OURS,
    SHADE,
    STYLE,
    WARNING,
    label_below,
    labelled,
    legend_below,
    panels,
    png,
)
from mirical.storage.files import whole_folder
from mirical.tables.formats import write_ecsv
from mirical.terminal import print_sheet
from mirical.text import drawn_text
from mirical.validation.sbc import Outcome


def write_outcome(outcome: Outcome, folder: Path) -> None:
    """Write ``sbc.ecsv`` and ``ranks.png`` beside the ranks.

    Raises
    ------
    InputError
        If the folder cannot be written.
    """
    with whole_folder(folder) as beside:
        write_ecsv(outcome.table, beside / "sbc.ecsv")
        picture = labelled(png(rank_figure(outcome)), outcome.table.meta)
        (beside / "ranks.png").write_bytes(picture)


@rc_context(STYLE)
def rank_figure(outcome: Outcome) -> Figure:
    """Draw how far each quantity's ranks are from uniform, with simultaneous bands."""
    table, curves = outcome.table, outcome.curves
    groups = list(dict.fromkeys(table["group"]))
    figure, grid = panels(len(groups), 2.0, simulated=True)
    for axes, group in zip(grid, groups, strict=True):
        for row in table[table["group"] == group]:
            curve = curves[curves["quantity"] == row["quantity"]]
            axes.fill_between(curve["rank"], curve["lower"], curve["upper"], color=SHADE, lw=0)
            colour = OURS if row["passes"] else WARNING
            axes.plot(curve["rank"], curve["difference"], color=colour, lw=1.1, alpha=0.85)
        axes.axhline(0, color=GREY, lw=0.8)
        axes.set_xlim(0, 1)
        axes.set_title(drawn_text(str(group)), fontsize=12)
    label_below(grid, "Rank (share of draws)")
    figure.supylabel("ECDF of ranks minus uniform")
    sound = 100 * (1 - table.meta["false_alarm"])
    handles = [
        Line2D([], [], color=OURS, label="passes"),
        Line2D([], [], color=WARNING, label="fails"),
        Patch(color=SHADE, label=f"all curves of {sound:.0f} % of right models"),
    ]
    legend_below(figure, handles, 3)
    return figure


def print_outcome(outcome: Outcome, folder: Path, console: Console) -> None:
    """Print the least uniform quantities, the refits that failed and the verdict."""
    table = outcome.table
    shown = table[np.argsort(table["p_value"], kind="stable")][:8]
    lines = [
        (
            row["quantity"],
            row["n"],
            f"{row['p_value']:.2g}",
            f"{row['p_family']:.2g}",
            "passes" if row["passes"] else "fails",
        )
        for row in shown
    ]
    heads = ("quantity", "refits", "p", f"p of {len(table)} tests", "verdict")
    beside = " beside the run's own" if "posterior" in table.meta else ""
    title = f"SIMULATED ROWS{beside} · least uniform ranks"
    print_sheet(title, heads, lines, console, table=table)
    n_failed, n_quantities = len(outcome.failed), int(np.sum(~table["passes"]))
    console.print(f"{outcome.replicates} refits, {n_failed} failed (see ranks.jsonl).")
    if not outcome.refits_do:
        remedy = (
            "fit without --fast"
            if outcome.fast
            else ("raise --warmup or --draws, or target_accept in the job file")
        )
        most = 100 * outcome.failed_limit
        console.print(f"Too many refits failed (at most {most:.0f} % may); {remedy}.")
    rate = f"false alarm {100 * table.meta['false_alarm']:g} % over all {len(table)} quantities"
    if n_quantities:
        console.print(f"FAILS: the ranks of {n_quantities} quantities are not uniform ({rate}).")
    elif outcome.passes:
        console.print(f"PASSES: all ranks are uniform as far as the test sees ({rate}).")
    else:
        console.print("FAILS: see above.")
    console.print(Text(f"Figure: {folder / 'ranks.png'}"), soft_wrap=True)
