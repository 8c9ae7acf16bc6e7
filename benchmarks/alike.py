"""Simulated programs that observe in the same order, so that one compiled fit serves them all."""

from __future__ import annotations

import itertools
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mirical.jobs.inputs import Inputs
    from mirical.simulation.simulated_program import SimulatedProgram


def alike_programs(
    count: int, first: int = 1, card: str = "hierarchical", **effects: Any
) -> list[tuple[int, SimulatedProgram, Inputs]]:
    """Return seeds, programs of perturbed truth and what there is to fit, alike to the first.

    Parameters
    ----------
    count, first : int
        How many, from which seed on.
    card : str
        Name of a shipped card, or the text of one that is based on a shipped one.
    **effects
        ``faults`` and ``errors`` of `mirical.simulation.simulated_program.simulate_program`, or a
        function of the seed that returns one.
    """
    from mirical.inference.refits import same_rows
    from mirical.jobs.inputs import resolve_job
    from mirical.jobs.job import Job
    from mirical.simulation.simulated_program import simulate_program, write_program

    found: list[tuple[int, SimulatedProgram, Inputs]] = []
    for seed in itertools.count(first):
        made = {name: of(seed) if callable(of) else of for name, of in effects.items()}
        program = simulate_program(seed, "perturbed", **made)
        with tempfile.TemporaryDirectory() as name:
            folder, model = Path(name), card
            write_program(program, folder)
            if "\n" in card:
                model = str(folder / "card.toml")
                Path(model).write_text(card, "utf-8")
            inputs = resolve_job(Job("alike", str(folder / "photometry.ecsv"), model))
        if not found or same_rows(inputs.design, found[0][2].design):
            found.append((seed, program, inputs))
        if len(found) == count:
            break
    return found
