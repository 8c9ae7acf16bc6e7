"""Basis of each number of a run: its own rows, other bands, or priors."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mirical.calibration.calibration import Calibration
from mirical.calibration.draws import DRAWN, ROWS, Draws
from mirical.calibration.draws import PRIOR as BEFORE
from mirical.calibration.factors import Query
from mirical.instruments.instrument import Instrument
from mirical.laws.timelaw import ADDITIVE, LAWS
from mirical.number_text import day

DATA, PARTLY, PRIOR = "data", "partly prior", "prior"
BORROWED, NO_DATA, DEFINED = "borrowed", "no data", "by definition"
"""What a number rests on: ``borrowed`` from other bands where its own rows cannot tell."""

NOT_JUDGED = "not judged"
"""Of draws without those of the prior beside them, to which they could be compared."""

EXTRAPOLATED = "extrapolated"
"""Of a factor more than a day before or after all rows of its band: it rests on the time law."""

_PARTLY_ABOVE, _PRIOR_ABOVE = 0.5, 0.9
_VISIT = 1.0  # days


def basis(draws: Draws, name: str, scale: str | None = None) -> list[Any]:
    """Say of each entry of a variable whether data or prior decided it.

    The posterior's central 68 % width is compared with the prior's: above
    0.9 of it the number is the prior's, below 0.5 the data's; what the card fixes
    is the prior's.

    Parameters
    ----------
    draws : Draws
        With groups ``posterior`` and ``prior``.
    name : str
        The variable.
    scale : str, optional
        A variable to divide by first (``B`` is judged as ``B / A``).

    Returns
    -------
    list of str
        A word an entry; lists of words where the variable has two dims.
    """
    after, before = (_width(draws, group, name, scale) for group in (DRAWN, BEFORE))
    ratio = np.divide(after, before, out=np.ones_like(after), where=before > 0)
    words = np.where(ratio > _PARTLY_ABOVE, PARTLY, DATA)
    return np.where(ratio > _PRIOR_ABOVE, PRIOR, words).tolist()


def loss_basis(draws: Draws) -> list[str]:
    """Say what the response loss of each band rests on.

    A band seen at one visit alone cannot tell how its factor changes: what
    narrows its loss comes from the neighbouring bands.
    """
    visit, band = (draws.values(f"{name}_index", ROWS) for name in ("visit", "band"))
    own = basis(draws, "loss" if "loss" in _parameters(draws) else "loss_per_year")
    visits = [len(set(visit[band == i])) for i in range(len(own))]
    return [BORROWED if n == 1 and b != PRIOR else b for n, b in zip(visits, own, strict=True)]


def coefficient_basis(draws: Draws) -> dict[str, list[str]]:
    """Say what each band's C_ref, A, B, tau, repeatability and loss a year rest on.

    The last where the time law has it; a law without B and tau defines them.
    """
    loss, level, parameters = loss_basis(draws), level_basis(draws), _parameters(draws)
    settles, defined = "loss" in parameters, [DEFINED] * len(loss)
    # The factor is measured where rows are; how far A lies beyond is the loss's.
    among = np.zeros(len(loss), dtype=bool) if settles else _rows_about_t0(draws)
    found = {
        "C_ref": level,
        "A": [b if m else a for a, b, m in zip(loss, level, among, strict=True)],
        "B": loss if settles else defined,
        "tau": basis(draws, "tau") if settles else defined,
        "repeatability": basis(draws, "repeatability"),
    }
    if "loss_per_year" in parameters:
        found["loss_per_year"] = basis(draws, "loss_per_year")
    return found


def level_basis(draws: Draws) -> list[str]:
    """Say what each band's factor in the reference readout rests on.

    A band without rows in it (or a mask, where D = 1) reaches it through
    the throughput of its subarrays, measured or not.
    """
    words = basis(draws, "D")
    return [_level(used, 0, words) for used in _subarrays_used(draws)]


def subarray_basis(draws: Draws) -> list[str]:
    """Say what the throughput of each subarray rests on; the reference has 1 by definition."""
    observed = set(draws.values("subarray_index", ROWS).tolist())
    words = [b if i in observed else PRIOR for i, b in enumerate(basis(draws, "D"))]
    return [DEFINED, *words[1:]]


def factor_basis(draws: Draws, query: Query) -> list[str]:
    """Say what the factor of each point rests on.

    First whether its rows are there: ``data``, or ``partly prior`` where rows and point are
    connected by a throughput that is no more than a prior. Then, after commas, that D is 1 by
    definition or assumed, and that the epoch is extrapolated by the time law, and what the loss
    rests on if not on the band's own rows.
    """
    bands, subarrays = draws.labels("band"), draws.labels("subarray")
    elapsed, of_band = draws.values("elapsed", ROWS), draws.values("band_index", ROWS)
    t0 = query.instrument.t0
    epochs = {name: t0 + elapsed[of_band == i] for i, name in enumerate(bands)}
    words, losses = [NOT_JUDGED] * len(subarrays), [NOT_JUDGED] * len(bands)
    if BEFORE in draws.groups:
        words, losses = basis(draws, "D"), loss_basis(draws)
    used, loss = _subarrays_used(draws), dict(zip(bands, losses, strict=True))
    level = {
        (band, term): _level(used[i], k, words)
        for i, band in enumerate(bands)
        for k, term in enumerate(subarrays)
    }
    ends = {band: (at.min() - _VISIT, at.max() + _VISIT) for band, at in epochs.items() if len(at)}
    found = []
    points = zip(query.filters, query.subarrays, query.terms, query.mjd, strict=True)
    for band, subarray, term, mjd in points:
        first, last = ends.get(band, (np.inf, -np.inf))
        said = [level[band, term], throughput_note(band, subarray, query.instrument)]
        if not first <= mjd <= last:
            said.append(_extrapolated(loss[band]))
        found.append(", ".join(filter(None, said)))
    return found


def throughput_note(band: str, subarray: str, instrument: Instrument) -> str:
    """Say where a readout's throughput was not measured but set; else nothing."""
    if subarray in instrument.assumed:
        return f"D of {instrument.assumed[subarray]} assumed"
    mask = instrument.bands[band].mask
    in_full = mask is not None and subarray == instrument.reference
    foreign = mask is None and subarray in instrument.unit_subarrays
    return "D = 1 by definition" if in_full or foreign else ""


