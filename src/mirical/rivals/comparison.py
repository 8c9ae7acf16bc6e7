"""Comparison of rival models: elpd, stacking weights, forecasts, hindcasts, as tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from astropy import units as u
from astropy.table import QTable
from numpy.typing import NDArray

from mirical.cards.card import Card
from mirical.jobs.inputs import Inputs
from mirical.laws.timelaw import LAWS
from mirical.many.running import run_here
from mirical.many.tasks import Result, Runner
from mirical.pages.page_folder import AboutRun
from mirical.rivals.fits import (
    Found,
    Item,
    Predictions,
    RivalPlan,
    put_together,
    rival_tasks,
)
from mirical.rivals.stacking import (
    Standing,
    mixture_density,
    mixture_quantiles,
    mixture_share,
    standings,
)

Floats = NDArray[np.float64]

STACK = "stack"
"""Name of the mixture of all models in tables."""

UNTIL = 62502.0
"""MJD of 2030-01-01."""

_DATES = 31
_QUANTILES = {"q025": 0.025, "q16": 0.16, "q50": 0.5, "q84": 0.84, "q975": 0.975}


class ModelComparison(AboutRun):
    """What rival models say of a run's rows: tables models, forecast and, with cuts, hindcasts."""


def forecast_dates(inputs: Inputs, until: float) -> Floats:
    """Return the epochs C is told at: evenly from t0, the rows' last one among them."""
    t0 = inputs.design.t0
    last = t0 + float(np.max(inputs.design.elapsed))
    return np.union1d(np.linspace(t0, max(until, last), _DATES), [last])


def fit_rivals(
    inputs: Inputs,
    cards: Sequence[Card],
    plan: RivalPlan,
    begin: Callable[[str, int], Callable[[], None]],
    run: Runner = run_here,
) -> dict[str, Found]:
    """Fit every card; return what all predict, by card.

    Parameters
    ----------
    inputs : Inputs
        The run's rows.
    cards : sequence of Card
        The rivals.
    plan : RivalPlan
        What is asked of each.
    begin : callable
        Told of a card and the number of its fits, returns who is told of each.
    run : Runner
        Makes the fits.
    """
    tasks = {card.name: rival_tasks(inputs.design, card, plan) for card in cards}
    each = [(name, task) for name, of in tasks.items() for task in of]
    advance = {name: begin(name, len(of)) for name, of in tasks.items()}
    results: dict[int, Result] = {}

    def take(number: int, result: Result) -> None:
        results[number] = result
        advance[each[number][0]]()

    run([task for _, task in each], take)
    of_card: dict[str, list[tuple[Item, Result]]] = {name: [] for name in tasks}
    for number in sorted(results):
        name, task = each[number]
        of_card[name].append((task.item, results[number]))
    return {name: put_together(found) for name, found in of_card.items()}


def compare_models(
    name: str,
    attrs: dict[str, Any],
    inputs: Inputs,
    cards: Sequence[Card],
    found: Mapping[str, Found],
    plan: RivalPlan,
) -> ModelComparison:
    """Return the comparison, the forecasts and the hindcasts of fitted rivals."""
    whole = {card: of[None] for card, of in found.items()}
    t0, instrument = inputs.design.t0, inputs.instrument
    unit = instrument.factor_unit
    stands = standings(whole)
    tables = {
        "models": model_table(cards, whole, stands),
        "forecast": forecast_table(inputs.design.bands, whole, stands, plan, unit),
    }
    if any(len(of) > 1 for of in found.values()):
        hindcasts = hindcast_table(found, t0)
        if len(hindcasts):
            tables["hindcasts"] = hindcasts
    for table in tables.values():
        table.meta |= {"run": name, "seed": int(attrs["seed"]), "chains": plan.chains}
        table.meta |= {"rows_end_mjd": t0 + float(np.max(inputs.design.elapsed))}
        if attrs["simulated"]:
            table.meta["simulated"] = True
    return ModelComparison(name, attrs, tables, instrument)


