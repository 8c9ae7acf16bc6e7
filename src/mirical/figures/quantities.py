"""Single quantities of a posterior by what one calls them, such as ``A[F770W]``, and the worst."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import xarray as xr
from arviz_stats.base.array import array_stats
from numpy.typing import NDArray

from mirical.errors import InputError, did_you_mean
from mirical.inference.posterior import reported
from mirical.instruments.instrument import Instrument

WORST = 4
"""Quantities that are drawn where none are named: those with the fewest effective draws."""
_MOST = 60  # lines of a figure, or panels, that can still be read
_FEWEST = 20  # draws of a chain that a figure shows, few as they may be worth
_SAMPLE = 2  # leading dims: chain, draw
_FACTORS = "A", "B", "C_ref"
_DAYS = "tau", "tau_median"
_IN_LN_C = "repeatability", "step", "time_departure"  # beside all offsets


def unit_of(variable: str, instrument: Instrument) -> str:
    """Return the unit of a variable of a posterior as labels end with it; "" if it has none.

    Parameters
    ----------
    variable : str
        The variable.
    instrument : Instrument
        Whose rows were fitted.
    """
    if variable in _FACTORS:
        return f" ({instrument.factor_text})"
    if variable in _DAYS:
        return " (d)"
    return " (ln C)" if variable in _IN_LN_C or variable.endswith("_offset") else ""


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
        If there is no such variable or quantity, or nothing of it varies.
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
        if not each and wanted is not None:
            raise InputError(f"quantity {name!r} does not vary, or is not finite, in this run.")
        found |= each
    # Without them ArviZ takes the chains for one.
    sizes = drawn.sizes
    return xr.Dataset(found, {name: np.arange(sizes[name]) for name in ("chain", "draw")})


def chosen_draws(posterior: xr.DataTree, wanted: Sequence[str] | None) -> xr.Dataset:
    """Return the draws of quantities by label, of the `WORST` if none are named.

    Raises
    ------
    InputError
        If there is no such variable or quantity.
    """
    if wanted:
        return labelled_draws(posterior, wanted)
    drawn = labelled_draws(posterior, None)
    names = [str(name) for name in drawn.data_vars]
    return drawn[[names[i] for i in np.argsort(effective_draws(drawn), kind="stable")[:WORST]]]


def effective_draws(drawn: xr.Dataset) -> NDArray[np.float64]:
    """Return the effective draws, bulk, of each quantity."""
    values = np.stack([one.to_numpy() for one in drawn.data_vars.values()], axis=-1)
    return np.asarray(array_stats.ess(values, chain_axis=0, draw_axis=1, method="bulk"))


def thinned(drawn: xr.Dataset, wanted: int) -> xr.Dataset:
    """Return every so manieth draw, so that about as many a chain are left as wanted."""
    step = round(drawn.sizes["draw"] / max(wanted, _FEWEST))
    return drawn.isel(draw=slice(None, None, max(1, step)))


def few(kind: str, chosen: xr.Dataset) -> xr.Dataset:
    """Return draws of no more quantities than a figure can show.

    Raises
    ------
    InputError
        If there are more.
    """
    number = len(chosen.data_vars)
    if number > _MOST:
        raise InputError(
            f"{kind}: {number} quantities were asked for; expected {_MOST} at most: name single "
            "ones, such as 'A[F770W]'."
        )
    return chosen


def with_units(chosen: xr.Dataset, instrument: Instrument) -> xr.Dataset:
    """Return draws whose labels name units."""
    names = map(str, chosen.data_vars)
    return chosen.rename({one: one + unit_of(one.partition("[")[0], instrument) for one in names})


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
