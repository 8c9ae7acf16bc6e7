"""``Check``: what the checks of a run found."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from mirical.api.html import label
from mirical.html_text import paragraph

if TYPE_CHECKING:
    import xarray as xr
    from astropy.table import QTable
    from matplotlib.figure import Figure
    from rich.console import Console

    from mirical.checking.check import CheckedRun, CheckPlan
    from mirical.jobs.inputs import Inputs


class Check:
    """What the checks of a run found, as `mirical.Run.check` returns it.

    Parameters
    ----------
    checked : CheckedRun
        As `mirical.checking.check` makes it; private to mirical.
    """

    def __init__(self, checked: CheckedRun) -> None:
        self._checked = checked

    @property
    def believable(self) -> bool:
        """Whether no check fired."""
        return self._checked.believable

    @property
    def sentences(self) -> tuple[str, ...]:
        """The verdict."""
        return self._checked.sentences

    @property
    def tables(self) -> Mapping[str, QTable]:
        """By file name without ``.ecsv``: checks, dependences, influence, loo, anomalies, ..."""
        return self._checked.tables

    def figures(self) -> dict[str, Figure]:
        """Return the figures of the page by name: influence, pit, slopes, ..."""
        from mirical.checking.page import draw

        return draw(self._checked)

    def save(self, folder: str | Path) -> None:
        """Write the folder that ``mirical check`` writes: page, tables and figures.

        Raises
        ------
        InputError
            If it cannot be written.
        """
        from mirical.checking.page import write_check
        from mirical.storage.files import check_outputs

        check_outputs(folders=[Path(folder)])
        write_check(self._checked, Path(folder))

    def __repr__(self) -> str:
        found = "no check fires" if self.believable else "a check fires"
        return f"<Check of {self._called}: {found}>"

    def _repr_html_(self) -> str:
        title = paragraph(f"Check of {self._called}", strong=True)
        return title + "".join(map(paragraph, self.sentences))

    @property
    def _called(self) -> str:
        return f"{label(self._checked.simulated)}{self._checked.name}"


def check_rows(
    name: str,
    folder: Path,
    posterior: xr.DataTree,
    inputs: Inputs,
    plan: CheckPlan,
    console: Console,
) -> CheckedRun:
    """Check a posterior against its rows, progress shown on a console; writes nothing.

    Parameters
    ----------
    name : str
        The run's.
    folder : Path
        What sentences call the run; nothing is read there.
    posterior, inputs : DataTree, Inputs
        As `mirical.reporting.stored_inputs.open_run` returns them.
    plan : CheckPlan
        What is asked.
    console : Console
        Where progress is shown.

    Raises
    ------
    InputError
        If too few draws are asked for or there, or there are too many rows.
    """
    from mirical.calibration.store import require_draws
    from mirical.checking.check import FEWEST_DRAWS, check_run
    from mirical.console.progress import DrawWatch
    from mirical.errors import InputError
    from mirical.inference.gaussian import require_few_rows

    if plan.draws < FEWEST_DRAWS:
        said = f"check: {plan.draws} draws were asked for; expected at least {FEWEST_DRAWS}."
        raise InputError(said)
    require_draws(posterior, folder, FEWEST_DRAWS)
    require_few_rows("check", len(inputs.design.rows), folder)
    with DrawWatch(plan.draws, console) as watch:
        return check_run(name, posterior, inputs, plan, watch)
