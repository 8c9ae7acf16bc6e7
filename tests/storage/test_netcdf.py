"""A tree in a netCDF-4 file is the tree that is read."""

from __future__ import annotations

from io import BytesIO

import h5py
import numpy as np
import xarray as xr

from mirical.storage.netcdf import netcdf_bytes


def _tree() -> xr.DataTree:
    random = np.random.default_rng(3)
    drawn = xr.Dataset(
        {
            "A": (("chain", "draw", "band"), random.normal(size=(2, 3, 2)), {"unit": "MJy/sr"}),
            "scale": (("chain", "draw"), random.normal(size=(2, 3)).astype(np.float32)),
            "went": (("chain", "draw"), random.random((2, 3)) > 0.5),
            "steps": (("chain", "draw"), np.arange(6).reshape(2, 3)),
            "flux": (("star", "band"), np.array([[1.0, np.nan], [np.inf, 0.0], [2.0, 3.0]])),
            "pair": (("band", "band_too"), np.eye(2)),
            "one": ((), 3.5),
        },
        {
            "chain": np.arange(2),
            "draw": np.arange(3),
            "band": ["F560W", "F770W"],
            "star": ["α Lyr", "B", "C"],
            "none": np.zeros(0),
        },
        {"creation_library": "made"},
    )
    rows = xr.Dataset({"star_index": ("row", np.array([2, 0], dtype=np.int32))}, {"row": [7, 9]})
    tree = xr.DataTree.from_dict({"posterior": drawn, "constant_data": rows})
    tree.attrs = {"job": "program", "seed": 3, "reference_mjd": 59760.0}
    return tree


def test_what_xarray_reads_is_what_was_written():
    content = netcdf_bytes(_tree())
    assert content == netcdf_bytes(_tree())
    read = xr.open_datatree(BytesIO(content), engine="h5netcdf").load()
    xr.testing.assert_identical(read, _tree())
    for name, node in _tree().children.items():
        kinds = {key: value.dtype.kind for key, value in node.to_dataset().data_vars.items()}
        assert kinds == {key: read[name][str(key)].dtype.kind for key in kinds}


def test_variables_are_attached_to_the_scales_of_their_dims():
    with h5py.File(BytesIO(netcdf_bytes(_tree()))) as file:
        drawn = file["posterior"]
        for name, dims in {"A": ("chain", "draw", "band"), "flux": ("star", "band")}.items():
            assert [of[0] for of in drawn[name].dims] == [drawn[dim] for dim in dims]
        users = [file[user].name for user, _ in drawn["star"].attrs["REFERENCE_LIST"]]
        assert users == ["/posterior/flux"]
        numbers = [drawn[dim].attrs["_Netcdf4Dimid"] for dim in ("chain", "draw", "band")]
        assert drawn["A"].attrs["_Netcdf4Coordinates"].tolist() == numbers
        assert file["constant_data/row"].attrs["_Netcdf4Dimid"] not in numbers
