"""Printed tables of the method: diagnostics, priors, provenance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from mirical.cards.card import Card
from mirical.chains.convergence import (
    BFMI_LIMIT,
    MEAN_NOISE_LIMIT,
    RHAT_LIMIT,
    error_noise_limit,
    mean_noise_limit,
)
from mirical.chains.verdict import Verdict
from mirical.jobs.job import Job
from mirical.number_text import Entry, Sheet, count, number, text

PASSES, FAILS = "passes", "FAILS"

_Check = tuple[str, Entry, str, str, bool]

_CALLED = {
    "job": "Job",
    "card": "Model card",
    "instrument": "Instrument's card, or folder with it",
    "time_law": "Time law",
    "reference_mjd": "Reference epoch, MJD",
    "seed": "Seed",
    "photometry": "Photometry",
    "photometry_sha256": "SHA-256 of the photometry",
    "simulated": "Simulated data",
    "method": "Draws made by",
    "parent": "Run that was updated",
    "parent_sha256": "SHA-256 of its manifest",
    "new_rows": "Rows added",
    "new_rows_sha256": "SHA-256 of the rows added",
    "pareto_k": "Pareto k of the weights",
    "effective_draws": "Effective draws of the weights",
}


def diagnostic_sheet(verdict: Verdict) -> Sheet:
    """Return the numbers of the verdict beside their limits."""
    v = verdict
    rhat, noise, mean = f"at most {RHAT_LIMIT}", error_noise_limit(v.target_ess), MEAN_NOISE_LIMIT
    if v.weighted:
        rhat, mean = "not judged", mean_noise_limit(v.target_ess)
    checks = (
        ("R-hat, largest", number(v.worst_rhat, 4), v.worst_rhat_of, rhat,
         v.weighted or v.worst_rhat <= RHAT_LIMIT),
        ("Bulk effective draws, fewest", number(v.min_ess_bulk, 0), v.min_ess_bulk_of,
         f"at least {v.target_ess}", v.min_ess_bulk >= v.target_ess),
        ("Tail effective draws, fewest", number(v.min_ess_tail, 0), v.min_ess_tail_of,
         f"at least {v.target_ess_tail}", v.min_ess_tail >= v.target_ess_tail),
        ("Monte-Carlo error of an error, largest (%)", number(100 * v.error_noise, 1),
         v.error_noise_of, f"at most {100 * noise:.1f}", v.error_noise <= noise),
        ("Monte-Carlo error of a mean, largest (% of its error)", number(100 * v.mean_noise, 1),
         v.mean_noise_of, f"at most {100 * mean:.1f}", v.mean_noise <= mean),
        *(_of_weights(v) if v.weighted else _of_chains(v)),
    )  # fmt: skip
    lines = tuple(
        (text(name), found, text(of), text(limit), text(PASSES if passes else FAILS))
        for name, found, of, limit, passes in checks
    )
    return Sheet("Checks of the sampler", ("Check", "Found", "Of", "Limit", "Verdict"), lines)


def _of_chains(v: Verdict) -> tuple[_Check, ...]:
    bfmi = np.nan if v.min_bfmi is None else v.min_bfmi
    return (
        ("E-BFMI, smallest", number(bfmi, 2), "energy", f"at least {BFMI_LIMIT}",
         bfmi >= BFMI_LIMIT),
        ("Divergent draws", count(v.divergences), "all chains", "none", v.divergences == 0),
    )  # fmt: skip


def _of_weights(v: Verdict) -> tuple[_Check, ...]:
    limit = np.nan if v.pareto_k_limit is None else v.pareto_k_limit
    found: list[_Check] = []
    if v.pareto_k is not None:
        k = v.pareto_k
        found.append(("Pareto k of the weights", number(k, 2), "all draws", f"below {limit:.2f}",
                      k < limit))  # fmt: skip
    if v.effective_draws is not None:
        left = v.effective_draws
        found.append(("Effective draws of the weights", number(left, 0), "all draws",
                      f"at least {v.target_ess}", left >= v.target_ess))  # fmt: skip
    return tuple(found)


def prior_sheet(card: Card) -> Sheet:
    """Return every prior of the card in words, and what it is relative to."""
    priors = [(term, entry) for term in card.terms for entry in card.stated(term)]
    lines = tuple(
        (
            text(prior.name),
            text(term),
            text(prior.describe()),
            text("none" if prior.unit == "1" else prior.unit),
            text(prior.reason),
            text(prior.source or "–"),
        )
        for term, prior in priors
    )
    heads = ("Quantity", "Term", "Prior", "Unit", "Reason", "Source of the reason")
    return Sheet("Priors", heads, lines)


def provenance_sheet(job: Job, attrs: Mapping[Any, object]) -> Sheet:
    """Return what is needed to repeat the run."""
    stated = {_CALLED.get(key, f"Version of {key}"): entry for key, entry in attrs.items()}
    stated["Simulated data"] = "yes" if attrs.get("simulated") else "no"
    stated["Predicted fluxes"] = _file_name(job.predicted_fluxes)
    settings = {name: value for name, value in asdict(job.sampler).items() if value is not None}
    said = (f"{name.replace('_', ' ')} {value}" for name, value in settings.items())
    stated["Sampler"] = ", ".join(said)
    lines = tuple((text(name), text(entry)) for name, entry in stated.items())
    return Sheet("What it takes to repeat this run", ("What", "Which"), lines)


def _file_name(path: str) -> str:
    """Return the last part of a path: where a file lay on somebody's disk says nothing."""
    return path.replace("\\", "/").rsplit("/", 1)[-1]
