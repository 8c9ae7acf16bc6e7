"""Values with their full covariance as one FITS file, and back: the side-car of other products.

PRIMARY       where the numbers come from
POINTS        filter, subarray, mjd, value, std; and name where values are of several objects
COVARIANCE    (point, point), in the value's unit squared
COV_<PART>    what it is the sum of, where that is known
DRAWS         (draw, point), in the value's unit, where they were asked for
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from astropy import units as u
from astropy.io import fits
from astropy.table import Table
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

import mirical
from mirical.errors import InputError
from mirical.files import whole_file
from mirical.products.calibration import Calibration, Query, simulated
from mirical.text import ascii_name, ascii_text, name_of_ascii

Floats = NDArray[np.float64]

_PART = "COV_"


@dataclass(frozen=True)
class Covariance:
    """Values at points with their covariance.

    Attributes
    ----------
    query : Query
        The points.
    value : (point,) array
        Mean.
    covariance : (point, point) array
        In the unit squared.
    unit : Unit
        Of the values.
    parts : mapping of {str : (point, point) array}
        What the covariance is the sum of.
    draws : (draw, point) array or None
        Draws of the values.
    objects : tuple of str
        What each value is of; empty for one object. A FITS file holds ASCII alone: there they are
        written as `ascii_name` does.
    """

    query: Query
    value: Floats
    covariance: Floats
    unit: u.UnitBase
    parts: Mapping[str, Floats] = field(default_factory=dict)
    draws: Floats | None = None
    objects: tuple[str, ...] = ()

    @property
    def std(self) -> Floats:
        """Standard deviations, (point,)."""
        return np.sqrt(np.diag(self.covariance))

    def log_likelihood(self, model: Floats) -> float:
        """Return the normal log density of the values given what a model says of them.

        Parameters
        ----------
        model : (point,) array
            In the same unit and order.
        """
        root = cho_factor(self.covariance, lower=True)
        off = self.value - np.asarray(model, dtype=float)
        log_volume = 2 * np.sum(np.log(np.diag(root[0])))
        return float(
            -0.5 * (off @ cho_solve(root, off) + log_volume + len(off) * np.log(2 * np.pi))
        )


def history(calibration: Calibration) -> list[str]:
    """Return the lines a FITS file carries on where its calibration comes from, in ASCII."""
    lines = [
        f"{simulated(calibration)}calibration {calibration.name}, by mirical {mirical.__version__}"
    ]
    lines += [f"{key}: {value}" for key, value in calibration.provenance.items()]
    if calibration.epochs:
        first = min(epoch for epoch, _ in calibration.epochs.values())
        last = max(epoch for _, epoch in calibration.epochs.values())
        lines.append(f"fitted to rows from MJD {first:.1f} to {last:.1f}")
    return list(map(ascii_text, lines))


def write_covariance(
    made: Covariance, path: Path, about: str, lines: Sequence[str], simulated: bool
) -> None:
    """Write the file, whole or not at all.

    Parameters
    ----------
    made : Covariance
        What to write.
    path : Path
        FITS file; replaced if it exists.
    about : str
        What the values are, one line.
    lines : sequence of str
        Where they come from (`history`).
    simulated : bool
        Whether they rest on simulated rows.

    Raises
    ------
    InputError
        If it cannot be written.
    """
    header = fits.Header()
    header["TITLE"] = ascii_text(("SIMULATED " if simulated else "") + about)[:68]
    header["ORIGIN"] = f"mirical {mirical.__version__}"
    header["SIMULATE"] = (simulated, "whether simulated rows are behind it")
    for line in lines:
        header.add_history(ascii_text(line))
    query = made.query
    points = Table({"filter": list(query.filters), "subarray": list(query.subarrays)})
    if made.objects:
        points.add_column(list(map(ascii_name, made.objects)), name="name", index=0)
    points["mjd"] = query.mjd * u.d
    unit = made.unit.to_string()
    points["value"], points["std"] = made.value, made.std
    images = {"COVARIANCE": (made.covariance, f"({unit})^2")}
    images |= {_PART + name.upper(): (part, f"({unit})^2") for name, part in made.parts.items()}
    if made.draws is not None:
        images["DRAWS"] = made.draws, unit
    extensions = [fits.PrimaryHDU(header=header), fits.BinTableHDU(points, name="POINTS")]
    extensions[1].header["VALUNIT"] = unit
    for name, (values, of) in images.items():
        extensions.append(fits.ImageHDU(np.asarray(values, dtype=float), name=name))
        extensions[-1].header["BUNIT"] = of
    with whole_file(path, ".fits") as beside:
        fits.HDUList(extensions).writeto(beside)


def read_covariance(path: Path | str) -> Covariance:
    """Read the file `write_covariance` wrote.

    Raises
    ------
    InputError
        If it is no such file.
    """
    path = Path(path)
    expected = "expected a FITS file with POINTS and COVARIANCE, as mirical writes it"
    if not path.is_file():
        raise InputError(f"{path}: no such file; {expected}.")
    try:
        with fits.open(path, memmap=False) as extensions:
            points = Table.read(extensions["POINTS"])
            unit = u.Unit(extensions["POINTS"].header["VALUNIT"])
            images = {
                e.name: np.asarray(e.data, float)
                for e in extensions
                if e.is_image and e.name != "PRIMARY"
            }
    except (OSError, KeyError) as error:
        raise InputError(f"{path.name}: cannot be read; {expected}.") from error
    if "COVARIANCE" not in images:
        raise InputError(f"{path.name}: has no COVARIANCE; {expected}.")
    filters, subarrays = (tuple(map(str, points[name])) for name in ("filter", "subarray"))
    return Covariance(
        query=Query(filters, subarrays, np.asarray(points["mjd"], dtype=float)),
        value=np.asarray(points["value"], dtype=float),
        covariance=images["COVARIANCE"],
        unit=unit,
        parts={
            name.removeprefix(_PART).lower(): part
            for name, part in images.items()
            if name.startswith(_PART)
        },
        draws=images.get("DRAWS"),
        objects=tuple(name_of_ascii(str(n)) for n in points["name"])
        if "name" in points.colnames
        else (),
    )
