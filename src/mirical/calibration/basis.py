"""Basis of each number of a run: its own rows, other bands, or priors."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from mirical.bands import BANDS, NEWER_SUBARRAYS, UNIT_SUBARRAYS
from mirical.calibration.calibration import Query
from mirical.conventions import T0_MJD

DATA, PARTLY, PRIOR = "data", "partly prior", "prior"
BORROWED, NO_DATA, DEFINED = "borrowed", "no data", "by definition"
"""What a number rests on: ``borrowed`` from other bands where its own rows cannot tell."""

NOT_JUDGED = "not judged"
"""Of draws without those of the prior beside them, to which they could be compared."""

EXTRAPOLATED = "extrapolated"
"""Of a factor more than a day before or after all rows of its band: it rests on the time law."""

_PARTLY_ABOVE, _PRIOR_ABOVE = 0.5, 0.9
_VISIT = 1.0  # days


def basis(posterior: xr.DataTree, name: str, scale: str | None = None) -> list[str]:
    """Say of each entry of a variable whether data or prior decided it.

    The posterior's central 68 % width is compared with the prior's: above
    0.9 of it the number is the prior's, below 0.5 the data's; what the card fixes
    is the prior's.

    Parameters
    ----------
    posterior : DataTree
        With groups ``posterior`` and ``prior``.
    name : str
        The variable.
    scale : str, optional
        A variable to divide by first (``B`` is judged as ``B / A``).
    """
    after, before = (
        _width(posterior[group].to_dataset(), name, scale) for group in ("posterior", "prior")
    )
    ratio = np.divide(after, before, out=np.ones_like(after), where=before > 0)
    return [PRIOR if r > _PRIOR_ABOVE else PARTLY if r > _PARTLY_ABOVE else DATA for r in ratio]


def loss_basis(posterior: xr.DataTree) -> list[str]:
    """Say what the response loss of each band rests on.

    A band seen at one visit alone cannot tell how its factor changes: what
    narrows its loss comes from the neighbouring bands.
    """
    rows = posterior["constant_data"].to_dataset()
    visit, band = rows["visit_index"].values, rows["band_index"].values
    own = basis(posterior, "loss")
    visits = [len(set(visit[band == i])) for i in range(len(own))]
    return [BORROWED if n == 1 and b != PRIOR else b for n, b in zip(visits, own, strict=True)]


def level_basis(posterior: xr.DataTree) -> list[str]:
    """Say what each band's factor in FULL rests on.

    A band without rows in FULL (or a mask, where D = 1) reaches it through
    the throughput of its subarrays, measured or not.
    """
    words = basis(posterior, "D")
    return [_level(used, 0, words) for used in _subarrays_used(posterior)]


def subarray_basis(posterior: xr.DataTree) -> list[str]:
    """Say what the throughput of each subarray rests on; that of FULL is 1 by definition."""
    observed = set(posterior["constant_data"].to_dataset()["subarray_index"].values.tolist())
    words = [b if i in observed else PRIOR for i, b in enumerate(basis(posterior, "D"))]
    return [DEFINED, *words[1:]]


def factor_basis(posterior: xr.DataTree, query: Query) -> list[str]:
    """Say what the factor of each point rests on.

    First whether its rows are there: ``data``, or ``partly prior`` where rows and point are
    connected by a throughput that is no more than a prior. Then, after commas, that D is 1 by
    definition or assumed, and that the epoch is extrapolated by the time law, and what the loss
    rests on if not on the band's own rows.
    """
    drawn = posterior["posterior"].to_dataset()
    bands, subarrays = (list(map(str, drawn[name].values)) for name in ("band", "subarray"))
    rows = posterior["constant_data"].to_dataset()
    epochs = {
        name: T0_MJD + rows["elapsed"].values[rows["band_index"].values == i]
        for i, name in enumerate(bands)
    }
    words, losses = [NOT_JUDGED] * len(subarrays), [NOT_JUDGED] * len(bands)
    if "prior" in posterior.children:
        words, losses = basis(posterior, "D"), loss_basis(posterior)
    used, loss = _subarrays_used(posterior), dict(zip(bands, losses, strict=True))
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
        said = [level[band, term], throughput_note(band, subarray)]
        if not first <= mjd <= last:
            said.append(_extrapolated(loss[band]))
        found.append(", ".join(filter(None, said)))
    return found


def throughput_note(band: str, subarray: str) -> str:
    """Say where a readout's throughput relative to FULL was not measured but set; else nothing."""
    if subarray in NEWER_SUBARRAYS:
        return f"D of {NEWER_SUBARRAYS[subarray]} assumed"
    mask = BANDS[band].mask
    in_full = mask is not None and subarray == "FULL"
    foreign = mask is None and subarray in UNIT_SUBARRAYS
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


def _subarrays_used(posterior: xr.DataTree) -> list[set[int]]:
    """Return the subarrays each band has rows in, by their place."""
    rows = posterior["constant_data"].to_dataset()
    subarray, band = rows["subarray_index"].values, rows["band_index"].values
    bands = posterior["posterior"].to_dataset().sizes["band"]
    return [set(subarray[band == i].tolist()) for i in range(bands)]


def _level(used: set[int], asked: int, words: list[str]) -> str:
    """Say whether rows in some subarrays fix the factor in the one asked for."""
    if NOT_JUDGED in words:
        return NOT_JUDGED
    from_full = asked == 0 or words[asked] == DATA
    to_full = 0 in used or any(words[a] == DATA for a in used)
    return DATA if asked in used or (from_full and to_full) else PARTLY


def _extrapolated(loss: str) -> str:
    return EXTRAPOLATED if loss in (DATA, NOT_JUDGED) else f"{EXTRAPOLATED}, loss {loss}"


def _width(draws: xr.Dataset, name: str, scale: str | None) -> NDArray[np.float64]:
    values = draws[name] if scale is None else draws[name] / draws[scale]
    low, high = values.quantile([0.16, 0.84], dim=("chain", "draw")).values
    return high - low
