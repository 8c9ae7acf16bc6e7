"""Model cards: the terms of a model and every prior, read from TOML and checked."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from mirical.cards.card_files import read_card_files, with_base
from mirical.cards.priors import Prior, read_prior, text_of
from mirical.cards.published_values import CENTRES, Centre, read_centre
from mirical.cards.settings import SETTINGS, read_setting
from mirical.errors import InputError, did_you_mean, refuse_unknown_keys, shown
from mirical.html_text import paragraph, table
from mirical.instruments.instrument import Instrument
from mirical.laws.timelaw import ADDITIVE, LAWS
from mirical.storage.shipped import resolve
from mirical.storage.toml_files import parse_toml

TERMS: dict[str, tuple[str, ...]] = {
    "factor": ("A",),
    "response_loss": (
        "loss_scale",
        "loss_slope",
        "loss_length",
        "loss_departure",
        "tau_median",
        "tau_spread",
    ),
    "subarray": ("subarray_scale", "subarray_band_scale"),
    "flux_scale": ("flux_scale_unc",),
    "star_offset": ("star_scale", "type_scale"),
    "type_band_offset": ("type_band_scale", "type_band_length"),
    "star_band_offset": ("colour_scale", "colour_tail", "colour_length", "colour_roughness"),
    "free_flux": (),
    "visit_offset": ("visit_scale",),
    "repeatability": ("repeatability_median", "repeatability_spread", "repeatability_limit"),
    "outliers": ("outlier_fraction", "outlier_width"),
    "step": ("step_scale", "step_band_scale"),
    "time_departure": ("departure_scale", "departure_length", "departure_slope"),
    "rate_slope": ("rate_slope_scale", "rate_pivot"),
    "well_slope": ("well_slope_scale", "well_pivot"),
    "reduction_offset": ("reduction_scale",),
}
"""Every term a card may use, with the priors it must state."""

BY_CHOICE = ("free_flux", "step", "time_departure", "well_slope", "reduction_offset")
"""Terms that no shipped card uses: they need a date, a band or a column, or stars without
predicted fluxes."""

SETTLING = "loss_scale", "loss_departure", "tau_median", "tau_spread"
"""Priors of a loss that settles; a card with another time law need not state them, and those of
its base are then of no use."""

PIVOTS = {"loss_pivot": 15.0, "departure_pivot": 15.0}
"""Wavelengths [micron] at which a card states the size of the loss and of a departure from the
time law, where it does not name another."""

_OPTIONAL = {"response_loss": ("loss_pivot",), "time_departure": ("departure_pivot",)}
_ALWAYS = ("factor", "repeatability")
_POSITIVE = ("log-normal", "half-normal", "beta", "fixed")
_MAY_BE: dict[str, tuple[str, ...]] = {
    "A": ("log-normal",),  # the terms take its median and spread
    "flux_scale_unc": ("fixed",),
    "loss_slope": ("fixed",),
    "loss_length": ("fixed",),
    "loss_pivot": ("fixed",),
    "type_band_length": ("fixed",),
    "colour_length": ("fixed",),
    "colour_roughness": ("fixed",),
    "colour_tail": ("fixed",),
    "repeatability_limit": ("fixed",),
    "slow_share": ("beta", "fixed"),
    "step_scale": ("fixed",),
    "step_band_scale": ("fixed",),
    "departure_scale": ("fixed",),
    "departure_length": ("fixed",),
    "departure_slope": ("fixed",),
    "departure_pivot": ("fixed",),
    "rate_slope_scale": ("fixed",),
    "rate_pivot": ("fixed",),
    "well_slope_scale": ("fixed",),
    "well_pivot": ("fixed",),
    "reduction_scale": ("fixed",),
    "outlier_fraction": ("beta", "fixed"),
}
"""Families of the priors that are not free; all other quantities are positive."""
_FRACTIONS = ("colour_roughness", "slow_share", "outlier_fraction")
MAY_VANISH = (
    "loss_scale",
    "loss_departure",
    "tau_spread",
    "subarray_scale",
    "subarray_band_scale",
    "flux_scale_unc",
    "star_scale",
    "type_scale",
    "type_band_scale",
    "visit_scale",
)
"""Widths that a card may fix at zero, which takes what they are of out of the model.