def model_table(
    cards: Sequence[Card], whole: Mapping[str, Predictions], stands: Mapping[str, Standing]
) -> QTable:
    """Return a line a model, the best first and those that failed last."""
    of = {card.name: card for card in cards}
    order = [*stands, *(card for card in whole if card not in stands)]
    nothing = Standing(np.nan, np.nan, np.nan, np.nan, 0.0, 0)
    ordered = [stands.get(card, nothing) for card in order]
    table = QTable()
    table["model"] = order
    table["title"] = [of[card].title for card in order]
    table["law"] = [_law(of[card]) for card in order]
    for column in ("elpd", "elpd_se", "behind", "behind_se"):
        table[column] = [round(float(getattr(one, column)), 2) for one in ordered]
    table["weight"] = [round(one.weight, 3) for one in ordered]
    table["rough_rows"] = [one.rough for one in ordered]
    table["problem"] = [whole[card].problem for card in order]
    table["elpd"].info.description = "Expected log predictive density, each row given all others"
    table["behind"].info.description = "How far elpd is behind the best"
    table["behind_se"].info.description = "Its standard error, that of the draws included"
    table["weight"].info.description = "Share in the stack"
    table["rough_rows"].info.description = "Rows whose Pareto k is above 0.7"
    table["problem"].info.description = "Why the fit must not be believed"
    table.meta["title"] = "Rival models of the same rows"
    return table


def _law(card: Card) -> str:
    return LAWS[card.law].equation if card.has("response_loss") else "C(t) = A"


def forecast_table(
    bands: Sequence[str],
    whole: Mapping[str, Predictions],
    stands: Mapping[str, Standing],
    plan: RivalPlan,
    unit: u.UnitBase,
) -> QTable:
    """Return C of each band, in the reference, under each time law and the stack of all models."""
    dates = plan.dates
    draws = {card: whole[card].log_c for card in stands}
    mixtures = {card: {card: 1.0} for card in stands if card in plan.timed}
    mixtures[STACK] = {card: one.weight for card, one in stands.items()}
    pieces = []
    for model, weights in mixtures.items():
        found = np.exp(mixture_quantiles(draws, weights, tuple(_QUANTILES.values())))
        for b, band in enumerate(bands):
            piece = QTable({"model": [model] * len(dates), "filter": [band] * len(dates)})
            piece["mjd"] = dates * u.d
            for name, values in zip(_QUANTILES, found[:, b], strict=True):
                piece[f"c_{name}"] = values * unit
            pieces.append(piece)
    table = QTable({n: np.concatenate([p[n] for p in pieces]) for n in pieces[0].colnames})
    table.meta["title"] = "Calibration factors under each time law and their stack"
    return table


def hindcast_table(found: Mapping[str, Found], t0: float) -> QTable:
    """Return how fits to the rows before each cut date predict those after it."""
    cuts = sorted({cut for of in found.values() for cut in of if cut is not None})
    lines = []
    for cut in cuts:
        past = {card: of[cut] for card, of in found.items() if cut in of}
        lines += [{"cut_mjd": round(t0 + cut, 3), **line} for line in _hindcasts(past)]
    if not lines:
        return QTable()
    table = QTable(rows=lines)
    table["cut_mjd"] = table["cut_mjd"] * u.d
    table["rows_after"].info.description = "Later rows that those before say anything of"
    table["log_score"].info.description = "Mean log density of a later row"
    table["inside_68"].info.description = "Later rows in the central 68 % of their prediction"
    table["inside_95"].info.description = "The same of 95 %"
    table.meta["title"] = "Rows after a date, predicted from those before it"
    return table


def _hindcasts(past: Mapping[str, Predictions]) -> list[dict[str, Any]]:
    stands = standings(past)
    later = {card: past[card].later for card in stands}
    shares = {card: past[card].share for card in stands}
    mixtures = {card: {card: 1.0} for card in past if card in stands}
    if stands:
        mixtures[STACK] = {card: one.weight for card, one in stands.items()}
    lines = []
    for model, weights in mixtures.items():
        density, share = mixture_density(later, weights), mixture_share(shares, weights)
        # A star of unknown flux that was not seen before is predicted by nothing.
        told = np.isfinite(share)
        if not told.any():
            continue
        density, share = density[told], share[told]
        lines.append(
            {
                "model": model,
                "weight": round(stands[model].weight, 3) if model in stands else 1.0,
                "rows_before": past[next(iter(stands))].log_likelihood.shape[1],
                "rows_after": len(density),
                "log_score": round(float(density.mean()), 4),
                "inside_68": int(np.sum((share > 0.16) & (share < 0.84))),
                "inside_95": int(np.sum((share > 0.025) & (share < 0.975))),
            }
        )
    return lines
