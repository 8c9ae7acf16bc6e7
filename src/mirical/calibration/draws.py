"""Draws and rows of a run as plain arrays: read from its file, validated, or of a DataTree."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mirical.errors import InputError, reading
from mirical.inference.quoted_errors import half_width
from mirical.inference.schema import DIMS, FLUX_SCALE, LEAST_DRAWS, NEEDED, POSITIVE, SAMPLE
from mirical.instruments.instrument import Instrument
from mirical.laws.timelaw import ADDITIVE, LAWS

if TYPE_CHECKING:
    import xarray as xr

DRAWN, PRIOR, ROWS = "posterior", "prior", "constant_data"
"""Groups of a posterior's file that a calibration is made of."""

APERTURE_ERROR = "aperture_correction_unc"
"""Variable of a run's constant data: relative error of each band's aperture correction."""

STAR_FLUX = "flux"
"""Variable of a run's constant data: predicted or nominal flux of each star and band, mJy."""

_GAPPED = {
    APERTURE_ERROR: (("band",), "relative error a band"),
    STAR_FLUX: (("star", "band"), "flux of a star and band"),
}
"""Variables of the constant data that are NaN where nobody measured: their dims, what they are."""

_LIBRARY = ("_NCProperties",)  # attributes that the library of netCDF writes for itself
_ROWS = ("elapsed", "band_index", "subarray_index", "star_index")
_INDEX = "_index"
_SAMPLED = ("posterior", "posterior_predictive", "log_likelihood")
_LARGEST_LOSS = 100.0  # of ln(A / C) at t0: its exponential stays a number


class Variable(NamedTuple):
    """Values of a variable and the names of its dims."""

    dims: tuple[str, ...]
    values: NDArray[Any]


@dataclass(frozen=True)
class Draws:
    """Draws of a run and its rows.

    Attributes
    ----------
    attrs : mapping of {str : value}
        Provenance: job, card, time law, seed, hash of the rows, versions.
    groups : mapping of {str : mapping of {str : Variable}}
        Variables and coordinates of each group of the posterior's schema, by name.
    """

    attrs: Mapping[str, Any]
    groups: Mapping[str, Mapping[str, Variable]]

    @classmethod
    def of(cls, tree: xr.DataTree) -> Draws:
        """Take the arrays of a DataTree, which are not copied."""
        groups = {
            str(group): {
                str(name): Variable(tuple(map(str, one.dims)), one.values)
                for name, one in node.to_dataset().variables.items()
            }
            for group, node in tree.children.items()
        }
        return cls({str(key): value for key, value in tree.attrs.items()}, groups)

    def has(self, name: str, group: str = DRAWN) -> bool:
        """Return whether there is a variable of this name."""
        return name in self.groups.get(group, {})

    def values(self, name: str, group: str = DRAWN) -> NDArray[Any]:
        """Return the values of a variable; draws have shape (chain, draw, ...)."""
        return self.groups[group][name].values

    def flat(self, name: str) -> NDArray[Any]:
        """Return the posterior draws of a variable, chains one after the other, (sample, ...)."""
        values = self.values(name)
        return values.reshape(-1, *values.shape[len(SAMPLE) :])

    def labels(self, coordinate: str) -> list[str]:
        """Return the names of bands, subarrays, stars, ... of the posterior."""
        return [str(name) for name in self.values(coordinate)]

    @property
    def flux_scale_error(self) -> float:
        """Relative error of the flux scale common to all stars and bands; 0 if none is stated."""
        return float(half_width(self.flat(FLUX_SCALE))) if self.has(FLUX_SCALE) else 0.0

    @property
    def sizes(self) -> dict[str, int]:
        """Length of each dim of the posterior."""
        return sizes_of(self.groups[DRAWN])


def sizes_of(group: Mapping[str, Variable]) -> dict[str, int]:
    """Return the length of each dim of a group's variables."""
    return {d: n for one in group.values() for d, n in zip(one.dims, one.values.shape, strict=True)}


def read_draws(path: Path, wanted: Callable[[str, str], bool]) -> Draws:
    """Read a posterior's file without the libraries of sampling and of labelled arrays.

    Parameters
    ----------
    path : Path
        A file that exists.
    wanted : callable
        Given a group and the name of a variable, whether to read it.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    import h5py

    with reading(str(path), "a posterior", "run the job again"), h5py.File(path, "r") as file:
        attrs = {key: _plain(value) for key, value in file.attrs.items() if key not in _LIBRARY}
        groups = {
            group: {
                name: Variable(_dims(name, one), _decoded(one[()]))
                for name, one in content.items()
                if wanted(group, name) and isinstance(one, h5py.Dataset) and _is_variable(one)
            }
            for group, content in file.items()
            if isinstance(content, h5py.Group)
        }
    return Draws(attrs, groups)


def _is_variable(dataset: Any) -> bool:
    """Return whether a data set is a variable of netCDF, not the mere length of a dim."""
    name = dataset.attrs.get("NAME", b"")
    return not bytes(name).startswith(b"This is a netCDF dimension but not a netCDF variable")


def _dims(name: str, dataset: Any) -> tuple[str, ...]:
    """Return the names of a variable's dims: the scales that netCDF attaches to its axes."""
    if dataset.is_scale:
        return (name,)
    return tuple(str(axis[0].name).rsplit("/", 1)[-1] for axis in dataset.dims)


def _plain(value: Any) -> Any:
    """Return an attribute as XArray gives it: an array of one number as the number."""
    return value[0] if isinstance(value, np.ndarray) and value.shape == (1,) else value