def basis_sentences(found: Iterable[str], query: Query) -> list[str]:
    """Say which points do not rest on data of their own alone, those of like basis together."""
    places: dict[str, dict[str, list[str]]] = {}
    for said, band, subarray in zip(found, query.filters, query.subarrays, strict=True):
        if said not in (DATA, NOT_JUDGED):
            names = places.setdefault(said, {}).setdefault(band, [])
            if subarray not in names:
                names.append(subarray)
    sentences = []
    for said, of in places.items():
        alike: dict[str, list[str]] = {}
        for band, names in of.items():
            alike.setdefault(", ".join(names), []).append(band)
        where = "; ".join(f"{', '.join(names)} in {readouts}" for readouts, names in alike.items())
        sentences.append(f"the factor's basis is {said}: {where}.")
    return sentences


def _parameters(draws: Draws) -> tuple[str, ...]:
    """Return the names of the bands' parameters of a run's time law."""
    return LAWS[str(draws.attrs.get("time_law", ADDITIVE))].of_band


def _rows_about_t0(draws: Draws) -> NDArray[np.bool_]:
    """Return whether each band has rows before and after t0, or at a visit then."""
    elapsed, band = (draws.values(name, ROWS) for name in ("elapsed", "band_index"))
    mine = [elapsed[band == i] for i in range(len(draws.labels("band")))]
    return np.array([np.any(at <= _VISIT) and np.any(at >= -_VISIT) for at in mine])


def _subarrays_used(draws: Draws) -> list[set[int]]:
    """Return the subarrays each band has rows in, by their place."""
    subarray, band = (draws.values(f"{name}_index", ROWS) for name in ("subarray", "band"))
    return [set(subarray[band == i].tolist()) for i in range(len(draws.labels("band")))]


def _level(used: set[int], asked: int, words: list[str]) -> str:
    """Say whether rows in some subarrays fix the factor in the one asked for."""
    if NOT_JUDGED in words:
        return NOT_JUDGED
    from_full = asked == 0 or words[asked] == DATA
    to_full = 0 in used or any(words[a] == DATA for a in used)
    return DATA if asked in used or (from_full and to_full) else PARTLY


def _extrapolated(loss: str) -> str:
    return EXTRAPOLATED if loss in (DATA, NOT_JUDGED) else f"{EXTRAPOLATED}, loss {loss}"


def _width(draws: Draws, group: str, name: str, scale: str | None) -> NDArray[np.float64]:
    values = draws.values(name, group)
    if scale is not None:
        values = values / draws.values(scale, group)
    with np.errstate(invalid="ignore"):  # an infinite tau has no width
        low, high = np.quantile(values, [0.16, 0.84], axis=(0, 1))
        return high - low


def outside_rows(calibration: Calibration, query: Query) -> list[str]:
    """Say how far points lie outside the rows, and how much the error has grown after them."""
    ends = np.array(list(calibration.epochs.values()))
    first, last = float(ends[:, 0].min()), float(ends[:, 1].max())
    earliest, latest = float(query.mjd.min()), float(query.mjd.max())
    said = []
    if earliest < first:
        said.append(
            f"the first row is of MJD {first:.1f} ({day(first)}), {first - earliest:.1f} d "
            f"after MJD {earliest:.1f}: factors before it rest on the time law and its priors."
        )
    if latest > last:
        bands = [*dict.fromkeys(query.filters)]
        factors = [calibration.at(calibration.in_reference(bands, mjd)) for mjd in (last, latest)]
        now, then = (100 * of.std / of.mean for of in factors)
        most = int(np.argmax(then - now))
        said.append(
            f"the last row is of MJD {last:.1f} ({day(last)}), {latest - last:.1f} d before "
            f"MJD {latest:.1f}: factors after it rest on the time law and its priors, and "
            f"their errors on that law still holding; the error of {bands[most]} in "
            f"{calibration.instrument.reference} is {now[most]:.2f} % at the last row and "
            f"{then[most]:.2f} % there."
        )
    return said
