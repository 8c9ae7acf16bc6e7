"""ECDF-PIT of the ranks of a simulation-based calibration, as ArviZ draws it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from mirical.errors import InputError, did_you_mean
from mirical.figures.row_figures import uniform_shares
from mirical.validation.rank_file import RANKS, read_ranks
from mirical.validation.ranks import p_values, spread_ranks

RANK_FIGURE = "sbc"
_SHOWN = 12
"""Quantities that are drawn where none are named: those whose ranks look least uniform."""


def draw_ranks(folder: Path, quantities: Sequence[str] | None = None) -> Figure:
    """Draw the ranks of true values among the draws of their posteriors.

    Parameters
    ----------
    folder : Path
        That of a study of ``mirical sbc``, or a run's that has one in ``sbc``.
    quantities : sequence of str, optional
        Quantities to draw; by default the twelve whose ranks look least uniform.

    Raises
    ------
    InputError
        If there are no ranks, or none of a quantity.
    """
    places = [folder / RANKS, folder / "sbc" / RANKS]
    path = next((one for one in places if one.is_file()), None)
    if path is None:
        raise InputError(f"sbc: {folder} has no {RANKS}; run 'mirical sbc {folder.name}' first.")
    sound = [one for one in read_ranks(path) if not one.problem]
    of_each = [set(one.ranks) for one in sound]
    known = [name for name in (sound[0].ranks if sound else ()) if all(name in s for s in of_each)]
    if not known:
        raise InputError(f"{path}: no refit that may be believed has ranks; run more.")
    for name in quantities or ():
        if name not in known:
            raise InputError(f"{path}: has no ranks of {name!r}{did_you_mean(name, known)}")
    positions: dict[str, NDArray[np.float64]] = {}
    for place, name in enumerate(known):
        ranks, counts = np.array([one.ranks[name] for one in sound], dtype=float).T
        positions[name] = spread_ranks(ranks, counts, np.random.default_rng(place))
    chosen = list(quantities or ()) or _least_uniform(positions)
    return uniform_shares(
        {name: positions[name] for name in chosen},
        "Share of draws below the true value",
        f"{len(sound)} fits",
        simulated=True,
    )


def _least_uniform(positions: dict[str, NDArray[np.float64]]) -> list[str]:
    p = p_values(np.stack(list(positions.values())))
    names = list(positions)
    return [names[i] for i in np.argsort(p, kind="stable")[:_SHOWN]]
