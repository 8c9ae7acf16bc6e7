"""A plan: candidates ranked by the fall of a goal's variance per hour, and a greedy set of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import xarray as xr
from astropy import units as u
from astropy.table import QTable
from numpy.typing import NDArray

from mirical.inference.gaussian import Gaussians
from mirical.inference.gaussian_draws import row_sites
from mirical.jobs.inputs import Inputs
from mirical.number_text import measured
from mirical.pages.page_folder import AboutRun
from mirical.planning.augmented import augment
from mirical.planning.candidates import Candidates
from mirical.planning.goals import Goal
from mirical.planning.greedy import Prospect, choose, path
from mirical.planning.moments import Moments, moments

Floats = NDArray[np.float64]

FEWEST_DRAWS = 100
"""Draws fewer than which tell no covariance."""

_PERCENT = 100.0


@dataclass(frozen=True)
class Asked:
    """What is asked of a run.

    Attributes
    ----------
    goal : Goal
        Whose error is to be lowered.
    hours : float
        What the chosen set may cost.
    draws : int
        Draws of the posterior that are averaged over, evenly spread.
    """

    goal: Goal
    hours: float
    draws: int


@dataclass(frozen=True)
class Plan(AboutRun):
    """What is worth observing; its tables are ``plan`` and ``set``.

    Attributes
    ----------
    goal : str
        Whose error is to be lowered.
    hours : float
        What the chosen set may cost.
    error, error_mc : float
        Error of the goal now, percent, and its Monte-Carlo error.
    sentences : tuple of str
        What the tables say.
    """

    goal: str
    hours: float
    error: float
    error_mc: float
    sentences: tuple[str, ...]


def run_moments(
    posterior: xr.DataTree,
    inputs: Inputs,
    planned: Candidates,
    asked: Asked,
    advance: Callable[[int], None],
) -> Moments:
    """Return what the draws of a run say of a goal and of candidates; see `make_plan`."""
    design, card, seed = inputs.design, inputs.card, int(posterior.attrs["seed"])
    group = posterior["posterior"].to_dataset()
    drawn = {str(name): np.asarray(group[name]) for name in group}
    sites, repeatability = row_sites(drawn, card), drawn["repeatability"]
    repeatability = repeatability.reshape(-1, repeatability.shape[-1])
    count = len(repeatability)
    wanted = np.linspace(0, count - 1, min(asked.draws, count)).astype(int)
    joined = augment(design, card, planned, asked.goal.atoms)
    random = np.random.default_rng([seed, len(wanted)])
    taken = joined.sites({name: value[wanted] for name, value in sites.items()}, card, random)
    gaussians = Gaussians(taken, joined.design, card, seed)
    return moments(gaussians, joined, planned, asked.goal, repeatability[wanted], advance)


def make_plan(
    name: str,
    posterior: xr.DataTree,
    inputs: Inputs,
    planned: Candidates,
    asked: Asked,
    advance: Callable[[int], None],
) -> Plan:
    """Rank candidates and choose a set; writes nothing.

    Parameters
    ----------
    name : str
        The run's.
    posterior, inputs : DataTree, Inputs
        As `mirical.reporting.stored_inputs.open_run` returns them.
    planned : Candidates
        What could be observed.
    asked : Asked
        What for.
    advance : callable
        Told of so many more draws done.
    """
    found = run_moments(posterior, inputs, planned, asked, advance)
    prospect = found.prospect()
    units = list(dict.fromkeys(planned.units))
    rows, hours = [planned.rows_of(unit) for unit in units], [planned.hours[u_] for u_ in units]
    chosen = choose(prospect, rows, hours, asked.hours)
    order = [step.unit for step in chosen]
    variances = np.array([prospect.variance, *(step.variance for step in chosen)])

    def alone(of: Prospect) -> Floats:
        return np.array([of.gain(one) for one in rows]) / of.variance

    def along(of: Prospect) -> Floats:
        return np.sqrt([of.variance, *path(of, [rows[number] for number in order])])

    falls, falls_mc, errors_mc = alone(prospect), found.error(alone), found.error(along)
    table = _described(planned, units, rows)
    table["cost_hours"] = np.array(hours) * u.h
    table["fall_pct"] = _PERCENT * falls * u.percent
    table["fall_pct_mc"] = _PERCENT * falls_mc * u.percent
    table["fall_per_hour_pct"] = _PERCENT * falls / hours * u.percent / u.h
    left = np.sqrt(prospect.variance * np.clip(1 - falls, 0, None))
    table["error_after_pct"] = _PERCENT * left * u.percent
    table["step"] = [order.index(i) + 1 if i in order else 0 for i in range(len(units))]
    steps = table["candidate", "name", "filter", "subarray", "mjd", "cost_hours"][order]
    steps.add_column(np.arange(1, len(order) + 1), name="step", index=0)
    steps["total_hours"] = np.cumsum([hours[i] for i in order]) * u.h
    steps["fall_pct"] = -_PERCENT * np.diff(variances) / variances[0] * u.percent
    steps["alone_pct"] = _PERCENT * falls[order] * u.percent
    steps["error_after_pct"] = _PERCENT * np.sqrt(variances[1:]) * u.percent
    steps["error_after_pct_mc"] = _PERCENT * errors_mc[1:] * u.percent
    ranked = table[np.argsort(-table["fall_per_hour_pct"].value, kind="stable")]
    ranked.add_column(np.arange(1, len(units) + 1), name="rank", index=0)
    attrs = {str(key): value for key, value in posterior.attrs.items()}
    now, now_mc = (float(_PERCENT * one[0]) for one in (np.sqrt(variances), errors_mc))
    about = {
        "goal": asked.goal.text,
        "error_now_pct": now,
        "error_now_pct_mc": now_mc,
        "hours": asked.hours,
        "draws": len(found.means),
    }
    for each in (ranked, steps):
        each.meta |= about
    worst = _worst(prospect, asked.goal)
    said = _sentences(asked, ranked, steps, (now, now_mc), worst)
    tables = {"plan": ranked, "set": steps}
    return Plan(
        name, attrs, tables, inputs.instrument, asked.goal.text, asked.hours, now, now_mc, said
    )


def _described(planned: Candidates, units: list[str], rows: list[NDArray[np.intp]]) -> QTable:
    """Return a line for each unit: its stars, bands, subarrays, first epoch and exposures."""

    def listed(of: tuple[str, ...]) -> list[str]:
        return [", ".join(dict.fromkeys(of[i] for i in one)) for one in rows]

    table = QTable({"candidate": units})
    table["name"], table["filter"] = listed(planned.stars), listed(planned.bands)
    table["subarray"] = listed(planned.subarrays)
    table["mjd"] = [float(planned.mjd[one].min()) for one in rows] * u.d
    table["exposures"] = [int(planned.exposures[one].sum()) for one in rows]
    return table


def _worst(prospect: Prospect, goal: Goal) -> str:
    """Return which form the goal's variance is of, where it has several."""
    if len(goal.names) == 1:
        return ""
    return f" ({goal.names[int(np.argmax(prospect.variances))]})"


