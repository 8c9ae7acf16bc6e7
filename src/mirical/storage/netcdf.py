"""Files of netCDF-4, made in memory: groups of labelled arrays, as xarray writes and reads them.

A file of netCDF-4 is one of HDF5 in which each dim of a group is a *dimension scale*: a variable
of its own name that holds its labels, to which the variables along it are attached. xarray's own
writer looks every dim up again for every variable, which takes longer than all bytes of a run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import count
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import xarray as xr

_NO_LABELS = "This is a netCDF dimension but not a netCDF variable."  # as the format says it
_USE = np.dtype([("dataset", h5py.ref_dtype), ("dimension", np.uint32)])
_SCALES = h5py.vlen_dtype(h5py.ref_dtype)


def netcdf_bytes(tree: xr.DataTree) -> bytes:
    """Return a tree as the content of a netCDF-4 file; the same tree gives the same bytes.

    Parameters
    ----------
    tree : DataTree
        Attributes, and groups without groups of their own, whose coordinates are the labels of
        dims. Values are numbers, truth values or text.
    """
    # Links and attributes in the order in which they are made: the C library asks for that.
    with h5py.File("made", "w", driver="core", backing_store=False, track_order=True) as file:
        said = f"version=2,h5py={h5py.__version__},hdf5={h5py.version.hdf5_version}"
        file.attrs["_NCProperties"] = np.array(said, dtype=h5py.string_dtype("ascii", len(said)))
        _describe(file, tree.attrs)
        numbers = count()
        for name, node in tree.children.items():
            group = file.create_group(str(name), track_order=True)
            _write_group(group, node.to_dataset(), numbers)
        file.flush()
        return file.id.get_file_image()


def _write_group(group: h5py.Group, content: xr.Dataset, numbers: Iterator[int]) -> None:
    """Write the variables of a group, its dims first, which get the next numbers of the file."""
    _describe(group, content.attrs)
    number: dict[str, int] = {}
    uses: dict[str, list[tuple[h5py.Reference, int]]] = {}
    for dim in map(str, dict.fromkeys([*content.coords, *content.sizes])):
        number[dim], uses[dim] = next(numbers), []
        if dim in content.coords:
            scale = _write(group, dim, content.coords[dim].values)
            scale.make_scale(dim)
        else:
            length = content.sizes[dim]
            scale = group.create_dataset(dim, shape=(length,), dtype=">f4", track_order=True)
            scale.make_scale(f"{_NO_LABELS}{length:10}")
        _tell_dims(scale, [number[dim]])
    for name, variable in content.data_vars.items():
        dataset, dims = _write(group, str(name), variable.values), list(map(str, variable.dims))
        _describe(dataset, variable.attrs)
        if not dims:
            continue
        _tell_dims(dataset, [number[dim] for dim in dims])
        scales = np.empty(len(dims), dtype=object)
        for axis, dim in enumerate(dims):
            scales[axis] = np.array([group[dim].ref], dtype=h5py.ref_dtype)
            uses[dim].append((dataset.ref, axis))
        dataset.attrs.create("DIMENSION_LIST", scales, dtype=_SCALES)
    for dim, where in uses.items():
        if where:
            group[dim].attrs["REFERENCE_LIST"] = np.array(where, dtype=_USE)


def _write(group: h5py.Group, name: str, values: NDArray[Any]) -> h5py.Dataset:
    """Write one array: truth values as bytes; where a number is missing there is NaN."""
    kind = values.dtype.kind
    if kind in "OU":
        text = values.astype(object)
        return group.create_dataset(name, data=text, dtype=h5py.string_dtype(), track_order=True)
    stored = values.astype(np.int8) if kind == "b" else values
    missing = values.dtype.type(np.nan) if kind == "f" else None
    dataset = group.create_dataset(name, data=stored, fillvalue=missing, track_order=True)
    if missing is not None:
        dataset.attrs["_FillValue"] = np.array([missing])
    if kind == "b":
        dataset.attrs["dtype"] = "bool"
    return dataset


def _tell_dims(dataset: h5py.Dataset, numbers: list[int]) -> None:
    """Write which dims a variable has for the C library, which goes by their numbers."""
    dataset.attrs["_Netcdf4Dimid"] = np.int32(numbers[0])
    dataset.attrs["_Netcdf4Coordinates"] = np.array(numbers, dtype=np.int32)


def _describe(item: h5py.Group | h5py.Dataset, attrs: Mapping[Any, Any]) -> None:
    for name, value in attrs.items():
        item.attrs[str(name)] = value if isinstance(value, str) else np.atleast_1d(value)
