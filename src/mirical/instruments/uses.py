"""What an instrument can be used for, and what its card lacks for the rest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mirical.errors import InputError
from mirical.instruments.cards import LIBRARY
from mirical.instruments.instrument import Instrument


@dataclass(frozen=True)
class Use:
    """Something a card may serve for.

    Attributes
    ----------
    name : str
        How tables call it.
    command : str
        The commands it is about.
    lacks : callable
        Given an instrument, returns what its card lacks, in words; nothing if it can be used.
    """

    name: str
    command: str
    lacks: Callable[[Instrument], str]


def _bandpasses(instrument: Instrument) -> str:
    lacking = [b for b in instrument.imaging_bands if not _has_bandpass(instrument, b)]
    return f"bandpass of {', '.join(lacking)}" if lacking else ""


def _has_bandpass(instrument: Instrument, band: str) -> bool:
    stated = instrument.bands[band].bandpass
    if stated is None:
        return False
    return stated.startswith(LIBRARY) or (Path(instrument.folder) / stated).is_file()


def _fluxes(instrument: Instrument) -> str:
    if instrument.predicted_fluxes is not None:
        return ""
    return "predicted_fluxes (a table's own column model_flux serves as well)"


def _zero_points(instrument: Instrument) -> str:
    return "" if instrument.zero_points is not None else "zero_points"


def _published(instrument: Instrument) -> str:
    return "" if instrument.published is not None else "[published]"


def _staged(instrument: Instrument) -> str:
    lacking = [f"[{name}]" for name in ("staged", "published") if getattr(instrument, name) is None]
    return ", ".join(lacking)


def _overheads(instrument: Instrument) -> str:
    return "" if instrument.overheads is not None else "[overheads] (a column cost_hours serves)"


KNOWN = "MIRI"
"""Keyword INSTRUME of the images and reference files that mirical reads and writes."""


def _pipeline(instrument: Instrument) -> str:
    if instrument.pipeline is None:
        return "[pipeline]"
    other = instrument.pipeline.instrument != KNOWN
    return f"[pipeline] of {KNOWN}" if other else ""


USES = (
    Use("fit a table of photometry", "run, check, rivals, sbc", lambda _: ""),
    Use("fit without a column model_flux", "run", _fluxes),
    Use("predict fluxes from spectra", "fluxes", _bandpasses),
    Use("magnitudes relative to Vega", "preflight", _zero_points),
    Use("compare with published factors", "compare --with published", _published),
    Use("staged point fits", "staged", _staged),
    Use("reckon the cost of candidates", "plan", _overheads),
    Use("images of a pipeline", "photometry, apertures, apply to an image", _pipeline),
    Use("reference files of a pipeline", "export --to jwst-*, preflight", _pipeline),
)
"""Every use, from what each card can do to what only a pipeline's instrument can."""


def require_pipeline(instrument: Instrument, what: str) -> None:
    """Refuse what only an instrument can do whose pipeline's files mirical knows.

    Raises
    ------
    InputError
        If the card states no pipeline, or one of another instrument; `what` begins the sentence.
    """
    if lacks := _pipeline(instrument):
        raise InputError(
            f"{what}: not for {instrument.name}, whose card lacks {lacks}; mirical knows images "
            f"and reference files of {KNOWN} alone, but tables of any instrument."
        )


def require_staged(instrument: Instrument, what: str) -> None:
    """Refuse the staged procedure where it is not meant.

    Raises
    ------
    InputError
        If the card does not state what it assumes; `what` begins the sentence.
    """
    if instrument.staged is None:
        raise InputError(
            f"{what}: the procedure is not meant for {instrument.name}: its card has no [staged]; "
            "give rows of an instrument whose card has it."
        )
