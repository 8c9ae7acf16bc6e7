"""Cost of a gradient of the collapsed density against the number of rows, and of stars.

    python benchmarks/scaling.py [--out reports/benchmarks]

SIMULATED designs: random stars in random bands and subarrays, five rows a visit.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np

from mirical.inference import runtime
from mirical.instruments.miri import miri

ROWS = (500, 5_000, 50_000, 200_000)
STARS = (28, 300, 3_000)
FEW_STARS, ROWS_A_STAR = 28, 18
A_VISIT = 5
LEAST_SECONDS = 1.0


def main() -> None:
    """Measure, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("reports/benchmarks"))
    options = parser.parse_args()
    runtime.configure()
    from astropy.table import Table
    from machine import machine

    from mirical.tables.formats import write_ecsv

    sizes = [("rows", n, FEW_STARS) for n in ROWS]
    sizes += [("stars", n * ROWS_A_STAR, n) for n in STARS]
    table = Table(
        names=("varied", "rows", "stars", "gradient_ms", "us_per_row"),
        dtype=(str, int, int, float, float),
    )
    for varied, n_rows, n_stars in sizes:
        seconds = gradient_seconds(n_rows, n_stars)
        table.add_row((varied, n_rows, n_stars, 1e3 * seconds, 1e6 * seconds / n_rows))
        sys.stderr.write(f"{n_rows} rows of {n_stars} stars: {1e3 * seconds:.2f} ms\n")
    for varied in ("rows", "stars"):
        large = (table["varied"] == varied) & (table["rows"] >= ROWS[1])
        size, cost = np.log(table["rows"][large]), np.log(table["gradient_ms"][large])
        slope = float(np.polyfit(size, cost, 1)[0])
        table.meta[f"exponent_{varied}"] = round(slope, 3)
        sys.stderr.write(f"cost grows as the {slope:.2f} power of {varied}\n")
    table["gradient_ms"].unit, table["us_per_row"].unit = "ms", "us"
    table.meta |= {"title": "Cost of a gradient, simulated designs", "simulated": True}
    table.meta |= machine()
    table.round({"gradient_ms": 3, "us_per_row": 3})
    table.pprint(max_lines=-1, max_width=-1)
    options.out.mkdir(parents=True, exist_ok=True)
    write_ecsv(table, options.out / "scaling.ecsv")


def gradient_seconds(n_rows: int, n_stars: int) -> float:
    """Return the time of one value and gradient on a random design."""
    import jax
    import jax.numpy as jnp
    from numpyro import handlers

    from mirical.cards.card import load_card
    from mirical.model.collapsed import integrate
    from mirical.model.nesting import make_blocks
    from mirical.model.terms import colour_correlation, given

    design, card = random_design(n_rows, n_stars), load_card("hierarchical", "scaling", miri())
    blocks = make_blocks(design, colour_correlation(design, card))
    known = handlers.seed(given, 0)(design, card)
    rows = jnp.asarray(design.log_factor) - known.sampled_effect

    def density(values):
        scales, y, variance = values
        return integrate(design, blocks, scales, y, variance).log_density

    values = jax.tree.map(jnp.asarray, (known.scales, rows, known.sigma**2))
    slope = jax.jit(jax.value_and_grad(density)).lower(values).compile()
    jax.block_until_ready(slope(values))
    times = []
    while sum(times) < LEAST_SECONDS or len(times) < 5:
        began = time.perf_counter()
        jax.block_until_ready(slope(values))
        times.append(time.perf_counter() - began)
    return float(np.median(times))


def random_design(n_rows: int, n_stars: int):
    """Return a design of random rows; a visit is of one star, which has few bands."""
    from mirical.model.covariates import Covariates
    from mirical.model.design import Design, with_rows
    from mirical.model.sampler_units import no_units

    random = np.random.default_rng([n_rows, n_stars])
    bands = tuple(miri().bands)
    star = np.sort(np.arange(n_rows) % n_stars)
    turn = np.arange(n_rows) - np.searchsorted(star, star)
    visit = np.unique(np.stack([star, turn // A_VISIT]), axis=1, return_inverse=True)[1].ravel()
    own = np.argsort(random.random((n_stars, len(bands))), axis=1)
    band = own[star, random.integers(0, 8, n_rows)]
    subarray = np.where(random.random(n_rows) < 0.7, 0, (star + band) % len(miri().subarrays))
    names = lambda kind, n: tuple(f"{kind} {i}" for i in range(n))  # noqa: E731
    log_factor = random.normal(0, 0.01, n_rows)
    design = Design(
        log_factor=log_factor,
        log_factor_unc=random.uniform(0.001, 0.004, n_rows),
        elapsed=random.uniform(0, 900, n_rows),
        band=band.astype(np.int32),
        subarray=subarray.astype(np.int32),
        star=star.astype(np.int32),
        visit=visit.astype(np.int32),
        star_type=(np.arange(n_stars) % len(miri().types)).astype(np.int32),
        log_wavelength=np.log([miri().bands[b].pivot for b in bands]),
        flux_unc=np.zeros((n_stars, len(bands))),
        free=np.zeros(n_stars),
        units=no_units(len(bands)),
        bands=bands,
        subarrays=miri().subarrays,
        stars=names("star", n_stars),
        types=miri().types,
        visits=names("visit", int(visit.max()) + 1),
        rows=tuple(range(1, n_rows + 1)),
        states_flux_unc=False,
        has_free=False,
        covariates=Covariates(*np.zeros((2, n_rows)), np.zeros(n_rows, dtype=np.int32)),
        t0=miri().t0,
        usual_mjd=miri().reference_mjd,
    )
    return with_rows(design, log_factor)


if __name__ == "__main__":
    main()
