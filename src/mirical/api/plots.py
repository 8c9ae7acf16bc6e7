"""``Plots``: the figures of a run as matplotlib figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from astropy.table import QTable
    from matplotlib.figure import Figure

    from mirical.instruments.instrument import Instrument


class Plots:
    """The figures of a run, as in its report; those of simulated rows say so.

    Each returns a matplotlib Figure: ``figure.savefig("curves.pdf")`` writes it.

    Parameters
    ----------
    tables : mapping of {str : QTable}
        The run's.
    instrument : Instrument
        Whose rows they are.
    simulated : bool
        Whether they were simulated.
    """

    def __init__(
        self, tables: Mapping[str, QTable], instrument: Instrument, simulated: bool
    ) -> None:
        self._of = tables, instrument, simulated

    def curves(self, bands: Sequence[str] | None = None) -> Figure:
        """Draw the factors with time [unit of the factors], their rows and the published curve.

        Parameters
        ----------
        bands : sequence of str, optional
            Bands to draw; by default all.

        Raises
        ------
        InputError
            If the run has no rows in one of them.
        """
        return self._drawn("curves", bands)

    def differences(self, bands: Sequence[str] | None = None) -> Figure:
        """Draw the factors at the reference epoch relative to the published ones, percent.

        Parameters
        ----------
        bands : sequence of str, optional
            Bands to draw; by default all.

        Raises
        ------
        InputError
            If the run has no rows in one of them, or the instrument's card has no published
            coefficients.
        """
        return self._drawn("differences", bands)

    def predictive(self, bands: Sequence[str] | None = None) -> Figure:
        """Draw every row over what the model predicts of it, percent.

        Parameters
        ----------
        bands : sequence of str, optional
            Bands to draw; by default all.

        Raises
        ------
        InputError
            If the run has no rows in one of them.
        """
        return self._drawn("predictive", bands)

    def tails(self, bands: Sequence[str] | None = None) -> Figure:
        """Draw where rows lie within what is predicted of them, and how many are expected there.

        Parameters
        ----------
        bands : sequence of str, optional
            Bands whose rows are counted; by default all.

        Raises
        ------
        InputError
            If the run has no rows in one of them.
        """
        return self._drawn("tails", bands)

    def stars(self) -> Figure:
        """Draw the offsets of the stars' predicted fluxes, percent."""
        return self._drawn("stars", None)

    def subarrays(self) -> Figure:
        """Draw the throughputs D of the readouts beside the published ones."""
        return self._drawn("subarrays", None)

    def _drawn(self, kind: str, bands: Sequence[str] | None) -> Figure:
        from mirical.figures.report_figures import draw_report_figure

        given = [bands] if isinstance(bands, str) else bands
        return draw_report_figure(kind, *self._of, given)
