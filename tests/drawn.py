"""A posterior of many draws made by hand: correlated bands, every time law, without sampling."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import xarray as xr

from miri_facts import MIRI, SUBARRAYS
from mirical.calibration.manifest import write_manifest
from mirical.calibration.posterior import PosteriorCalibration
from mirical.calibration.stored_constants import with_apertures
from mirical.inference.posterior import write_posterior
from mirical.laws.timelaw import ADDITIVE, LAWS
from mirical.tables.apertures import published_apertures

LOSS = {"F560W": 0.005, "F770W": 0.01, "FND": 0.034, "F1065C": 0.008, "F2550W": 0.25}
SCALE = 0.008
"""Standard deviation of what all bands share in ln A."""
FLUX_SCALE, TYPE = 0.006, 0.01
"""Standard deviations of flux scale and type offsets, gray as well as in a band."""
QUOTED = np.array([[4.0, np.nan], [1.0, 0.5]])
"""Fluxes of two stars in two bands that a posterior of stars rests on [mJy]."""


def drawn_calibration(
    law: str = ADDITIVE,
    bands: tuple[str, ...] = tuple(LOSS),
    draws: int = 400,
    absolute: tuple[str, ...] = (),
) -> PosteriorCalibration:
    """Return a calibration of simulated rows in some bands."""
    return PosteriorCalibration.of(drawn_tree(law, bands, draws, absolute), MIRI, name="drawn")


def drawn_tree(
    law: str = ADDITIVE,
    bands: tuple[str, ...] = tuple(LOSS),
    draws: int = 400,
    absolute: tuple[str, ...] = (),
) -> xr.DataTree:
    """Return the posterior of that calibration.

    Of the parts of an absolute error it has those named: flux_scale, types. Types shift ln A by
    the mean offset of three types of star.
    """
    random = np.random.default_rng(5)
    shape = 2, draws // 2
    normal = random.standard_normal
    shared, own = SCALE * normal((*shape, 1)), 0.003 * normal((*shape, len(bands)))
    loss = np.array([LOSS[band] for band in bands]) + 0.004 * normal((*shape, len(bands)))
    d = np.exp(0.003 * normal((*shape, len(SUBARRAYS))))
    d[..., 0] = 1.0
    variables = {
        "A": (["band"], 0.3 * np.exp(shared + own)),
        "loss": (["band"], loss),
        "tau": (["band"], 200.0 * np.exp(0.1 * normal((*shape, len(bands))))),
        "repeatability": (["band"], 0.004 * np.exp(0.1 * normal((*shape, len(bands))))),
        "loss_per_year": (["band"], 0.002 + 0.0005 * normal((*shape, len(bands)))),
        "D": (["subarray"], d),
        "D_band": (["band", "subarray"], np.repeat(d[..., None, :], len(bands), axis=-2)),
        "visit_scale": ([], np.full(shape, 0.002)),
        "slow_share": ([], random.uniform(0.2, 0.4, shape)),
        "slow_ratio": ([], random.uniform(4.0, 6.0, shape)),
    }
    extra = _absolute(shape, bands)
    variables |= extra
    if "types" in absolute:
        shift = extra["type_offset"][1].mean(axis=-1, keepdims=True)
        shift = shift + extra["type_band_offset"][1].mean(axis=-2)
        variables["A"] = ["band"], variables["A"][1] * np.exp(shift)
    asked = {"flux_scale": {"flux_scale"}, "types": {"type_offset", "type_band_offset"}}
    wanted = set().union(*(asked[part] for part in absolute))
    wanted |= {*LAWS[law].parameters, "A", "repeatability", "D", "D_band", "visit_scale"}
    variables = {name: value for name, value in variables.items() if name in wanted}
    variables["B"] = (["band"], variables["A"][1] * np.expm1(-loss))
    posterior = xr.Dataset(
        {name: (["chain", "draw", *dims], value) for name, (dims, value) in variables.items()},
        coords={"band": list(bands), "subarray": list(SUBARRAYS)},
    )
    rows = len(bands) * 6
    constant = xr.Dataset(
        {
            "elapsed": ("row", np.tile([10.0, 40.0, 200.0, 400.0, 700.0, 900.0], len(bands))),
            "band_index": ("row", np.repeat(np.arange(len(bands)), 6)),
            "subarray_index": ("row", np.arange(rows) % len(SUBARRAYS)),
            "star_index": ("row", np.arange(rows) % 4),
        }
    )
    tree = xr.DataTree.from_dict({"posterior": posterior, "constant_data": constant})
    tree.attrs |= {
        "time_law": law,
        "reference_mjd": 59760.0,
        "simulated": 1,
        "card": "made",
        "seed": 5,
    }
    tree.attrs["photometry_sha256"] = "c0ffee" * 10
    return with_apertures(tree, published_apertures(MIRI))


def _absolute(shape: tuple[int, int], bands: tuple[str, ...]) -> dict:
    """Return draws of flux scale and type offsets; they take no number of the other draws'."""
    normal = np.random.default_rng(6).standard_normal
    return {
        "flux_scale": ([], FLUX_SCALE * normal(shape)),
        "type_offset": (["srctype"], TYPE * normal((*shape, 3))),
        "type_band_offset": (["srctype", "band"], TYPE * normal((*shape, 3, len(bands)))),
    }


