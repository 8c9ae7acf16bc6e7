"""Blocks of posterior draws that are looked at side by side, their results kept as arrays."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict, fields
from functools import partial

import numpy as np

from mirical.checking.infrared_excess import ExcessDensities
from mirical.checking.predictive_pvalues import Finding
from mirical.checking.quantities import AtDraw, Questions
from mirical.inference.gaussian import Gaussians
from mirical.inference.runtime import PACKAGES, configure
from mirical.many.running import run_here
from mirical.many.tasks import Perform, Recipe, Result, Runner, Task

BLOCK = 5
"""Draws of a block."""

_ARRAYS = [field.name for field in fields(AtDraw) if field.name not in ("findings", "stars")]


def gather_quantities(
    gaussians: Gaussians,
    questions: Questions,
    draws: Sequence[int],
    advance: Callable[[int], None],
    run: Runner = run_here,
) -> list[AtDraw]:
    """Return what each draw says, the first of which is the one whose p-values count.

    Parameters
    ----------
    gaussians : Gaussians
        The posterior.
    questions : Questions
        What each draw is asked.
    draws : sequence of int
        Which draws; the first `mirical.checking.quantities.FINDING_DRAWS` give p-values.
    advance : callable
        Told of so many more draws done.
    run : Runner
        Looks at them.
    """
    sites = {name: {d: values[d] for d in draws} for name, values in gaussians.sites.items()}
    of = sites, gaussians.design, gaussians.card, gaussians.seed
    inputs = {"study": "draws looked at", "posterior": of, "questions": questions}
    recipe = Recipe(inputs, PACKAGES, partial(_looking, of, questions), configure)
    each = list(enumerate(draws))
    tasks = [Task(recipe, each[i : i + BLOCK]) for i in range(0, len(each), BLOCK)]
    blocks: dict[int, list[AtDraw]] = {}

    def take(number: int, result: Result) -> None:
        blocks[number] = unpacked(result)
        advance(len(blocks[number]))

    run(tasks, take)
    return [one for number in sorted(blocks) for one in blocks[number]]


def _looking(of: tuple, questions: Questions) -> Perform:
    return partial(_look, Gaussians(*of), questions)


def _look(
    gaussians: Gaussians,
    questions: Questions,
    block: Sequence[tuple[int, int]],
    stop: threading.Event,
) -> Result | None:
    each = []
    for place, draw in block:
        if stop.is_set():
            return None
        each.append(questions.ask(gaussians, draw, place))
    return packed(each)


def packed(each: Sequence[AtDraw]) -> Result:
    """Return what draws say as the result of a task."""
    arrays = {name: np.stack([getattr(one, name) for one in each]) for name in _ARRAYS}
    arrays["stars_without"] = np.array([[star.without for star in one.stars] for one in each])
    arrays["stars_excess"] = np.array([[star.excess for star in one.stars] for one in each])
    said = [one.findings and [asdict(finding) for finding in one.findings] for one in each]
    return {**arrays, "findings": said}


def unpacked(result: Result) -> list[AtDraw]:
    """Return what draws said, from the result of a task."""
    return [
        AtDraw(
            findings=None if said is None else [Finding(**finding) for finding in said],
            stars=[
                ExcessDensities(float(without), excess)
                for without, excess in zip(
                    result["stars_without"][i], result["stars_excess"][i], strict=True
                )
            ],
            **{name: result[name][i] for name in _ARRAYS},
        )
        for i, said in enumerate(result["findings"])
    ]
