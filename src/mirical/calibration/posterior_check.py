"""Validation of a stored posterior: groups, variables, dims, coordinates, finite and positive."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import xarray as xr

from mirical.bands import BANDS, SUBARRAYS
from mirical.calibration.posterior import APERTURE_ERROR
from mirical.errors import InputError
from mirical.inference.schema import DIMS, LEAST_DRAWS, NEEDED, POSITIVE, SAMPLE
from mirical.model.timelaw import ADDITIVE, LAWS

_ROWS = ("elapsed", "band_index", "subarray_index", "star_index")
_INDEX = "_index"
_SAMPLED = ("posterior", "posterior_predictive", "log_likelihood")


_LARGEST_LOSS = 100.0  # of ln(A / C) at t0: its exponential stays a number


def refuse_impossible(posterior: xr.DataTree, where: str) -> None:
    """Raise for the first thing that a run's posterior cannot be.

    Raises
    ------
    InputError
        If a group, variable or coordinate is missing, has other dims or another kind; if there
        are fewer than `LEAST_DRAWS` draws a chain, numbers that are not finite, or factors, time
        constants, throughputs or repeatabilities that are not positive.
    """
    for fault in _faults(posterior):
        raise InputError(f"{where}: {fault}; run the job again.")


def _faults(posterior: xr.DataTree) -> Iterator[str]:
    """Yield faults in an order in which later checks may rely on earlier ones."""
    for group in ("posterior", "constant_data"):
        if group not in posterior.children:
            yield f"has no group {group!r}"
    law = str(posterior.attrs.get("time_law", ADDITIVE))  # the first miricals had one alone
    if law not in LAWS:
        yield f"its time law is {law!r}; expected one of {', '.join(LAWS)}"
    drawn = posterior["posterior"].to_dataset()
    yield from _coordinate_faults(drawn)
    for name in dict.fromkeys((*NEEDED, *LAWS[law].parameters)):
        if name not in drawn.data_vars:
            yield f"its posterior has no variable {name!r}"
    for group in _SAMPLED:
        if group in posterior.children:
            yield from _draw_faults(posterior[group].to_dataset(), group, drawn)
    for name in POSITIVE:
        if name in drawn.data_vars and not np.all(drawn[name].values > 0):
            yield f"its posterior has draws of {name!r} that are not positive"
    for name, values in drawn.data_vars.items():
        if str(name).endswith("_scale") and np.any(values.values < 0):
            yield f"its posterior has draws of {name!r} that are negative"
    yield from _row_faults(posterior["constant_data"].to_dataset(), drawn)


def _coordinate_faults(drawn: xr.Dataset) -> Iterator[str]:
    for name in SAMPLE:
        if name not in drawn.sizes:
            yield f"its posterior has no dimension {name!r}"
    if drawn.sizes["draw"] < LEAST_DRAWS or not drawn.sizes["chain"]:
        yield (
            f"its posterior has {drawn.sizes['chain']} chains of {drawn.sizes['draw']} draws; "
            f"expected at least {LEAST_DRAWS} draws each"
        )
    for name, known in (("band", BANDS), ("subarray", SUBARRAYS)):
        if name not in drawn.coords or drawn[name].dims != (name,):
            yield f"its posterior has no coordinate {name!r}"
        names = [str(one) for one in drawn[name].values]
        if not names or len(set(names)) < len(names) or not set(names) <= set(known):
            listed = ", ".join(names) or "none"
            yield f"its {name}s are {listed}; expected some of {', '.join(known)}, once each"


def _draw_faults(values: xr.Dataset, group: str, drawn: xr.Dataset) -> Iterator[str]:
    for name, variable in values.data_vars.items():
        of = variable.dims[len(SAMPLE) :]
        expected = tuple(DIMS.get(str(name), of)) if group == "posterior" else of
        if variable.dims[: len(SAMPLE)] != SAMPLE or of != expected:
            dims = ", ".join(map(str, (*SAMPLE, *expected)))
            yield f"{name!r} of its {group} has dims {variable.dims}; expected ({dims})"
        if variable.dtype.kind not in "fiub":
            yield f"{name!r} of its {group} holds no numbers"
        if not np.all(np.isfinite(variable.values)):
            yield f"{name!r} of its {group} has draws that are no numbers"
        elif name == "loss" and np.any(np.abs(variable.values) > _LARGEST_LOSS):
            yield f"{name!r} of its {group} has draws beyond any loss"
        other = [str(d) for d in variable.dims if values.sizes[d] != drawn.sizes.get(d, -1)]
        if other:
            yield f"{name!r} of its {group} has another number of {', '.join(other)}s"


def _row_faults(rows: xr.Dataset, drawn: xr.Dataset) -> Iterator[str]:
    for name in _ROWS:
        if name not in rows.data_vars or rows[name].dims != ("row",):
            yield f"its constant_data has no variable {name!r} of each row"
    if not rows.sizes["row"]:
        yield "its constant_data has no rows"
    for name, variable in rows.data_vars.items():
        values, of = variable.values, str(name).removesuffix(_INDEX)
        if values.dtype.kind not in "fiub":
            yield f"{name!r} of its constant_data holds no numbers"
        if name == APERTURE_ERROR:
            # NaN where nobody measured it.
            if variable.dims != ("band",) or np.any(np.isinf(values) | (values < 0)):
                yield f"{name!r} of its constant_data is no relative error a band"
            continue
        if not np.all(np.isfinite(values)):
            yield f"{name!r} of its constant_data has entries that are no numbers"
        if of == name:
            continue
        if values.dtype.kind not in "iu" or values.min() < 0:
            yield f"{name!r} of its constant_data has entries that are no index"
        if of in drawn.sizes and values.max() >= drawn.sizes[of]:
            yield f"{name!r} of its constant_data points beyond the {drawn.sizes[of]} {of}s"
