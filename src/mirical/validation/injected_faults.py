"""Simulated programs without a fault, or with one injected."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from astropy.table import QTable

from mirical.checking.score_directions import Parameters
from mirical.checking.source_parameters import row_parameters
from mirical.jobs.inputs import Inputs, resolve_job
from mirical.jobs.job import Job
from mirical.randomness import generator
from mirical.simulation.errors_and_faults import DUSTY_STAR, Faults, dust_excess, visit_names
from mirical.simulation.simulated_program import SimulatedProgram, simulate_program, write_program

FAULT_FREE = Faults(debris_disk=0.0, deviant_rows=0.0, off_visit=0.0)
"""Nothing the model does not know: subarrays do depart in single bands."""

STEP_BAND, CURVED_BAND, LOUD_BAND = "F1500W", "FND", "F1000W"
RATIO = "SUB64", "F770W"


def _fault_free(table: QTable, seed: int) -> None:
    """Leave the rows as they are."""


def _step(table: QTable, seed: int) -> None:
    """Take 2 % off F1500W from a date on, with a quarter of its rows or more on either side."""
    times = np.sort(table["time"][table["filter"] == STEP_BAND].value)
    n = len(times)
    at = generator(seed, "step").integers(n // 4, 3 * n // 4)
    late = (table["filter"] == STEP_BAND) & (table["time"].value > times[at])
    table["iflux"][late] *= 0.98


def _curved(table: QTable, seed: int) -> None:
    """Let FND's response rise by 5 % from its faintest star to its brightest."""
    here = table["filter"] == CURVED_BAND
    decades = np.log10(table["model_flux"][here].value)
    table["iflux"][here] *= 1 + 0.05 * (decades - decades.min()) / np.ptp(decades)


def _loud(table: QTable, seed: int) -> None:
    """State errors of F1000W that are twice what they are.

    Its photometric errors exceed its repeatability; elsewhere the repeatability takes up the rest.
    """
    table["ifluxunc"][table["filter"] == LOUD_BAND] *= 2


def _off_visit(table: QTable, seed: int) -> None:
    """Take 3 % off all rows of one visit, of those with four or more.

    The star must have been seen on other visits: of a single one nobody can tell whether it or
    the star's predicted flux is off, for stars are only good to 2 %.
    """
    names = np.array(visit_names(table))
    visits, first, counts = np.unique(names, return_index=True, return_counts=True)
    star = np.asarray(table["name"])[first]
    again = np.array([np.sum(star == name) > 1 for name in star])
    lost = generator(seed, "off visit").choice(visits[(counts >= 4) & again])
    table["iflux"][names == lost] *= 0.97


def _ratio(table: QTable, seed: int) -> None:
    """Take 5 % off SUB64 in F770W alone."""
    subarray, band = RATIO
    table["iflux"][(table["subarray"] == subarray) & (table["filter"] == band)] *= 0.95


def _disk(table: QTable, seed: int) -> None:
    """Give HD 180609 its debris disk: 25 % at F2550W, 2 % at F1500W."""
    excess = dust_excess(0.25)
    for band, share in excess.items():
        here = (table["name"] == DUSTY_STAR) & (table["filter"] == band)
        table["iflux"][here] *= 1 + share


def _faint_disk(table: QTable, seed: int) -> None:
    """Give HD 180609 3 % at F2550W and nothing elsewhere."""
    table["iflux"][(table["name"] == DUSTY_STAR) & (table["filter"] == "F2550W")] *= 1.03


FAULTS: dict[str, tuple[Callable[[QTable, int], None], str]] = {
    "none": (_fault_free, ""),
    "step": (_step, "time"),
    "curved": (_curved, "dependence"),
    "loud": (_loud, "scatter"),
    "visit": (_off_visit, "visits"),
    "ratio": (_ratio, "subarrays"),
    "disk": (_disk, ""),
    "faint disk": (_faint_disk, ""),
}
"""Fault by name: what it does to a table, and the check that is to find it."""


def faulty_program(seed: int, fault: str, card: str = "hierarchical") -> tuple[Inputs, Parameters]:
    """Simulate a program with one injected fault, perturbed truth; return it as a run reads it."""
    change, _ = FAULTS[fault]
    program = simulate_program(seed, "perturbed", FAULT_FREE)
    change(program.photometry, seed)
    inputs = resolved_program(program, card)
    return inputs, row_parameters(inputs.factors)


def resolved_program(program: SimulatedProgram, card: str) -> Inputs:
    """Return a simulated program as a run reads it from the files it is written to."""
    with tempfile.TemporaryDirectory() as name:
        write_program(program, Path(name))
        return resolve_job(Job("check", str(Path(name) / "photometry.ecsv"), card))
