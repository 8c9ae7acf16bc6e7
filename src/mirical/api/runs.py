"""``Run``: a fit just made or a stored one, with its calibration, posterior and verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from mirical.api.html import factors_html, label
from mirical.errors import InputError
from mirical.html_text import paragraph

if TYPE_CHECKING:
    import xarray as xr
    from astropy.table import QTable
    from matplotlib.figure import Figure

    from mirical.api.calibrations import Calibration
    from mirical.api.checks import Check
    from mirical.calibration.calibration import Calibration as Answers
    from mirical.cards.card import Card
    from mirical.chains.verdict import Verdict
    from mirical.instruments.instrument import Instrument
    from mirical.jobs.inputs import Inputs
    from mirical.reporting.run import Run as Fitted


class _Source(Protocol):
    """What a run is taken from: a fit just made, or a folder."""

    @property
    def name(self) -> str: ...

    @property
    def folder(self) -> Path | None: ...

    @property
    def tables(self) -> Mapping[str, QTable]: ...

    def answers(self) -> Answers: ...

    def posterior(self) -> xr.DataTree: ...

    def verdict(self) -> Verdict: ...

    def card(self) -> Card: ...

    def inputs(self) -> Inputs: ...

    def save(self, folder: Path) -> None: ...


class Run:
    """A fit of calibration factors: made by `mirical.fit`, or opened by `mirical.open`.

    Parameters
    ----------
    source : object
        What it is taken from; private to mirical.
    """

    def __init__(self, source: _Source) -> None:
        self._source = source

    @classmethod
    def of(cls, fitted: Fitted) -> Run:
        """Return the run of a fit as `mirical.reporting.run` makes it."""
        return cls(_Fitted(fitted))

    @property
    def name(self) -> str:
        """The job's name, or that of the run's folder."""
        return self._source.name

    @property
    def folder(self) -> Path | None:
        """Where the run is stored; None before `save`."""
        return self._source.folder

    @cached_property
    def calibration(self) -> Calibration:
        """Calibration factors with their errors, from the posterior."""
        from mirical.api.calibrations import Calibration

        return Calibration(self._source.answers(), self.tables)

    @cached_property
    def posterior(self) -> xr.DataTree:
        """Draws in ArviZ's schema: an xarray DataTree.

        Groups posterior, prior, posterior_predictive, log_likelihood, sample_stats, observed_data
        and constant_data; dims chain, draw, band, subarray, star, srctype, visit, row. ``A``,
        ``B`` and ``C_ref`` are in the instrument's unit of factors, ``tau`` in days, all other
        variables fractions (of ln C); docs/results.md lists them.
        """
        return self._source.posterior()

    @cached_property
    def verdict(self) -> Verdict:
        """Whether the posterior may be believed, in sentences and numbers."""
        return self._source.verdict()

    @property
    def believable(self) -> bool:
        """Whether the sampler's diagnostics allow to use the run."""
        return self.calibration.believable

    @property
    def simulated(self) -> bool:
        """Whether the rows were simulated."""
        return self.calibration.simulated

    @cached_property
    def tables(self) -> Mapping[str, QTable]:
        """Tables of the run by file name without ``.ecsv``: coefficients, stars, rows, ..."""
        return self._source.tables

    @property
    def instrument(self) -> Instrument:
        """Whose rows were fitted: its bands, readouts and units."""
        return self.calibration.instrument

    @property
    def provenance(self) -> Mapping[str, object]:
        """What the run recorded of its rows and their hash, its card, seed and software."""
        return self.calibration.provenance

    @cached_property
    def _inputs(self) -> Inputs:
        return self._source.inputs()

    @cached_property
    def card(self) -> Card:
        """The model card that was fitted."""
        return self._source.card()

    @property
    def notes(self) -> tuple[str, ...]:
        """What was assumed or left out in reading the rows, in sentences."""
        return self._inputs.factors.observations.notes

    def check(self, draws: int = 200, *, refit: bool = True, progress: bool | None = None) -> Check:
        """Confront the run with its rows, as ``mirical check`` does; writes nothing.

        Parameters
        ----------
        draws : int
            Posterior draws looked at, at least 50.
        refit : bool
            Whether the rows are fitted without each star whose effect the draws cannot tell.
        progress : bool, optional
            Whether to show progress; by default in notebooks alone.

        Raises
        ------
        InputError
            If the run has too few draws, too many rows, or its rows have changed.
        """
        from mirical.api.checks import Check, check_rows
        from mirical.api.consoles import progress_console
        from mirical.checking.check import CheckPlan

        plan, console = CheckPlan(draws, refit), progress_console(progress)
        named = self.name, Path(self.name)
        return Check(check_rows(*named, self.posterior, self._inputs, plan, console))

    def figure(
        self,
        kind: str,
        bands: Sequence[str] | None = None,
        quantities: Sequence[str] | None = None,
    ) -> Figure:
        """Return one figure as ``mirical plot`` draws it.

        Parameters
        ----------
        kind : str
            Of the report (``"curves"``), of the check that was saved into the run's folder
            (``"influence"``), or ArviZ's (``"rank"``, ``"energy"``, ``"forest"``, ``"pair"``,
            ``"ppc"``, ``"loo_pit"``, ``"sbc"``); docs/python.md lists all.
        bands : sequence of str, optional
            Bands to draw, of a figure that is of bands; by default all.
        quantities : sequence of str, optional
            Variables of the posterior or single quantities, as ``"A[F770W]"``, of a figure that
            is of quantities.

        Raises
        ------
        InputError
            If there is no such figure, band or quantity, or what it is drawn of is not there.
        """
        from mirical.figures.kinds import OfRun, draw_kind

        made = OfRun(
            self.folder, self.instrument, self.provenance, self.tables, lambda: self.posterior
        )
        one = [bands] if isinstance(bands, str) else bands
        of = [quantities] if isinstance(quantities, str) else quantities
        return draw_kind(kind, made, one, of)

    def save(self, folder: str | Path) -> Run:
        """Write the folder that ``mirical run`` writes, and return the run as stored there.

        Parameters
        ----------
        folder : str or Path
            Where to; what a run wrote there before is replaced.

        Raises
        ------
        InputError
            If the folder cannot be written, or the run is a stored one.
        """
        self._source.save(Path(folder))
        return open_run(folder)

    def __repr__(self) -> str:
        trust = "believable" if self.believable else "NOT TO BE BELIEVED"
        bands = len(self.calibration.bands)
        return f"<Run {self.name}: {label(self.simulated)}{bands} bands, {trust}>"

    def _repr_html_(self) -> str:
        known = self.calibration.provenance
        stated = {"model card": known.get("card"), "rows": known.get("photometry")}
        stated |= {"seed": known.get("seed"), "folder": self.folder}
        said = "; ".join(f"{name}: {one}" for name, one in stated.items() if one is not None)
        trust = "May be believed." if self.believable else "Must not be believed."
        return "".join(
            [
                paragraph(f"{label(self.simulated)}Run {self.name}", strong=True),
                paragraph(f"{said}."),
                paragraph(trust, strong=not self.believable),
                factors_html(self._source.answers()),
            ]
        )


