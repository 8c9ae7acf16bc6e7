"""Speed against rivals: worst effective sample size a second, of one model on one data set.

    python benchmarks/samplers.py [--job program] [--out reports/benchmarks]

Three samplers of one posterior: mirical's collapsed density, mirical's joint
density, and the joint density written in PyMC (peer.py), sampled by nutpie.
The run begins by checking that the two joint densities are the same.
Needs ``pip install -e ".[benchmark]"``.
"""

from __future__ import annotations

import argparse
import os
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table as Sheet
from rich.text import Text

from mirical.errors import InputError
from mirical.inference import runtime
from mirical.instruments.miri import miri

# mirical.model and the peer load JAX and OpenBLAS, which has to wait for runtime.configure().
if TYPE_CHECKING:
    from astropy.table import Table

    from mirical.cards.card import Card
    from mirical.jobs.sampler import Sampler
    from mirical.model.design import Design

PEERS = "pymc", "nutpie"
RHAT_LIMIT = 1.01
SAME_DENSITY = 1e-8
POINTS = 12
DRAWS = 4000  # of a job that asks for a target
BUSY = 0.5
QUANTITIES = (
    "A B tau D D_band star_offset star_band_offset type_offset visit_offset repeatability"
).split()
RATES = {
    "ess_per_s_total": "ESS/s, all time",
    "ess_per_s_run": "ESS/s without compilation",
    "ess_per_s_sampling": "ESS/s, sampling phase alone",
}

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Timed:
    """One sampler's draws and what they took.

    Attributes
    ----------
    sites : dict of {str : (chain, draw, ...) array}
        The joint model's sites.
    n_steps, warmup_steps : int
        Leapfrog steps of all chains after and during warm-up.
    divergences : int
        After warm-up.
    compiling, warming, sampling : float [s]
        Wall time of each phase.
    """

    sites: Arrays
    n_steps: int
    warmup_steps: int
    divergences: int
    compiling: float
    warming: float
    sampling: float


@dataclass(frozen=True)
class Result:
    """One row of the table: a sampler, its times [s], its draws and rates [1/s]."""

    sampler: str
    compile_s: float
    warmup_s: float
    sampling_s: float
    chains: int
    warmup: int
    draws: int
    steps_per_draw: float
    divergences: int
    max_rhat: float
    max_rhat_of: str
    min_ess: float
    min_ess_of: str
    ess_per_s_total: float
    ess_per_s_run: float
    ess_per_s_sampling: float


def main() -> int:
    """Measure all three, print and write the table."""
    options = _options()
    console = Console()
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    if load > BUSY:
        console.print(f"Other work is running (load {load:.1f}): the times will be too long.")
    if missing := [name for name in PEERS if find_spec(name) is None]:
        sys.stderr.write(
            f"samplers: {' and '.join(missing)} not installed; "
            'run `pip install -c constraints.txt -e ".[benchmark]"` first.\n'
        )
        return 2
    runtime.configure()
    from machine import machine

    from mirical.jobs.inputs import resolve_job
    from mirical.jobs.job import load_job

    try:
        job = load_job(options.job)
        inputs = resolve_job(job)
        table = compare(inputs.design, inputs.card, job.sampler, options, console)
    except InputError as error:
        sys.stderr.write(f"samplers: {error}\n")
        return 2
    from mirical.tables.formats import write_ecsv

    said = {"job": job.name, "rows": len(inputs.design.rows), "load_before": round(load, 2)}
    table.meta = said | table.meta | machine(*PEERS, "pytensor", "numba")
    report(table, console)
    options.out.mkdir(parents=True, exist_ok=True)
    write_ecsv(table, options.out / "samplers.ecsv")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--job", default="program", help="a job's name or file [program]")
    parser.add_argument("--out", type=Path, default=Path("reports/benchmarks"))
    length = {"type": int, "nargs": 2, "metavar": ("WARMUP", "DRAWS")}
    parser.add_argument("--collapsed", **length, help="steps of a chain [the job's]")
    parser.add_argument("--joint", **length, default=(400, 150), help="[400 150]")
    parser.add_argument("--peer", **length, default=(1000, 10000), help="[1000 10000]")
    parser.add_argument(
        "--low-rank", action="store_true", help="nutpie adapts correlations too (experimental)"
    )
    return parser.parse_args()


