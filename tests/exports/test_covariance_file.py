"""Values with their covariance, written and read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy import units as u
from astropy.io import fits
from scipy.stats import multivariate_normal

from drawn import drawn_calibration
from mirical.conventions import FACTOR
from mirical.errors import InputError
from mirical.exports.covariance_file import (
    Covariance,
    history,
    read_covariance,
    write_covariance,
)
from mirical.products.calibration import Query

QUERY = Query.of(["F770W", "F2550W", "F560W"], ["SUB64_IP", "FULL", "FULL"], 60000.0)
ANSWER = drawn_calibration().at(QUERY)
MADE = Covariance(QUERY, ANSWER.mean, ANSWER.covariance, FACTOR)


def test_what_was_written_is_read_again(tmp_path: Path):
    path = tmp_path / "c.fits"
    parts = {"scale": 0.7 * MADE.covariance, "aperture": 0.3 * MADE.covariance}
    draws = np.arange(6.0).reshape(2, 3)
    full = Covariance(
        QUERY,
        MADE.value,
        MADE.covariance,
        u.mJy,
        parts,
        draws,
        ("a", "b", "c"),
    )
    write_covariance(full, path, "fluxes", ["from here"], simulated=True)
    back = read_covariance(path)
    assert (back.query.filters, back.query.subarrays) == (QUERY.filters, QUERY.subarrays)
    np.testing.assert_array_equal(back.query.mjd, QUERY.mjd)
    assert back.objects == ("a", "b", "c")
    assert back.unit == u.mJy and set(back.parts) == {"scale", "aperture"}
    np.testing.assert_array_equal(back.covariance, full.covariance)
    np.testing.assert_array_equal(back.value, full.value)
    assert back.draws is not None
    np.testing.assert_array_equal(back.draws, draws)
    header = fits.getheader(path)
    assert header["TITLE"] == "SIMULATED fluxes" and header["SIMULATE"] is True
    assert "from here" in str(header["HISTORY"])


def test_a_factor_keeps_its_unit_and_need_not_have_draws(tmp_path: Path):
    path = tmp_path / "c.fits"
    write_covariance(MADE, path, "factors", [], simulated=False)
    back = read_covariance(path)
    assert back.unit == FACTOR and back.draws is None and back.objects == ()
    np.testing.assert_allclose(back.std, ANSWER.std, rtol=1e-14)


def test_names_that_are_not_ascii_come_back_and_headers_escape_them(tmp_path: Path):
    path = tmp_path / "é.fits"
    names = ("δ UMi", "Ångström 1", r"a\b")
    made = Covariance(QUERY, MADE.value, MADE.covariance, u.mJy, objects=names)
    write_covariance(made, path, "flüsse", ["from réf – 1 ± 2\nand here"], simulated=False)
    assert read_covariance(path).objects == names
    header, points = fits.getheader(path), fits.getdata(path, "POINTS")
    assert header["TITLE"] == r"fl\xfcsse"
    assert str(header["HISTORY"]) == r"from r\xe9f - 1 +/- 2 and here"
    assert list(points["name"]) == [r"\u03b4 UMi", r"\xc5ngstr\xf6m 1", r"a\\b"]


def test_the_likelihood_is_the_normal_density():
    model = MADE.value * [1.01, 0.99, 1.0]
    expected = multivariate_normal(MADE.value, MADE.covariance).logpdf(model)
    assert MADE.log_likelihood(model) == pytest.approx(expected, rel=1e-10)


def test_where_numbers_come_from_is_told():
    lines = history(drawn_calibration())
    assert lines[0].startswith("SIMULATED calibration drawn, by mirical")
    assert "card: made" in lines and "fitted to rows from MJD 59730.0 to 60620.0" in lines


def test_another_file_is_refused(tmp_path: Path):
    other = tmp_path / "other.fits"
    fits.PrimaryHDU().writeto(other)
    for path, sentence in (
        (other, "other.fits: cannot be read; expected a FITS file with POINTS"),
        (tmp_path / "none.fits", "no such file; expected a FITS file with POINTS"),
    ):
        with pytest.raises(InputError, match=sentence):
            read_covariance(path)
    with pytest.raises(InputError, match=r"c\.dat: expected a file name that ends with \.fits"):
        write_covariance(MADE, tmp_path / "c.dat", "factors", [], simulated=False)


def test_the_readmes_loader_fits_a_spectrum(root: Path, tmp_path: Path, monkeypatch):
    """Run the README's lines as they stand, with a model that is right."""
    monkeypatch.chdir(tmp_path)
    write_covariance(MADE, Path("fluxes.cov.fits"), "fluxes", [], simulated=False)
    text = (root / "README.md").read_text()
    (code,) = (
        block.split("```")[0] for block in text.split("```python\n") if "read_covariance" in block
    )
    space: dict[str, Any] = {"my_model": lambda scale, bands: scale * MADE.value[: len(bands)]}
    exec(code, space)
    assert space["log_likelihood"](1.0) == pytest.approx(MADE.log_likelihood(MADE.value))
    assert space["log_likelihood"](1.1) < space["log_likelihood"](1.0)
