"""The posterior as a DataTree in ArviZ's schema, and its file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import arviz_base
import jax.numpy as jnp
import numpy as np
import xarray as xr

from mirical.inference.schema import DIMS, Arrays
from mirical.laws.departures import curve_effect, step_effect
from mirical.laws.timelaw import LAWS, amplitude, log_relative_factor
from mirical.model.covariates import Covariates
from mirical.model.design import Design
from mirical.storage.files import whole_file

_ROW_SITES = ("expected", "sigma")


class Reference(NamedTuple):
    """Epoch at which one factor a band is quoted, and the zero point of the time law, MJD."""

    mjd: float
    t0: float

    @property
    def elapsed(self) -> float:
        """Days from the zero point to it."""
        return self.mjd - self.t0


def reported(posterior: xr.DataTree) -> list[str]:
    """Return what tables and report quote of a posterior, and what the verdict is about."""
    return [name for name in DIMS if name in posterior["posterior"]]


PRINTED: tuple[str, ...] = (
    "A",
    "B",
    "tau",
    "C_ref",
    "D",
    "star_offset",
    "repeatability",
)
"""Variables of the posterior whose printed errors two runs must agree in. The colours of stars are
not among them: a star that may be off in colour, or have outliers instead, has a posterior of two
parts, and where an end of its interval falls between them, no number of draws makes it stable."""


def quantities(
    sites: Arrays, law: str, reference: Reference, seen: Covariates | None = None
) -> Arrays:
    """Return the named quantities of draws of the model's sites, derived ones included.

    Parameters
    ----------
    sites : dict of {str : (..., site) array}
        Draws as the model names them, with any leading sample axes.
    law : str
        Time law of the card.
    reference : Reference
        Epoch of ``C_ref``.
    seen : Covariates, optional
        With the dates of the card's detector terms, if it has any.
    """
    found = derived(sites, law, reference, seen).items()
    return named(sites | {name: np.asarray(value) for name, value in found})


def derived(
    sites: Arrays, law: str, reference: Reference, seen: Covariates | None = None
) -> dict[str, Any]:
    """Return ``B`` and ``C_ref``, which are no sites; see `quantities`."""
    asymptote, loss = (jnp.asarray(sites[name]) for name in ("A", "loss"))
    bands = jnp.arange(loss.shape[-1])
    elapsed, mjd = (jnp.full(len(bands), at) for at in (reference.elapsed, reference.mjd))
    of_law = {name: jnp.asarray(sites[name]) for name in LAWS[law].parameters}
    at_reference = log_relative_factor(law, elapsed, of_law, bands)
    for name, dates, effect in (
        ("step", seen and seen.steps, step_effect),
        ("time_departure", seen and seen.knots, curve_effect),
    ):
        if name in sites and dates:
            shift = effect(mjd, dates, jnp.asarray(sites[name]), bands)
            at_reference = at_reference + shift
    return {"B": amplitude(asymptote, loss), "C_ref": asymptote * jnp.exp(at_reference)}


def named(sites: Arrays) -> Arrays:
    """Return what of draws of sites and derived quantities the posterior names: those, scalars."""
    lead = sites["tau"].ndim - 1
    scalars = {
        name: value
        for name, value in sites.items()
        if value.ndim == lead and not name.startswith("log_factor")
    }
    return {name: sites[name] for name in DIMS if name in sites} | scalars


def coordinates(design: Design) -> dict[str, list[str]]:
    """Return the names along each dim of `DIMS`."""
    return {
        "band": list(design.bands),
        "subarray": list(design.subarrays),
        "star": list(design.stars),
        "srctype": list(design.types),
        "visit": list(design.visits),
        "step_mjd": [f"{date:.10g}" for date in design.covariates.steps],
        "knot": [f"{mjd:.10g}" for mjd in design.covariates.knots],
        "reduction": list(design.covariates.reductions),
    }


def build_posterior(
    sites: Arrays,
    stats: Arrays,
    prior: Arrays,
    checks: dict[str, Arrays],
    design: Design,
    attrs: dict[str, Any],
) -> xr.DataTree:
    """Return everything a run knows as one DataTree.

    Parameters
    ----------
    sites : dict of {str : (chain, draw, ...) array}
        Draws of sites and derived quantities.
    stats : dict of {str : (chain, draw) array}
        Statistics of the sampler.
    prior : dict of {str : (draw, ...) array}
        Draws of the sites from the prior.
    checks : dict
        Groups ``posterior_predictive`` and ``log_likelihood`` of ``log_factor``.
    design : Design
        What was fitted.
    attrs : dict
        Provenance, stored at the root; ``time_law`` is the card's, ``reference_mjd`` the epoch
        of ``C_ref``.
    """
    rows = {name: sites[name] for name in _ROW_SITES}
    constant = {
        name: np.asarray(getattr(design, name))
        for name in ("elapsed", "log_factor_unc", "band", "subarray", "star", "visit")
    }
    if design.has_free:
        constant["free"] = np.asarray(design.free)
    reference = Reference(attrs["reference_mjd"], design.t0)
    found = quantities(prior, attrs["time_law"], reference, design.covariates)
    groups = {
        "posterior": named(sites) | rows,
        "prior": {name: value[None] for name, value in found.items()},
        **checks,
        "sample_stats": stats,
        "observed_data": {"log_factor": np.asarray(design.log_factor)},
        # An index and a dim may not share a name, so the rows' indices end in _index.
        "constant_data": {
            f"{k}_index" if v.dtype.kind == "i" else k: v for k, v in constant.items()
        },
    }
    row_names = (*_ROW_SITES, "log_factor", "elapsed", "log_factor_unc")
    indices = [k for k in groups["constant_data"] if k.endswith("_index")]
    tree = arviz_base.from_dict(
        groups,
        coords=coordinates(design) | {"row": list(design.rows)},
        dims=DIMS | {name: ["row"] for name in (*row_names, *indices)} | {"free": ["star"]},
        attrs={"/": attrs},
    )
    for group in tree.children.values():
        del group.attrs["created_at"]  # the same draws shall be the same bytes
    return tree


def write_posterior(posterior: xr.DataTree, path: Path) -> None:
    """Write the DataTree as netCDF, whole or not at all.

    Raises
    ------
    InputError
        If it cannot be written.
    """
    # Made in memory: HDF5 leaves a broken file open on a full disk and crashes at the end.
    content = posterior.to_netcdf(None, engine="h5netcdf")
    with whole_file(path) as beside:
        beside.write_bytes(content)
