"""What `mirical monitor` prints."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from mirical.number_text import measured
from mirical.terminal import print_sheet

if TYPE_CHECKING:
    from mirical.monitoring.page import MonitorPage


def print_monitor(page: MonitorPage, folder: Path, console: Console) -> None:
    """Print the lights, the verdict and where the page is."""
    title = f"{'SIMULATED DATA · ' if page.simulated else ''}{page.name}: rows since the fit"
    lines = [
        (
            row["of"],
            row["light"],
            row["rows"],
            measured(float(row["shift"].value), float(row["shift_unc"].value)).text,
            f"{row['statistic'].value:.2f}",
        )
        for row in page.tables["lights"]
    ]
    heads = ("of", "light", "rows", "shift since the fit (%)", "statistic")
    print_sheet(title, heads, lines, console, table=page.tables["lights"])
    for sentence in page.sentences:
        console.print(Text(sentence), soft_wrap=True)
    console.print(Text(f"Page: {folder / 'monitor.html'}"), soft_wrap=True)
