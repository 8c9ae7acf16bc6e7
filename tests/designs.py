"""Designs for the tests of the model: small, crowded, every index used."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from miri_facts import IMAGING_BANDS, MIRI, SUBARRAYS
from mirical.model.covariates import Covariates
from mirical.model.design import Design
from mirical.model.sampler_units import Units

N_STARS, N_BANDS, N_VISITS = 5, 6, 4


def crowded_design(
    rows: int = 120, *, flux_errors: bool = True, seed: int = 1, free: tuple[int, ...] = ()
) -> Design:
    """Return rows of five stars scattered over six bands, all subarrays and four visits a star.

    The stars of the numbers `free` are of unknown flux.
    """
    random = np.random.default_rng(seed)
    star = np.r_[np.arange(N_STARS), random.integers(0, N_STARS, rows - N_STARS)]
    band = np.r_[np.arange(N_BANDS), random.integers(0, N_BANDS, rows - N_BANDS)]
    stated = np.abs(random.normal(0, 0.01, (N_STARS, N_BANDS))) * flux_errors
    return Design(
        log_factor=random.normal(-0.7, 0.05, rows),
        log_factor_unc=np.full(rows, 0.002),
        elapsed=random.uniform(1, 900, rows),
        band=band.astype(np.int32),
        subarray=random.integers(0, len(SUBARRAYS), rows).astype(np.int32),
        star=star.astype(np.int32),
        visit=(star * N_VISITS + random.integers(0, N_VISITS, rows)).astype(np.int32),
        star_type=np.array([0, 1, 2, 0, 1], dtype=np.int32),
        log_wavelength=np.linspace(1.7, 3.2, N_BANDS),
        flux_unc=stated,
        free=np.isin(np.arange(N_STARS), free).astype(float),
        units=Units(
            loss_leverage=np.full((3, N_BANDS), 0.3),
            loss=np.full((3, N_BANDS), 0.04),
            scatter_information=np.full(N_BANDS, 12.0),
            log_scatter=np.full(N_BANDS, -5.0),
            tau_information=np.full(N_BANDS, 30.0),
            log_tau=np.full(N_BANDS, 5.2),
        ),
        bands=IMAGING_BANDS[:N_BANDS],
        subarrays=SUBARRAYS,
        stars=tuple("ABCDE"),
        types=MIRI.types,
        visits=tuple(map(str, range(N_STARS * N_VISITS))),
        rows=tuple(range(1, rows + 1)),
        states_flux_unc=flux_errors,
        has_free=len(free) > 0,
        covariates=Covariates(
            log_rate=random.uniform(2, 4, rows),
            log_well=random.uniform(3, 5, rows),
            reduction=random.integers(0, 2, rows).astype(np.int32),
            rated=IMAGING_BANDS[1:3],
            welled=IMAGING_BANDS[:N_BANDS],
            reductions=("1.13", "1.14"),
            steps=(59900.0, 60200.0),
            knots=(59700.0, 60000.0, 60300.0, 60600.0),
        ),
        t0=MIRI.t0,
        usual_mjd=MIRI.reference_mjd,
    )


def some_rows(design: Design, keep: np.ndarray) -> Design:
    """Return the design of some of its rows, given as places or a mask; all names are kept."""
    of_rows = "log_factor", "log_factor_unc", "elapsed", "band", "subarray", "star", "visit"
    seen = design.covariates
    covariates = replace(
        seen,
        **{n: np.asarray(getattr(seen, n))[keep] for n in ("log_rate", "log_well", "reduction")},
    )
    return replace(
        design,
        rows=tuple(np.array(design.rows)[keep].tolist()),
        covariates=covariates,
        **{n: np.asarray(getattr(design, n))[keep] for n in of_rows},
    )
