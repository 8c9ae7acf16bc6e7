"""Families of prior distributions that a card may name."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpyro.distributions as dist
from numpyro.distributions import constraints
from numpyro.distributions.transforms import AffineTransform, ExpTransform, Transform

from mirical.errors import InputError, did_you_mean, refuse_unknown_keys, shown
from mirical.text import one_line

_LARGEST = sys.float_info.max


class HalfNormal(dist.HalfNormal):
    """Half-normal explored in the inverse softplus of the value.

    In its logarithm, numpyro's choice, the density falls like exp(-exp(2x)):
    a wall that trajectories hit and diverge at.
    """

    support = constraints.softplus_positive


class Gamma(dist.Gamma):
    """Gamma explored in the inverse softplus of the value, for the same reason."""

    support = constraints.softplus_positive


@dataclass(frozen=True)
class Family:
    """A family of priors.

    Attributes
    ----------
    parameters : tuple of str
        Keys a card gives, in the order `build` takes them.
    positive : tuple of str
        Those of them that must be positive.
    build : callable
        Makes the numpyro distribution.
    standard : bool
        Whether `build` transforms a standard distribution, so that the
        sampler can move in its units.
    describe : str
        Format of the prior in words, for the report.
    """

    parameters: tuple[str, ...]
    positive: tuple[str, ...]
    build: Callable[..., dist.Distribution]
    describe: str
    standard: bool = False


def _scaled(base: dist.Distribution, *steps: Transform) -> dist.Distribution:
    return dist.TransformedDistribution(base, list(steps))


FAMILIES: dict[str, Family] = {
    "fixed": Family(("value",), (), dist.Delta, "fixed at {value:g}"),
    "normal": Family(
        ("mean", "sd"),
        ("sd",),
        lambda mean, sd: _scaled(dist.Normal(), AffineTransform(mean, sd)),
        "normal, {mean:g} ± {sd:g}",
        standard=True,
    ),
    "half-normal": Family(
        ("scale",),
        ("scale",),
        lambda scale: _scaled(HalfNormal(), AffineTransform(0.0, scale, constraints.positive)),
        "half-normal, scale {scale:g}",
        standard=True,
    ),
    "log-normal": Family(
        ("median", "spread"),
        ("median", "spread"),
        lambda median, spread: _scaled(
            dist.Normal(), AffineTransform(np.log(median), spread), ExpTransform()
        ),
        "log-normal, median {median:g}, spread {spread:g} in ln",
        standard=True,
    ),
    "beta": Family(("a", "b"), ("a", "b"), dist.Beta, "beta({a:g}, {b:g})"),
}


@dataclass(frozen=True)
class Prior:
    """One prior of a card.

    Attributes
    ----------
    name : str
        The quantity, as it is called in the posterior.
    family : str
        A key of `FAMILIES`.
    parameters : dict of {str : float}
        The family's parameters, in `unit`.
    unit : str
        Unit of the quantity; ``"1"`` for a fraction.
    reason : str
        Why this prior, in one line.
    source : str
        Where the reason comes from; may be empty.
    """

    name: str
    family: str
    parameters: dict[str, float]
    unit: str
    reason: str
    source: str = ""

    @property
    def is_fixed(self) -> bool:
        """Whether the quantity is a constant."""
        return self.family == "fixed"

    @property
    def is_standard(self) -> bool:
        """Whether the sampler moves in the units of a standard distribution."""
        return FAMILIES[self.family].standard

    @property
    def value(self) -> float:
        """The value of a fixed prior."""
        return self.parameters["value"]

    def distribution(self) -> dist.Distribution:
        """Return the numpyro distribution."""
        family = FAMILIES[self.family]
        return family.build(*(self.parameters[key] for key in family.parameters))

    def describe(self) -> str:
        """Return the prior in words, e.g. ``log-normal, median 0.02, spread 0.35 in ln``."""
        return FAMILIES[self.family].describe.format(**self.parameters)


def read_prior(name: str, entry: object, where: str) -> Prior:
    """Return the prior a card states, checked.

    Raises
    ------
    InputError
        If the family is unknown, a parameter is missing, unknown, not a
        number or not positive where it must be, or unit or reason is missing.
    """
    where = f"{where}: prior {name!r}"
    if not isinstance(entry, dict):
        raise InputError(
            f"{where} is {shown(entry)}; expected a table with distribution, unit, reason."
        )
    kind = text_of(entry, "distribution", where, "")
    if kind not in FAMILIES:
        raise InputError(f"{where} has distribution {kind!r}{did_you_mean(kind, FAMILIES)}")
    family = FAMILIES[kind]
    refuse_unknown_keys(
        where, entry, ("distribution", *family.parameters, "unit", "reason", "source")
    )
    wording = read_wording(entry, where)
    parameters = {
        key: _number(entry, key, key in family.positive, where) for key in family.parameters
    }
    return Prior(name, kind, parameters, **wording)


def read_wording(entry: dict[str, object], where: str) -> dict[str, str]:
    """Return unit, reason and source of an entry.

    Raises
    ------
    InputError
        If unit or reason is missing.
    """
    wording = {key: text_of(entry, key, where, "") for key in ("unit", "reason", "source")}
    for key in ("unit", "reason"):
        if not wording[key].strip():
            raise InputError(f"{where} states no {key}; every prior needs a unit and a reason.")
    return wording


def text_of(content: dict[str, object], key: str, where: str, without: str) -> str:
    """Return the text of a key of a card in one line, `without` where there is none.

    Raises
    ------
    InputError
        If it is no text.
    """
    value = content.get(key, without)
    if not isinstance(value, str):
        raise InputError(f"{where}: {key} is {shown(value)}; expected a text in quotes.")
    return one_line(value)


def _number(entry: dict[str, object], key: str, positive: bool, where: str) -> float:
    value = entry.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < _LARGEST:
        got = "is missing" if value is None else f"is {shown(value)}"
        raise InputError(f"{where}: {key} {got}; expected a number.")
    if positive and value <= 0:
        raise InputError(f"{where} has {key} {value:g}; expected a positive number.")
    return float(value)