def _sentences(
    asked: Asked, ranked: QTable, steps: QTable, now: tuple[float, float], worst: str
) -> tuple[str, ...]:
    """Say what the tables say."""
    said = [
        f"{asked.goal.text}: its error is {now[0]:.3g} % (one standard deviation){worst} "
        f"and stays so if nothing is observed (Monte-Carlo error {now[1]:.1g})."
    ]
    if not len(steps):
        least = float(np.min(ranked["cost_hours"].value))
        said.append(
            f"No candidate that lowers it costs {asked.hours:g} h or less; the cheapest candidate "
            f"costs {least:.3g} h."
        )
        return tuple(said)
    last, first = steps[-1], ranked[0]
    fall = float(np.sum(steps["fall_pct"].value))
    plural = "s" * (len(steps) > 1)
    said.append(
        f"{len(steps)} candidate{plural} of {last['total_hours'].value:.3g} h leave "
        f"{last['error_after_pct'].value:.3g} %: the variance falls by {fall:.3g} %."
    )
    said.append(
        f"Most per hour: {first['name']} in {first['filter']} at MJD {first['mjd'].value:.0f} "
        f"({first['candidate']}), which alone lowers the variance by "
        f"{measured(first['fall_pct'].value, first['fall_pct_mc'].value).text} % for "
        f"{first['cost_hours'].value:.3g} h."
    )
    falls = np.cumsum(steps["fall_pct"].value)
    most = int(np.argmax(falls >= 0.9 * falls[-1]))
    if most + 1 < len(steps):
        said.append(
            f"Nine tenths of that fall are had after {steps['total_hours'][most].value:.3g} h; "
            "what comes after adds little."
        )
    return tuple(said)
