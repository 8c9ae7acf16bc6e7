"""Truths drawn from a run's posterior, and the rows that are fitted again beside its own.

Calibration at the data at hand (Säilynoja, Schmitt, Bürkner & Vehtari 2025): parameters are drawn
from the posterior of the observed rows, rows of a second program are drawn given them, and the
model is fitted to both. The posterior of the observed rows is the prior of the second program, so
the drawn parameters rank uniformly among the draws of the fit to both.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Float

from mirical.inference.schema import SAMPLE, Arrays
from mirical.model.covariates import Covariates
from mirical.model.design import Design, with_rows
from mirical.model.likelihood import row_distribution

MOST_TRUTHS = 1000
"""Draws that truths are taken from at most, evenly spaced along the chains."""

_OF_ROWS = "log_factor", "log_factor_unc", "elapsed", "band", "subarray", "star", "visit"
_OF_COVARIATES = "log_rate", "log_well", "reduction"

Sites = dict[str, Array]


def truths_of(posterior: xr.DataTree) -> Arrays:
    """Return the draws of a run from which truths are taken: (draw, ...) by variable."""
    drawn = posterior["posterior"].to_dataset().stack(sample=SAMPLE).transpose("sample", ...)
    count = drawn.sizes["sample"]
    kept = np.linspace(0, count - 1, min(count, MOST_TRUTHS)).astype(int)
    return {
        str(name): np.asarray(values.values[kept], dtype=float)
        for name, values in drawn.data_vars.items()
    }


def truths_hash(truths: Arrays, design: Design) -> str:
    """Return the hash of truths and the observed rows."""
    digest = hashlib.sha256(np.asarray(design.log_factor).tobytes())
    for name in sorted(truths):
        digest.update(name.encode() + b"\0" + np.ascontiguousarray(truths[name]).tobytes())
    return digest.hexdigest()


def twice(design: Design) -> Design:
    """Return the design of a program that was observed a second time, in visits of its own."""
    second = max(design.rows)
    found = {name: np.tile(np.asarray(getattr(design, name)), 2) for name in _OF_ROWS}
    found["visit"][len(design.rows) :] += len(design.visits)
    seen: Covariates = design.covariates
    covariates = {name: np.tile(np.asarray(getattr(seen, name)), 2) for name in _OF_COVARIATES}
    doubled = replace(
        design,
        **found,
        visits=(*design.visits, *(f"{visit} (simulated)" for visit in design.visits)),
        rows=(*design.rows, *(second + row for row in design.rows)),
        covariates=replace(seen, **covariates),
    )
    return with_rows(doubled, found["log_factor"])


def second_program(
    key: jax.Array, design: Design, sites: Sites, scatter: float
) -> tuple[Sites, Float[Array, " row"]]:
    """Return a draw's sites for both programs, and the rows of both.

    Parameters
    ----------
    key : random key
        Of the second program's visits and rows.
    design : Design
        Of the observed program.
    sites : dict of {str : array}
        One draw of the posterior: ``expected`` and ``sigma`` by observed row, among others.
    scatter : float
        The rows scatter so many times more than the draw says; 1 for a right model.
    """
    visit_key, row_key = jax.random.split(key)
    visit = jnp.asarray(design.visit)
    expected = sites["expected"]
    if "visit_scale" in sites:  # a card without the term still has offsets, all zero
        new = sites["visit_scale"] * jax.random.normal(visit_key, (len(design.visits),))
        expected = expected + (new - sites["visit_offset"])[visit]
    outliers = (sites.get(f"outlier_{part}") for part in ("fraction", "width"))
    deviation = row_distribution(jnp.zeros_like(expected), sites["sigma"], *outliers)
    rows = expected + scatter * deviation.sample(row_key)
    both = {
        "expected": jnp.concatenate([sites["expected"], expected]),
        "sigma": jnp.concatenate([sites["sigma"], sites["sigma"]]),
    }
    return sites | both, jnp.concatenate([jnp.asarray(design.log_factor), rows])