Not so repeatability_spread, which the sampler's units divide by.
"""
_POWERS = ("loss_slope",)
"""Powers that a card may fix at zero: all bands then lose alike."""
OF_INSTRUMENT = "unit of the instrument"
"""Unit of A in a card that fits any instrument."""
_IN_PROPORTION = {"A_centre": "A", "tau_centre": "tau_median"}
"""Centres that take the unit over from a prior, which then states a ratio."""


@dataclass(frozen=True)
class Card:
    """A model card.

    Attributes
    ----------
    name : str
        File name without ``.toml``.
    title : str
        The model in one sentence.
    priors : dict of {str : Prior}
        Every prior of the terms in use, by quantity.
    centres : dict of {str : Centre}
        What the card states some quantities relative to, by entry.
    terms : tuple of str
        The terms in use, in the order of `TERMS`.
    meanings : dict of {str : str}
        What each term stands for, in the card's words.
    law : str
        Time law of the response loss, one of `mirical.laws.timelaw.LAWS`.
    texts : dict of {str : str}
        The card's file as written and those it is based on, by name.
    settings : dict of {str : tuple}
        By term: dates of steps [MJD, d], bands that a slope is on in.
    """

    name: str
    title: str
    priors: dict[str, Prior]
    centres: dict[str, Centre]
    terms: tuple[str, ...]
    meanings: dict[str, str]
    law: str
    texts: dict[str, str]
    settings: dict[str, tuple[Any, ...]] = field(default_factory=dict)

    @property
    def settles(self) -> bool:
        """Whether the model has a loss that settles with a time constant."""
        return self.has("response_loss") and LAWS[self.law].settles

    @property
    def steps(self) -> tuple[float, ...]:
        """Dates of steps, MJD in days."""
        return self.settings.get("step", ())

    @property
    def text(self) -> str:
        """All that is written of the card, for provenance."""
        return "".join(self.texts.values())

    def has(self, term: str) -> bool:
        """Whether the model has that term."""
        return term in self.terms

    def fixed(self, name: str) -> float:
        """Return the value of a quantity the card fixes, or of `PIVOTS` where it may leave it."""
        return self.priors[name].value if name in self.priors else PIVOTS[name]

    def centre(self, name: str, of: tuple[str, ...], without: float) -> Float[np.ndarray, " name"]:
        """Return the centre of each of some bands or subarrays, `without` if the card has none."""
        return self.centres[name].at(of) if name in self.centres else np.full(len(of), without)

    def stated(self, term: str) -> list[Prior | Centre]:
        """Return what the card states of a term: centres, then priors."""
        centres = [self.centres[n] for n in CENTRES.get(term, ()) if n in self.centres]
        optional = [name for name in _OPTIONAL.get(term, ()) if name in self.priors]
        return centres + [self.priors[name] for name in (*priors_of(term, self.law), *optional)]

    def _repr_html_(self) -> str:
        stated = [(term, one) for term in self.terms for one in self.stated(term)]
        lines = [
            (one.name, term, one.describe(), "" if one.unit == "1" else one.unit, one.reason)
            for term, one in stated
        ]
        heads = ("quantity", "term", "prior", "unit", "reason")
        return paragraph(f"Card {self.name}: {self.title}") + table("priors", heads, lines)


def load_card(name: str, where: str, instrument: Instrument, beside: Path | None = None) -> Card:
    """Read a shipped card by name, or a card file by path, for an instrument's bands.

    Raises
    ------
    InputError
        If the card or its base is missing, is not TOML, or states a term or
        prior that cannot be used; names the card, the entry and the remedy.
    """
    path = resolve("models", name, where, beside)
    texts = read_card_files(path)
    content: dict[str, Any] = {}
    for base in reversed(texts):
        content = with_base(parse_toml(texts[base], f"{base}.toml"), content)
    return _read(content, (path.stem, path.name), texts, instrument)


def parse_card(text: str, name: str, where: str, instrument: Instrument) -> Card:
    """Return the card written in `text`, which has no base; see `load_card`."""
    return _read(parse_toml(text, where), (name, where), {name: text}, instrument)


def _read(
    content: dict[str, Any], called: tuple[str, str], texts: dict[str, str], instrument: Instrument
) -> Card:
    name, where = called
    refuse_unknown_keys(where, content, ("title", "base", "term"))
    terms = content.get("term", {})
    if not isinstance(terms, dict):
        raise InputError(f"{where}: term is {shown(terms)}; expected tables [term.NAME].")
    for term in terms:
        if term not in TERMS:
            raise InputError(f"{where}: unknown term {term!r}{did_you_mean(term, TERMS)}")
    for term in _ALWAYS:
        if not _in_use(terms.get(term, {"use": False}), f"{where}: term {term!r}"):
            raise InputError(f"{where}: term {term!r} is missing; every model needs it.")
    used = tuple(t for t in TERMS if t in terms and _in_use(terms[t], f"{where}: term {t!r}"))
    law = _law(terms["response_loss"], where) if "response_loss" in used else ADDITIVE
    priors: dict[str, Prior] = {}
    centres: dict[str, Centre] = {}
    for term in used:
        entries = _entries(term, law, terms[term], where)
        centres |= _read_centres(term, law, entries, where, instrument)
        priors |= _read_priors(term, law, entries, where)
    if "A_centre" not in centres:
        priors["A"] = _in_factor_unit(priors["A"], instrument, where)
    meanings = {term: text_of(terms[term], "means", f"{where}: term {term!r}", "") for term in used}
    title = text_of(content, "title", where, name)
    settings = {
        term: read_setting(term, terms[term], where, instrument)
        for term in used
        if term in SETTINGS
    }
    return Card(name, title, priors, centres, used, meanings, law, texts, settings)


def priors_of(term: str, law: str) -> tuple[str, ...]:
    """Return the quantities a card must state priors of for a term."""
    if term != "response_loss":
        return TERMS[term]
    unused = () if LAWS[law].settles else SETTLING
    return (*(name for name in TERMS[term] if name not in unused), *LAWS[law].priors)


def _centres_of(term: str, law: str) -> tuple[str, ...]:
    if term == "response_loss" and not LAWS[law].settles:
        return ()
    return CENTRES.get(term, ())


def _law(term: dict[str, object], where: str) -> str:
    law = term.get("law", ADDITIVE)
    if not isinstance(law, str) or law not in LAWS:
        known = ", ".join(LAWS)
        raise InputError(
            f"{where}: term 'response_loss': law is {shown(law)}; expected one of {known}."
        )
    return law


def _in_use(term: object, where: str) -> bool:
    if not isinstance(term, dict):
        raise InputError(f"{where} is {shown(term)}; expected a table.")
    use = term.get("use", True)
    if not isinstance(use, bool):
        raise InputError(f"{where}: use is {shown(use)}; expected true or false.")
    return use


def _entries(term: str, law: str, content: dict[str, object], where: str) -> dict[str, object]:
    own = ("law",) if term == "response_loss" else (SETTINGS[term],) if term in SETTINGS else ()
    keys = ("use", "means", "prior", *own)
    refuse_unknown_keys(f"{where}: term {term!r}", content, keys)
    entries = content.get("prior", {})
    if not isinstance(entries, dict):
        raise InputError(f"{where}: term {term!r}: prior is {shown(entries)}; expected a table.")
    known = dict.fromkeys((*CENTRES.get(term, ()), *TERMS[term], *priors_of(term, law)))
    known |= dict.fromkeys(_OPTIONAL.get(term, ()))
    refuse_unknown_keys(f"{where}: term {term!r}: prior", entries, known)
    return entries


def _read_priors(term: str, law: str, entries: dict[str, object], where: str) -> dict[str, Prior]:
    priors = {}
    for name in priors_of(term, law):
        if name not in entries:
            raise InputError(
                f"{where}: term {term!r} states no prior for {name!r}; add "
                f"[term.{term}.prior.{name}], or a base that has it."
            )
        priors[name] = read_prior(name, entries[name], where)
        _refuse_unusable(priors[name], f"{where}: prior {name!r}")
    for name in _OPTIONAL.get(term, ()):
        if name in entries:
            priors[name] = read_prior(name, entries[name], where)
            _refuse_unusable(priors[name], f"{where}: prior {name!r}")
    for centre, name in _IN_PROPORTION.items():
        if centre in entries and name in priors and priors[name].unit != "1":
            raise InputError(
                f"{where}: prior {name!r} has unit {priors[name].unit!r}; expected '1', "
                f"for with {centre!r} it is in proportion to the published value."
            )
    return priors


def _in_factor_unit(prior: Prior, instrument: Instrument, where: str) -> Prior:
    """Return the prior of A, whose numbers are meant in the instrument's unit of factors."""
    unit = instrument.factor_text
    if prior.unit in (unit, OF_INSTRUMENT):
        return replace(prior, unit=unit)
    raise InputError(
        f"{where}: prior 'A' has unit {prior.unit!r}, and factors of {instrument.name} are in "
        f"{unit}; state it in that unit, or base the card on 'imager', which fits any instrument."
    )


def _read_centres(
    term: str, law: str, entries: dict[str, object], where: str, instrument: Instrument
) -> dict[str, Centre]:
    names = [name for name in _centres_of(term, law) if name in entries]
    return {name: read_centre(name, entries[name], where, instrument) for name in names}


def _refuse_unusable(prior: Prior, where: str) -> None:
    families = _MAY_BE.get(prior.name, _POSITIVE)
    if prior.family not in families:
        raise InputError(
            f"{where} has distribution {prior.family!r}; expected {' or '.join(families)}."
        )
    if not prior.is_fixed:
        return
    may_be_zero = prior.name in (*MAY_VANISH, *_POWERS)
    if may_be_zero and prior.value < 0:
        raise InputError(f"{where} has value {prior.value:g}; expected zero or a positive number.")
    if not may_be_zero and prior.value <= 0:
        raise InputError(f"{where} has value {prior.value:g}; expected a positive number.")
    if prior.name in _FRACTIONS and prior.value >= 1:
        raise InputError(f"{where} has value {prior.value:g}; expected a fraction below 1.")
