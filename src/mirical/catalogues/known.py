"""Published catalogues that ``mirical fetch`` knows by name."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Catalogue:
    """A catalogue of an article.

    Attributes
    ----------
    name : str
        What a user calls it.
    vizier : str
        Its name in VizieR.
    article : str
        The article, as one cites it.
    table : str
        Which of the article's tables is meant.
    instrument : str or None
        Card its rows are checked by; None if no shipped card is of its instrument.
    lacking : str
        What to know if it has no photometry to fit.
    """

    name: str
    vizier: str
    article: str
    table: str
    instrument: str | None = None
    lacking: str = ""

    @property
    def by_hand(self) -> str:
        """What to do without a connection; the end of a sentence."""
        return (
            f"download {self.table} of {self.article} by hand, from the journal (machine-readable "
            f"table) or from VizieR (catalogue {self.vizier}; VOTable, FITS or CSV), and give the "
            f"file: mirical fetch FILE --out {self.name}-full.ecsv"
        )


CATALOGUES = {
    one.name: one
    for one in (
        Catalogue("table5", "J/AJ/169/6", "Gordon et al. (2025, AJ 169, 6)", "Table 5", "miri"),
        Catalogue(
            "irac",
            "J/AJ/161/177",
            "Krick et al. (2021, AJ 161, 177)",
            "the table of IRAC photometry",
            lacking="flux densities that a calibration has already made of the counts tell nothing "
            "of the calibration factor; its fit needs the count rate and the epoch of each "
            "observation",
        ),
    )
}
"""By name."""