def open_run(run: str | Path) -> Run:
    """Open a stored run.

    Parameters
    ----------
    run : str or Path
        A run's folder, or its name under ``reports/``.

    Returns
    -------
    Run
        Whose posterior and tables are read when they are asked for.

    Raises
    ------
    InputError
        If there is no such run, or its folder is not whole.
    """
    from mirical.calibration.store import run_folder

    return Run(_Stored(run_folder(str(run))))


class _Fitted:
    """A fit just made."""

    folder = None

    def __init__(self, run: Fitted) -> None:
        self._run, self.name, self.tables = run, run.job.name, run.tables

    def answers(self) -> Answers:
        from dataclasses import replace

        from mirical.calibration.calibration import UNBELIEVABLE
        from mirical.calibration.posterior import PosteriorCalibration

        run = self._run
        made = PosteriorCalibration.of(run.posterior, run.instrument, self.name)
        believable = run.verdict.believable
        return replace(made, believable=believable, doubts=() if believable else (UNBELIEVABLE,))

    def posterior(self) -> xr.DataTree:
        return self._run.posterior

    def verdict(self) -> Verdict:
        return self._run.verdict

    def card(self) -> Card:
        return self._run.inputs.card

    def inputs(self) -> Inputs:
        return self._run.inputs

    def save(self, folder: Path) -> None:
        from mirical.reporting.run_folder import write_run
        from mirical.storage.files import check_outputs

        check_outputs(folders=[folder])
        write_run(self._run, folder)


class _Stored:
    """A run's folder."""

    def __init__(self, folder: Path) -> None:
        from mirical.text import one_line

        self.folder, self.name = folder, one_line(folder.resolve().name)

    @property
    def tables(self) -> Mapping[str, QTable]:
        from mirical.figures.stored_tables import StoredTables

        return StoredTables(self.folder)

    def answers(self) -> Answers:
        from mirical.calibration.store import open_calibration

        return open_calibration(str(self.folder))

    def posterior(self) -> xr.DataTree:
        from mirical.calibration.store import read_run

        return read_run(self.folder).posterior

    def verdict(self) -> Verdict:
        from mirical.calibration.manifest import read_json
        from mirical.calibration.store import DIAGNOSTICS
        from mirical.chains.verdict import Verdict

        path = self.folder / DIAGNOSTICS
        return Verdict.of(read_json(path), str(path))

    def card(self) -> Card:
        from mirical.cards.card import load_card
        from mirical.reporting.stored_inputs import stored_job

        job = stored_job(self.folder)
        return load_card(job.model, f"job {self.name}", job.read_instrument(), job.folder)

    def inputs(self) -> Inputs:
        from mirical.inference import runtime

        runtime.configure()  # before anything loads JAX

        from mirical.reporting.stored_inputs import open_run as open_with_rows

        return open_with_rows(self.folder)[1]

    def save(self, folder: Path) -> None:
        raise InputError(
            f"{folder}: the run is stored already, in {self.folder}; copy that folder."
        )
