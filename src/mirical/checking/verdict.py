"""Verdict of the checks, in sentences."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from astropy.table import QTable

from mirical.checking.quantities import K_LIMIT
from mirical.checking.step_scan import named_step
from mirical.number_text import DATA, floats, percent, rows_with, signed, words

QUESTIONS = {
    "rows": "Does any row lie farther out than the rest of its band allows?",
    "visits": "Is any visit off as a whole?",
    "stars": "Is any star off as a whole?",
    "types": "Do the three types of stars agree?",
    "subarrays": "Is any subarray's ratio another in one band?",
    "sequences": "Do the back-to-back subarray sequences agree with the rest?",
    "time": "Does any band's factor step at some date?",
    "step": "Do all bands step together at some date?",
    "dependence": "Does any band's factor depend on source or detector?",
    "scatter": "Do the rows of every band scatter as their stated errors say?",
    "spread": "Do the stars spread as the model says?",
}
"""What each check asks."""

LIKELY = 0.5
"""Probability above which an anomaly is told of."""
STRONG = 1.0
"""Shift of an A by one star, in sigma, above which it is told of."""
LISTED = 4
"""Bands that are named; of more, the number is told. No more subarrays than that have a D."""


def sentences(tables: Mapping[str, QTable]) -> tuple[str, ...]:
    """Return the verdict: checks that fired first, then stars, rows and their weights."""
    checks = tables["checks"]
    fired = checks[np.asarray(checks["fires"])]
    n = len(checks)
    said = []
    if len(fired):
        said.append(
            f"{len(fired)} of {n} checks fire{'s' if len(fired) == 1 else ''}; "
            f"{n * checks.meta['alarm']:.2g} would by chance."
        )
        said += [f"{_answer(row)}" for row in fired]
        said += step_remedy(checks, tables["steps"])
    else:
        said.append(f"None of {n} checks fires: these rows do not speak against the model.")
    return (
        *said,
        *_stars(tables["anomalies"]),
        *_influence(tables["influence"]),
        *group_sentences(tables["left_out"]),
        *_loo(tables["loo"]),
        *_shares(tables["pit"]),
        *prior_sentences(tables["psense"], tables["prior_words"]),
    )


def step_remedy(checks: QTable, steps: QTable) -> list[str]:
    """Say what to do about a step of all bands, if that check fires."""
    if not np.any(np.asarray(checks["fires"]) & (np.array(words(checks["check"])) == "step")):
        return []
    return [
        "If an event of that time is known (an anneal, a new flat field), add the term step with "
        f"dates = [{named_step(steps).mjd:.0f}] to the card and run again: it measures the step "
        "band by band."
    ]


def _answer(row: QTable.Row) -> str:
    size, error = (float(row[name].value) for name in ("size", "size_unc"))
    by = ""
    if np.isfinite(size):
        each = " a decade" if row["check"] == "dependence" else ""
        by = f", by {percent(size)}{each} ± {error:.1f} %"
    return f"{row['question']} {row['extreme']}{by} (p = {_p(float(row['p_value']))})."


def _p(p_value: float) -> str:
    return "0.0005 or less" if p_value < 6e-4 else f"{p_value:.2g}"


def _stars(anomalies: QTable) -> list[str]:
    likely = anomalies[floats(anomalies["p_excess"]) > LIKELY]
    if not len(likely):
        return [f"No star has an infrared excess with a probability above {LIKELY}."]
    return [
        f"{row['name']} has an infrared excess with probability {float(row['p_excess']):.3f}: "
        f"{row['excess'].value:.1f} ± {row['excess_unc'].value:.1f} % at 25.4 micron. "
        "It stays in the fit, which gives its colours little weight."
        for row in likely
    ]


def _influence(influence: QTable) -> list[str]:
    known = np.array(words(influence["basis"])) != "unknown"
    beside = influence[~np.asarray(influence["alone"]) & known]
    said = []
    if len(beside):
        worst = beside[int(np.argmax(np.abs(floats(beside["shift_sigma"]))))]
        strong = abs(float(worst["shift_sigma"])) > STRONG
        said.append(
            f"The star that moves a factor most is {worst['name']}: without it A of "
            f"{worst['filter']} is {percent(float(worst['shift'].value))} "
            f"({signed(float(worst['shift_sigma']), 1).text} σ) off"
            f"{'' if strong else ', less than its error'}."
        )
    far = list(dict.fromkeys(words(influence["name"][~known])))
    if far:
        said.append(
            f"What leaving out {' or '.join(far)} would do, these draws cannot tell (Pareto k "
            f"above {influence.meta['pareto_k_limit']:.2f}): too much rests on "
            f"{'each' if len(far) > 1 else 'it'}."
        )
    return said


def group_sentences(left_out: QTable) -> list[str]:
    """Say which visit and which program move a factor most, and what the draws cannot tell."""
    said = []
    for kind in dict.fromkeys(words(left_out["left_out"])):
        of = rows_with(left_out, "left_out", kind)
        known = rows_with(of, "basis", "formula")
        if len(known):
            worst = known[int(np.argmax(np.abs(floats(known["shift_sigma"]))))]
            said.append(
                f"The {kind} that moves a factor most is {worst['name']}: without its "
                f"{worst['rows']} rows C_ref of {worst['filter']} is "
                f"{percent(float(worst['shift'].value))} "
                f"({signed(float(worst['shift_sigma']), 1).text} σ) off."
            )
        far = list(dict.fromkeys(words(rows_with(of, "basis", "unknown")["name"])))
        if far:
            named = f"{kind} {far[0]}" if len(far) == 1 else f"{len(far)} {kind}s"
            said.append(f"What leaving out {named} would do, these draws cannot tell.")
    return said


def _loo(rows: QTable) -> list[str]:
    far = int(np.sum(floats(rows["pareto_k"]) >= K_LIMIT))
    if not far:
        return []
    return [
        f"{far} of {len(rows)} rows have a Pareto k above {K_LIMIT}: their leave-one-out "
        "predictions are rough."
    ]


def _shares(curve: QTable) -> list[str]:
    """Say where the leave-one-out shares leave their band, if they do."""
    if curve.meta["inside"]:
        return []
    difference = floats(curve["difference"])
    off = np.maximum(difference - floats(curve["upper"]), floats(curve["lower"]) - difference)
    at = int(np.argmax(off))
    return [
        "Rows do not lie in their leave-one-out predictions as they should: "
        f"{100 * (curve['share'][at] + difference[at]):.0f} % of them are below the "
        f"{100 * curve['share'][at]:.0f} % point, outside the "
        f"{100 * curve.meta['band']:.0f} % band of independent rows."
    ]


def prior_sentences(sensitivity: QTable, rests_on: QTable) -> list[str]:
    """Say which reported numbers move with which prior, and which of them the report calls data."""
    priors = list(dict.fromkeys(words(sensitivity["prior"])))
    moved = sensitivity[np.asarray(sensitivity["moves"])]
    by_prior = [prior for prior in priors if prior in words(moved["prior"])]
    told = [f"{prior} ({moved_by(rows_with(moved, 'prior', prior))})" for prior in by_prior]
    said = [
        f"Reported numbers move with {len(by_prior)} of the card's {len(priors)} priors: "
        f"{'; '.join(told)}."
        if told
        else f"No reported number moves with any of the card's {len(priors)} priors."
    ]
    factors = rows_with(sensitivity, "number", "C_ref")
    most = factors[int(np.argmax(floats(factors["sensitivity"])))]
    said.append(
        f"A factor depends most on the prior of {most['prior']}: with half and twice the prior's "
        f"power the error of C_ref of {most['of']} is {most['error_half']:.2f} and "
        f"{most['error_double']:.2f} times what it is."
    )
    wrong = rows_with(rests_on[~np.asarray(rests_on["agrees"])], "basis", DATA)
    if len(wrong):
        said.append(f"The report gives {moved_by(wrong)} as resting on data all the same.")
    return said


def moved_by(rows: QTable) -> str:
    """Return which numbers, of which bands or subarrays or how many bands, some lines are about."""
    of: dict[str, list[str]] = {}
    for row in rows:
        of.setdefault(str(row["number"]), []).append(str(row["of"]))
    return ", ".join(f"{number} of {_places(places)}" for number, places in of.items())


def _places(names: list[str]) -> str:
    return ", ".join(names) if len(names) <= LISTED else f"{len(names)} bands"
