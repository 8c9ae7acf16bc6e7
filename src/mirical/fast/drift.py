"""Drift of a fast fit: whether its exact steps still move what they began with.

Exact steps leave the posterior as it is. Where they move the means of the draws from the first
third of the kept steps to the last, what they began with was not the posterior, and so many steps
may not be enough.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from mirical.fast.proposal import Floats
from mirical.inference.schema import DIMS

MOST_DRIFT = 0.1
"""Of a mean, in standard deviations; what is beyond `_SURE` standard errors of the drift counts."""

_SURE = 4.0


class Drift(NamedTuple):
    """Shifts of means in standard deviations, and their standard errors."""

    shift: Floats
    error: Floats

    @property
    def certain(self) -> Floats:
        """Size of the shifts that the errors do not explain."""
        return np.maximum(np.abs(self.shift) - _SURE * self.error, 0.0)


def drift_of(steps: Sequence[Any]) -> Drift:
    """Return the drift of a quantity from the first third of the steps to the last.

    Parameters
    ----------
    steps : sequence of (point, draw, ...) arrays
        Draws of each step; the same points in all of them.
    """
    part = max(1, len(steps) // 3)
    begun, ended = (
        np.concatenate([np.asarray(step, dtype=float) for step in some], axis=1)
        for some in (steps[:part], steps[-part:])
    )
    # Where no loss settles, tau is infinite.
    begun, ended = (np.where(np.isfinite(values), values, 0.0) for values in (begun, ended))
    width = np.std(ended, axis=(0, 1))
    width = np.where(width > 0, width, 1.0)
    moved = (ended.mean(axis=1) - begun.mean(axis=1)) / width
    return Drift(moved.mean(axis=0), moved.std(axis=0) / np.sqrt(len(moved)))


def drift_sentences(
    drift: Mapping[str, Drift],
    printed: Iterable[str],
    coordinates: Mapping[str, list[str]],
    remedy: str,
) -> Iterator[str]:
    """Yield a sentence on the printed quantity that moved most, if one moved too far.

    Parameters
    ----------
    drift : mapping
        By quantity.
    printed : iterable of str
        Quantities that tables print.
    coordinates : mapping
        Names along each dim.
    remedy : str
        What to do, the end of a sentence.
    """
    found = [(name, drift[name].certain) for name in printed if name in drift]
    found = [(name, far) for name, far in found if far.size]
    if not found:
        return
    name, far = max(found, key=lambda one: one[1].max())
    if far.max() <= MOST_DRIFT:
        return
    place = np.unravel_index(int(np.argmax(far)), far.shape)
    labels = [coordinates[dim][i] for dim, i in zip(DIMS.get(name, ()), place, strict=True)]
    of = f"{name}[{', '.join(labels)}]" if labels else name
    shift = float(drift[name].shift[place])
    yield (
        f"The exact steps still move the mean of {of}, by {shift:+.2f} of its error from the first "
        f"to the last; expected at most {MOST_DRIFT}; {remedy}."
    )
