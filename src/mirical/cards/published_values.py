"""Published values that a card's priors may be centred on, such as those of Gordon et al. 2025."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from mirical.cards.priors import read_wording, text_of
from mirical.errors import InputError, refuse_unknown_keys, shown
from mirical.instruments.instrument import Instrument
from mirical.instruments.published import published_coefficients, published_throughput

CENTRES: dict[str, tuple[str, ...]] = {
    "factor": ("A_centre",),
    "response_loss": ("loss_centre", "tau_centre"),
    "subarray": ("D_centre",),
}
"""The centres a term may have, none of which a card must state.

A, tau and D are the centre times what the term's priors say; the loss is the
centre plus it. A card without the entry has centres of one, of zero for the loss.
"""


@dataclass(frozen=True)
class Centre:
    """What a quantity is stated relative to: constants by band or subarray.

    Attributes
    ----------
    name : str
        The quantity with ``_centre``.
    values : dict of {str : float}
        The constant of each band or subarray, in `unit`.
    unit, reason, source : str
        As of a prior.
    where : str
        Beginning of the error sentence.
    """

    name: str
    values: dict[str, float]
    unit: str
    reason: str
    source: str
    where: str

    def at(self, names: tuple[str, ...]) -> Float[np.ndarray, " name"]:
        """Return the constants of some bands or subarrays.

        Raises
        ------
        InputError
            If nothing is published for one of them.
        """
        for name in names:
            if name not in self.values:
                raise InputError(
                    f"{self.where}: no value of {name} is published; leave its rows out of the "
                    "table, or the entry out of the card."
                )
        return np.array([self.values[name] for name in names])

    def describe(self) -> str:
        """Return the centre in words."""
        return f"published: {', '.join(f'{name} {v:.5g}' for name, v in self.values.items())}"


def read_centre(name: str, entry: object, where: str, instrument: Instrument) -> Centre:
    """Return the centre a card states, with the published values.

    Raises
    ------
    InputError
        If its distribution is not ``"published"``, or unit or reason is missing.
    """
    where = f"{where}: prior {name!r}"
    if not isinstance(entry, dict):
        raise InputError(
            f"{where} is {shown(entry)}; expected a table with distribution, unit, reason."
        )
    kind = text_of(entry, "distribution", where, "")
    if kind != "published":
        raise InputError(f"{where} has distribution {shown(kind)}; expected published.")
    refuse_unknown_keys(where, entry, ("distribution", "unit", "reason", "source"))
    return Centre(name, _published(name, instrument), **read_wording(entry, where), where=where)


def _published(name: str, instrument: Instrument) -> dict[str, float]:
    """Return published throughputs or a coefficient; the loss is L = ln[A / (A + B)]."""
    if name == "D_centre":
        return published_throughput(instrument)
    table = published_coefficients(instrument)
    a, b = (table[column].to_value(instrument.factor_unit) for column in ("A", "B"))
    columns = {
        "A_centre": a,
        "loss_centre": np.log(a / (a + b)),
        "tau_centre": table["tau"].to_value("d"),
    }
    return dict(zip(map(str, table["filter"]), map(float, columns[name]), strict=True))