def compare(
    design: Design,
    card: Card,
    sampler: Sampler,
    options: argparse.Namespace,
    console: Console,
) -> Table:
    """Return one row a sampler, measured one after another."""
    from astropy.table import Table

    difference = check_density(design, card)
    console.print(
        f"PyMC's log density minus mirical's joint one, without units, at {POINTS} points: "
        f"constant to {difference:.1e} (at most {SAME_DENSITY:.0e})."
    )
    sampler = _lengths(sampler, options.collapsed)
    runs: dict[str, tuple[Sampler, Callable[[Sampler], Timed]]] = {
        "mirical collapsed": (
            replace(sampler, density="collapsed"),
            partial(run_mirical, design, card),
        ),
        "mirical joint": (
            _lengths(replace(sampler, density="joint"), options.joint),
            partial(run_mirical, design, card),
        ),
        "PyMC + nutpie": (
            _lengths(sampler, options.peer),
            partial(run_peer, design, card, low_rank=options.low_rank),
        ),
    }
    results = []
    for name, (settings, run) in runs.items():
        console.print(f"{name}: {settings.chains} chains, {settings.warmup} + {settings.draws}")
        results.append(judge(name, settings, run(settings), design, card))
    table = Table([asdict(result) for result in results])
    for name in table.colnames:
        if name.endswith("_s"):
            table[name].unit = "s"
        if name.startswith("ess_per_s"):
            table[name].unit = "1 / s"
    table.meta["density_difference"] = difference
    table.meta["nutpie_metric"] = "low rank" if options.low_rank else "diagonal"
    return table


def _lengths(sampler: Sampler, given: tuple[int, int] | None) -> Sampler:
    warmup, draws = (sampler.warmup, sampler.draws or DRAWS) if given is None else given
    return replace(sampler, warmup=warmup, draws=draws)


def check_density(design: Design, card: Card) -> float:
    """Return by how much the difference of the two joint log densities varies between points.

    Both are taken over the same unconstrained coordinates, Jacobians included,
    the level of each band near its rows and all else wide about the origin.

    Raises
    ------
    AssertionError
        If it varies by more than `SAME_DENSITY`, or a site is missing.
    """
    import jax
    import peer
    from numpyro import handlers
    from numpyro.infer.util import potential_energy

    from mirical.inference.sampling import without_leverage
    from mirical.model.collapsed import band_means
    from mirical.model.joint import joint

    plain = without_leverage(design)
    trace = handlers.trace(handlers.seed(joint, 0)).get_trace(plain, card)
    shapes = {
        name: np.shape(site["value"])
        for name, site in trace.items()
        if site["type"] == "sample" and not site["is_observed"]
    }
    model = peer.build(design, card)
    names = {rv.name: value.name for rv, value in model.rvs_to_values.items() if rv.name in shapes}
    assert len(model.free_RVs) == len(names) == len(shapes), "the models have different sites"
    theirs = model.compile_logp(mode="NUMBA")  # what nutpie compiles to
    ours = jax.jit(lambda point: -potential_energy(partial(joint, card=card), (plain,), {}, point))
    rng = np.random.default_rng(0)
    differences = []
    for _ in range(POINTS):
        point = {name: rng.normal(size=shape) for name, shape in shapes.items()}
        point["level"] = np.asarray(band_means(design)) + 0.02 * point["level"]
        value = theirs({names[name]: np.asarray(x) for name, x in point.items()})
        differences.append(float(value) - float(ours(point)))
    spread = float(np.ptp(differences))
    assert spread <= SAME_DENSITY, f"the two joint densities differ by {spread:.1e}"
    return spread