def drawn_stars() -> xr.DataTree:
    """Return a posterior of two stars: one predicted, in F560W alone; one free, in two bands."""
    bands, stars, types = ("F560W", "F770W"), ["known", "free"], ["HotStars", "ADwarfs"]
    tree = drawn_tree(bands=bands, absolute=("flux_scale",))
    shape, normal = (2, 200), np.random.default_rng(3).standard_normal
    found = {
        "star_offset": (("star",), 0.02 + 0.001 * normal((*shape, 2)) * [1.0, 0.0]),
        "star_band_offset": (("star", "band"), np.full((*shape, 2, 2), -0.005)),
        "flux_offset": (("star", "band"), np.full((*shape, 2, 2), 0.001)),
        "type_band_offset": (("srctype", "band"), np.full((*shape, 2, 2), 0.004)),
        "free_flux": (("star", "band"), 0.1 + 0.003 * normal((*shape, 2, 2))),
    }
    posterior, rows = tree["posterior"].to_dataset(), tree["constant_data"].to_dataset()
    posterior = posterior.assign(
        {name: (("chain", "draw", *dims), value) for name, (dims, value) in found.items()}
    )
    rows = rows.assign(
        star_index=("row", np.resize([0, 1, 1], rows.sizes["row"])),
        flux=(("star", "band"), QUOTED),
        free=("star", [0.0, 1.0]),
        type_index=("star", [0, 1]),
    )
    tree["posterior"] = xr.DataTree(posterior.assign_coords(star=stars, srctype=types))
    tree["constant_data"] = xr.DataTree(rows.assign_coords(star=stars, band=list(bands)))
    return tree


def write_drawn(
    folder: Path,
    law: str = ADDITIVE,
    believable: bool = True,
    absolute: tuple[str, ...] = (),
    tree: xr.DataTree | None = None,
) -> None:
    """Write the calibration, or the one given, as a run's folder that can be asked."""
    folder.mkdir(parents=True, exist_ok=True)
    posterior = drawn_tree(law, absolute=absolute) if tree is None else tree
    write_posterior(posterior, folder / "posterior.nc")
    verdict = {"believable": believable, "chains": 2, "draws": 200}
    (folder / "diagnostics.json").write_text(json.dumps(verdict), encoding="utf-8")
    (folder / "job.toml").write_text('photometry = "table5"\n', encoding="utf-8")
    write_manifest(folder, posterior.attrs)