def _decoded(values: NDArray[Any]) -> NDArray[Any]:
    """Return names as text: the file has them as bytes."""
    if values.dtype.kind not in "OS":
        return values
    return np.array([one.decode() if isinstance(one, bytes) else str(one) for one in values.flat])


def refuse_impossible(draws: Draws, instrument: Instrument, where: str) -> None:
    """Raise for the first thing that a run's draws cannot be, among what was read of them.

    Raises
    ------
    InputError
        If a group, variable or coordinate is missing, has other dims or another kind; if there
        are fewer than `LEAST_DRAWS` draws a chain, numbers that are not finite, or factors, time
        constants, throughputs or repeatabilities that are not positive.
    """
    for fault in _faults(draws, instrument):
        raise InputError(f"{where}: {fault}; run the job again.")


def _faults(draws: Draws, instrument: Instrument) -> Iterator[str]:
    """Yield faults in an order in which later checks may rely on earlier ones."""
    for group in (DRAWN, ROWS):
        if group not in draws.groups:
            yield f"has no group {group!r}"
    law = str(draws.attrs.get("time_law", ADDITIVE))  # the first miricals had one alone
    if law not in LAWS:
        yield f"its time law is {law!r}; expected one of {', '.join(LAWS)}"
    drawn, sizes = draws.groups[DRAWN], draws.sizes
    yield from _coordinate_faults(drawn, sizes, instrument)
    for name in dict.fromkeys((*NEEDED, *LAWS[law].parameters)):
        if name not in drawn:
            yield f"its posterior has no variable {name!r}"
    for group in _SAMPLED:
        if group in draws.groups:
            yield from _draw_faults(draws.groups[group], group, sizes)
    for name in POSITIVE:
        if name in drawn and not np.all(drawn[name].values > 0):
            yield f"its posterior has draws of {name!r} that are not positive"
    for name, variable in drawn.items():
        if name.endswith("_scale") and name != FLUX_SCALE and np.any(variable.values < 0):
            yield f"its posterior has draws of {name!r} that are negative"
    yield from _row_faults(draws.groups[ROWS], sizes)


def _coordinate_faults(
    drawn: Mapping[str, Variable], sizes: Mapping[str, int], instrument: Instrument
) -> Iterator[str]:
    for name in SAMPLE:
        if name not in sizes:
            yield f"its posterior has no dimension {name!r}"
    if sizes["draw"] < LEAST_DRAWS or not sizes["chain"]:
        yield (
            f"its posterior has {sizes['chain']} chains of {sizes['draw']} draws; "
            f"expected at least {LEAST_DRAWS} draws each"
        )
    for name, known in (("band", instrument.bands), ("subarray", instrument.subarrays)):
        if name not in drawn or drawn[name].dims != (name,):
            yield f"its posterior has no coordinate {name!r}"
        names = [str(one) for one in drawn[name].values]
        if not names or len(set(names)) < len(names) or not set(names) <= set(known):
            listed = ", ".join(names) or "none"
            yield f"its {name}s are {listed}; expected some of {', '.join(known)}, once each"


def _draw_faults(
    variables: Mapping[str, Variable], group: str, sizes: Mapping[str, int]
) -> Iterator[str]:
    for name, variable in variables.items():
        if variable.dims == (name,):  # a coordinate
            continue
        of, values = variable.dims[len(SAMPLE) :], variable.values
        expected = tuple(DIMS.get(name, of)) if group == DRAWN else of
        if variable.dims[: len(SAMPLE)] != SAMPLE or of != expected:
            dims = ", ".join((*SAMPLE, *expected))
            yield f"{name!r} of its {group} has dims {variable.dims}; expected ({dims})"
        if values.dtype.kind not in "fiub":
            yield f"{name!r} of its {group} holds no numbers"
        # Where no loss settles, tau is infinite.
        if np.any(np.isnan(values) if name == "tau" else ~np.isfinite(values)):
            yield f"{name!r} of its {group} has draws that are no numbers"
        elif name == "loss" and np.any(np.abs(values) > _LARGEST_LOSS):
            yield f"{name!r} of its {group} has draws beyond any loss"
        lengths = sizes_of({name: variable})
        other = [dim for dim, length in lengths.items() if length != sizes.get(dim, -1)]
        if other:
            yield f"{name!r} of its {group} has another number of {', '.join(other)}s"


def _row_faults(rows: Mapping[str, Variable], sizes: Mapping[str, int]) -> Iterator[str]:
    for name in _ROWS:
        if name not in rows or rows[name].dims != ("row",):
            yield f"its constant_data has no variable {name!r} of each row"
    if not sizes_of(rows)["row"]:
        yield "its constant_data has no rows"
    for name, variable in rows.items():
        if variable.dims == (name,):
            continue
        values, of = variable.values, name.removesuffix(_INDEX)
        if values.dtype.kind not in "fiub":
            yield f"{name!r} of its constant_data holds no numbers"
        if name in _GAPPED:
            dims, what = _GAPPED[name]
            if variable.dims != dims or np.any(np.isinf(values) | (values < 0)):
                yield f"{name!r} of its constant_data is no {what}"
            continue
        if not np.all(np.isfinite(values)):
            yield f"{name!r} of its constant_data has entries that are no numbers"
        if of == name:
            continue
        if values.dtype.kind not in "iu" or values.min() < 0:
            yield f"{name!r} of its constant_data has entries that are no index"
        if of in sizes and values.max() >= sizes[of]:
            yield f"{name!r} of its constant_data points beyond the {sizes[of]} {of}s"