def run_mirical(design: Design, card: Card, sampler: Sampler) -> Timed:
    """Sample as `mirical.inference.sampling.sample` does, with a barrier after the warm-up.

    Raises
    ------
    InputError
        If warm-up or draws are no multiple of the sampler's stretch.
    """
    import jax

    from mirical.inference.kernels import KERNELS
    from mirical.inference.runtime import random_key
    from mirical.inference.sampling import BLOCK, compile_steps

    if sampler.warmup % BLOCK or sampler.draws % BLOCK:
        raise InputError(f"warm-up and draws must be multiples of {BLOCK} to be timed apart.")
    kernel = KERNELS[sampler.density](design, card, sampler.target_accept)
    keys = jax.random.split(random_key(sampler.seed, "chains"), sampler.chains)
    began = time.perf_counter()
    start, steps = compile_steps(kernel, keys[0], sampler.warmup)
    compiled = time.perf_counter()
    states = [start(key, kernel.data) for key in keys]
    states, warmup = _advance(steps, states, kernel.data, sampler.warmup // BLOCK)
    warm = time.perf_counter()
    _, kept = _advance(steps, states, kernel.data, sampler.draws // BLOCK)
    done = time.perf_counter()
    draws, stats = kept
    # One draw after another: see `sampling.sample`.
    each_chain = partial(jax.lax.map, lambda draw: kernel.sites(draw, kernel.data))
    sites = jax.jit(partial(jax.lax.map, each_chain))(draws)
    return Timed(
        sites=_without_rows(sites),
        n_steps=int(stats["n_steps"].sum()),
        warmup_steps=int(warmup[1]["n_steps"].sum()),
        divergences=int(stats["diverging"].sum()),
        compiling=compiled - began,
        warming=warm - compiled,
        sampling=done - warm,
    )


def _advance(
    steps: Callable[..., Any], states: list[Any], data: tuple[Any, ...], blocks: int
) -> tuple[list[Any], Any]:
    """Return every chain's state after some stretches, and (chain, draw, ...) what they kept."""
    import jax

    core = threading.BoundedSemaphore(runtime.cores())

    def run(state: Any) -> tuple[Any, Any]:
        pieces = []
        for _ in range(blocks):
            with core:
                state, piece = steps(state, data)
            pieces.append(jax.tree.map(np.asarray, piece))
        return state, jax.tree.map(lambda *each: np.concatenate(each), *pieces)

    with ThreadPoolExecutor(max_workers=len(states)) as pool:
        ended, kept = zip(*pool.map(run, states), strict=True)
    return list(ended), jax.tree.map(lambda *each: np.stack(each), *kept)


def run_peer(design: Design, card: Card, sampler: Sampler, *, low_rank: bool) -> Timed:
    """Sample the PyMC model with nutpie, at nutpie's own settings.

    nutpie does not time its phases, and its chains are not in step: the
    measured wall time is shared out by leapfrog steps.
    """
    import nutpie
    import peer

    began = time.perf_counter()
    model = peer.build(design, card)
    # Levels start at the rows' means, without jitter, as those of mirical do.
    jittered = set(model.free_RVs) - {model["level"]}
    compiled = nutpie.compile_pymc_model(
        model, jitter_rvs=jittered, var_names=[rv.name for rv in model.free_RVs]
    )
    ready = time.perf_counter()
    trace = nutpie.sample(
        compiled,
        draws=sampler.draws,
        tune=sampler.warmup,
        chains=sampler.chains,
        cores=min(runtime.cores(), sampler.chains),
        seed=sampler.seed,
        progress_bar=False,
        low_rank_modified_mass_matrix=low_rank,
    )
    done = time.perf_counter()
    n_steps = int(trace.sample_stats["n_steps"].sum())
    warmup_steps = int(trace.warmup_sample_stats["n_steps"].sum())
    share = n_steps / (n_steps + warmup_steps)
    draws = {name: trace.posterior[name].values for name in trace.posterior.data_vars}
    return Timed(
        sites=_sites_of(draws, design, card),
        n_steps=n_steps,
        warmup_steps=warmup_steps,
        divergences=int(trace.sample_stats["diverging"].sum()),
        compiling=ready - began,
        warming=(done - ready) * (1 - share),
        sampling=(done - ready) * share,
    )


def _sites_of(draws: Arrays, design: Design, card: Card) -> Arrays:
    """Return the joint model's deterministic sites and scalars at draws of its sample sites."""
    import jax
    from numpyro import handlers

    from mirical.inference.sampling import without_leverage
    from mirical.model.joint import joint

    plain = without_leverage(design)

    def sites(draw: dict[str, Any]) -> dict[str, Any]:
        model = handlers.substitute(handlers.seed(joint, 0), data=draw)
        trace = handlers.trace(model).get_trace(plain, card)
        values = {n: s["value"] for n, s in trace.items() if s["type"] == "deterministic"}
        return values | {n: x for n, x in draw.items() if not x.ndim}

    each = jax.jit(partial(jax.lax.map, partial(jax.lax.map, sites)))(draws)
    return _without_rows(each)


def _without_rows(sites: dict[str, Any]) -> Arrays:
    """Return the sites as arrays, but for those by row, which nothing here needs."""
    by_row = "expected", "sigma"
    return {name: np.asarray(value) for name, value in sites.items() if name not in by_row}


def judge(name: str, sampler: Sampler, timed: Timed, design: Design, card: Card) -> Result:
    """Return the worst R-hat and bulk effective sample size over the named quantities."""
    from arviz_stats.base.array import array_stats

    labels, values = named_quantities(timed.sites, design, card)
    rhat = np.asarray(array_stats.rhat(values, chain_axis=0, draw_axis=1))
    ess = np.asarray(array_stats.ess(values, chain_axis=0, draw_axis=1))
    worst, least = int(np.argmax(rhat)), int(np.argmin(ess))
    running = timed.warming + timed.sampling
    return Result(
        sampler=name,
        compile_s=timed.compiling,
        warmup_s=timed.warming,
        sampling_s=timed.sampling,
        chains=sampler.chains,
        warmup=sampler.warmup,
        draws=sampler.draws,
        steps_per_draw=timed.n_steps / (sampler.chains * sampler.draws),
        divergences=timed.divergences,
        max_rhat=float(rhat[worst]),
        max_rhat_of=labels[worst],
        min_ess=float(ess[least]),
        min_ess_of=labels[least],
        ess_per_s_total=ess[least] / (timed.compiling + running),
        ess_per_s_run=ess[least] / running,
        ess_per_s_sampling=ess[least] / timed.sampling,
    )


def named_quantities(
    sites: Arrays, design: Design, card: Card
) -> tuple[list[str], NDArray[np.float64]]:
    """Return labels and the (chain, draw, quantity) draws of all that is reported and free.

    Left out are D of FULL, which is 1, and colour offsets of stars in bands without rows.
    """
    from mirical.inference.posterior import Reference, quantities
    from mirical.inference.schema import DIMS

    drawn = quantities(sites, card.law, Reference(miri().reference_mjd, miri().t0))
    scalars = [name for name, prior in card.priors.items() if name != "A" and not prior.is_fixed]
    names = {
        "band": design.bands,
        "subarray": design.subarrays,
        "star": design.stars,
        "srctype": design.types,
        "visit": design.visits,
    }
    observed = set(zip(design.star.tolist(), design.band.tolist(), strict=True))
    labels, values = [], []
    for name in [*QUANTITIES, *scalars]:
        dims = DIMS.get(name, [])
        for index in np.ndindex(*(len(names[dim]) for dim in dims)):
            if name == "star_band_offset" and index not in observed:
                continue
            entries = [names[dim][i] for dim, i in zip(dims, index, strict=True)]
            if "subarray" in dims and entries[-1] == "FULL":
                continue
            labels.append(f"{name}[{', '.join(entries)}]" if entries else name)
            values.append(drawn[name][(..., *index)])
    return labels, np.stack(values, axis=-1)


def report(table: Table, console: Console) -> None:
    """Print what was measured, one column a sampler, and the ratios."""
    shown = [name for name in table.colnames if name != "sampler"]
    sheet = _sheet("worst bulk ESS a second", list(table["sampler"]))
    for name in shown:
        sheet.add_row(RATES.get(name, name), *(_entry(row[name]) for row in table))
    console.print(sheet)
    ours, *rivals = table
    sheet = _sheet(f"{ours['sampler']} over", [rival["sampler"] for rival in rivals])
    for name, words in RATES.items():
        sheet.add_row(words, *(f"{ours[name] / rival[name]:.1f}" for rival in rivals))
    console.print(sheet)
    for row in table:
        if not row["max_rhat"] <= RHAT_LIMIT:
            console.print(
                f"{row['sampler']} has not converged: R-hat of {row['max_rhat_of']} is "
                f"{row['max_rhat']:.3f}, so its effective sample size means little.",
                markup=False,
            )


def _sheet(title: str, samplers: list[str]) -> Sheet:
    sheet = Sheet(title=title, title_justify="left")
    sheet.add_column("")
    for name in samplers:
        sheet.add_column(str(name), justify="right", overflow="fold")
    return sheet


def _entry(value: Any) -> Text:
    """Return a cell; a quantity's brackets are no markup."""
    number = isinstance(value, float | np.floating)
    return Text(f"{value:#.4g}" if number else str(value))


if __name__ == "__main__":
    sys.exit(main())
