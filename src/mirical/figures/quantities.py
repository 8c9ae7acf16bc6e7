"""Single quantities of a posterior by what one calls them, such as ``A[F770W]``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import xarray as xr

from mirical.errors import InputError, did_you_mean
from mirical.inference.posterior import reported

_SAMPLE = 2  # leading dims: chain, draw


def labelled_draws(posterior: xr.DataTree, wanted: Sequence[str] | None) -> xr.Dataset:
    """Return draws of single quantities, a variable (chain, draw) each, by label.

    Parameters
    ----------
    posterior : DataTree
        A run's.
    wanted : sequence of str or None
        Variables of its posterior, whole, or single quantities of them as ``A[F770W]`` or
        ``D_band[F770W, SUB64]``; None: all that the report quotes.

    Raises
    ------
    InputError
        If there is no such variable or quantity.
    """
    drawn = posterior["posterior"].to_dataset()
    names = reported(posterior) if wanted is None else wanted
    found: dict[str, xr.DataArray] = {}
    for name in names:
        variable, _, label = name.partition("[")
        if variable not in drawn.data_vars:
            known = [str(one) for one in drawn.data_vars]
            raise InputError(f"quantity {name!r} is unknown{did_you_mean(variable, known)}")
        each = dict(_single(variable, drawn[variable], name if label else None))
        if not each and label:
            of = drawn[variable].dims[_SAMPLE:]
            first = ", ".join(str(drawn[dim].to_numpy()[0]) for dim in of)
            raise InputError(
                f"quantity {name!r} is unknown; {variable} has one for each "
                f"{', '.join(map(str, of))}, such as {variable}[{first}]."
            )
        found |= each
    # Without them ArviZ takes the chains for one.
    sizes = drawn.sizes
    return xr.Dataset(found, {name: np.arange(sizes[name]) for name in ("chain", "draw")})


def _single(
    name: str, variable: xr.DataArray, only: str | None
) -> Iterator[tuple[str, xr.DataArray]]:
    """Yield by label the quantities of a variable that vary and are finite, or the one named."""
    values = variable.transpose("chain", "draw", ...).to_numpy()
    of = variable.dims[_SAMPLE:]
    for place in np.ndindex(values.shape[_SAMPLE:]):
        where = (str(variable[dim].to_numpy()[i]) for dim, i in zip(of, place, strict=True))
        label = f"{name}[{', '.join(where)}]" if of else name
        draws = values[(..., *place)]
        varies = np.all(np.isfinite(draws)) and np.any(draws != draws[0, 0])
        if varies if only is None else only == label:
            yield label, xr.DataArray(draws, dims=("chain", "draw"))
