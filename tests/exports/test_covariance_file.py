"""Values with their covariance, written and read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy import units as u
from astropy.io import fits
from astropy.table import Column, MaskedColumn
from astropy.utils.masked import Masked
from scipy.stats import multivariate_normal

from drawn import drawn_calibration
from miri_facts import FACTOR, MIRI
from mirical.calibration.factors import Query
from mirical.errors import InputError
from mirical.exports.covariance_file import (
    Covariance,
    history,
    read_covariance,
    write_covariance,
)

QUERY = Query.of(MIRI, ["F770W", "F2550W", "F560W"], ["SUB64_IP", "FULL", "FULL"], 60000.0)
ANSWER = drawn_calibration().at(QUERY)
MADE = Covariance(QUERY, ANSWER.mean, ANSWER.covariance, FACTOR)


def test_what_was_written_is_read_again(tmp_path: Path):
    path = tmp_path / "c.fits"
    parts = {"scale": 0.7 * MADE.covariance, "aperture": 0.3 * MADE.covariance}
    draws = np.arange(6.0).reshape(2, 3)
    full = Covariance(
        QUERY,
        MADE.mean,
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
    np.testing.assert_array_equal(back.mean, full.mean)
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
    made = Covariance(QUERY, MADE.mean, MADE.covariance, u.mJy, objects=names)
    write_covariance(made, path, "flüsse", ["from réf – 1 ± 2\nand here"], simulated=False)
    assert read_covariance(path).objects == names
    header, points = fits.getheader(path), fits.getdata(path, "POINTS")
    assert header["TITLE"] == r"fl\xfcsse"
    assert str(header["HISTORY"]) == r"from r\xe9f - 1 +/- 2 and here"
    assert list(points["name"]) == [r"\u03b4 UMi", r"\xc5ngstr\xf6m 1", r"a\\b"]


def test_the_likelihood_is_the_normal_density():
    model = MADE.mean * [1.01, 0.99, 1.0]
    expected = multivariate_normal(MADE.mean, MADE.covariance).logpdf(model)
    assert MADE.log_likelihood(model) == pytest.approx(expected, rel=1e-10)


def test_chi2_is_that_of_the_whole_covariance_and_of_factors_too():
    off = MADE.mean * [0.01, -0.01, 0.0]
    expected = off @ np.linalg.solve(MADE.covariance, off)
    assert MADE.chi2(MADE.mean + off) == pytest.approx(expected, rel=1e-9)
    assert ANSWER.chi2((ANSWER.mean + off) * ANSWER.unit) == pytest.approx(expected, rel=1e-9)
    masked = np.ma.array(MADE.mean + off, mask=[False, True, True])
    assert MADE.chi2(masked) == pytest.approx(off[0] ** 2 / MADE.covariance[0, 0], rel=1e-9)


def test_a_model_in_another_unit_is_converted_and_one_that_does_not_convert_refused():
    fluxes = Covariance(QUERY, np.array([1.0, 2.0, 3.0]), np.diag([0.1, 0.2, 0.3]) ** 2, u.mJy)
    model = np.array([1.1, 2.0, 2.9])
    expected = multivariate_normal(fluxes.mean, fluxes.covariance).logpdf(model)
    column = Column(1e3 * model, unit="uJy")
    for same in (model, list(model), model * u.mJy, 1e-3 * model * u.Jy, column):
        assert fluxes.log_likelihood(same) == pytest.approx(expected, rel=1e-12)
    with pytest.raises(InputError, match=r"the model is in K; expected mJy, or what converts"):
        fluxes.log_likelihood(model * u.K)


def test_masked_points_are_left_out_of_the_density():
    fluxes = Covariance(QUERY, MADE.mean, MADE.covariance, u.mJy)
    model = MADE.mean * [1.01, 7.0, 1.0]
    two = np.ix_([0, 2], [0, 2])
    expected = multivariate_normal(MADE.mean[[0, 2]], MADE.covariance[two]).logpdf(model[[0, 2]])
    mask = np.array([False, True, False])
    masked = np.ma.masked_array(model, mask), Masked(model * u.mJy, mask)
    unknown = np.where(mask, np.nan, model)
    for one in (*masked, MaskedColumn(unknown, mask=mask, unit="mJy")):
        assert fluxes.log_likelihood(one) == pytest.approx(expected, rel=1e-10)
    with pytest.raises(InputError, match="the model is masked at every point"):
        fluxes.log_likelihood(np.ma.masked_all(3))
    with pytest.raises(InputError, match="the model is nan at point 2; expected a number, or a"):
        fluxes.log_likelihood(unknown)


@pytest.mark.parametrize("model", [1.0, [1.0], np.ones(2), np.ones((3, 1)), np.ones((3, 3))])
def test_one_number_is_not_taken_for_all_points(model: Any):
    with pytest.raises(InputError, match=r"has shape \(.*\); expected one number a point, \(3,\)"):
        MADE.log_likelihood(model)


def test_a_singular_covariance_has_no_density_until_points_are_masked():
    twice = Query.of(MIRI, ["F770W", "F770W"], "FULL", 60000.0)
    same = Covariance(twice, np.ones(2), np.full((2, 2), 0.04), u.mJy)
    with pytest.raises(InputError, match="the covariance of these points is singular"):
        same.log_likelihood([1.0, 1.0])
    one = same.log_likelihood(np.ma.masked_array([1.0, 1.0], [False, True]))
    assert one == pytest.approx(-np.log(0.2 * np.sqrt(2 * np.pi)))


def _edited(matrix: Any, *entries: tuple[int, int, float]) -> Any:
    copy = np.array(matrix)
    for i, k, value in entries:
        copy[i, k] = value
    return copy


IMPOSSIBLE = {
    "COVARIANCE is not symmetric at points 1 and 2": {
        "covariance": _edited(MADE.covariance, (0, 1, 0.9 * MADE.covariance[0, 1]))
    },
    "COVARIANCE is nan at points 2 and 3, no number": {
        "covariance": _edited(MADE.covariance, (1, 2, np.nan))
    },
    "COVARIANCE has the variance -1 at point 3": {
        "covariance": _edited(MADE.covariance, (2, 2, -1.0))
    },
    "COVARIANCE is no covariance: some combination of points has a negative variance": {
        "covariance": np.sqrt(np.outer(*2 * [np.diag(MADE.covariance)]))
        * [[1, 0.9, -0.9], [0.9, 1, 0.9], [-0.9, 0.9, 1]]
    },
    "COVARIANCE has covariances at a point whose variance is 0": {
        "covariance": _edited(MADE.covariance, (0, 0, 0.0))
    },
    r"COVARIANCE has shape \(3, 2\), expected \(3, 3\)": {"covariance": MADE.covariance[:, :2]},
    "POINTS row 2: value is inf, no number": {"mean": np.array([1.0, np.inf, 1.0])},
    r"COV_SCALE has shape \(2, 2\)": {"parts": {"scale": np.eye(2)}},
    "the parts do not add up to COVARIANCE": {"parts": {"scale": 0.7 * MADE.covariance}},
    r"DRAWS has shape \(5, 2\), expected \(draw, 3\)": {"draws": np.ones((5, 2))},
    "DRAWS has entries that are no numbers": {"draws": np.full((5, 3), np.nan)},
}


@pytest.mark.parametrize("sentence", IMPOSSIBLE)
def test_what_cannot_be_a_covariance_is_refused_when_read(sentence: str, tmp_path: Path):
    path = tmp_path / "c.fits"
    wrong = replace(MADE, **IMPOSSIBLE[sentence])
    square = wrong.covariance.shape == (3, 3)
    with np.errstate(invalid="ignore"):
        write_covariance(wrong if square else MADE, path, "factors", [], simulated=False)
    if not square:
        with fits.open(path, mode="update") as extensions:
            extensions["COVARIANCE"].data = wrong.covariance
            for extension in extensions:
                del extension.header["CHECKSUM"], extension.header["DATASUM"]
    with pytest.raises(InputError, match=f"^c.fits: .*{sentence}.*make it again"):
        read_covariance(path)


def _damaged(path: Path, extension: str, keyword: str, value: Any) -> None:
    """Change a keyword, and the checksums with it."""
    with fits.open(path) as extensions:
        header = extensions[extension].header
        if value is None:
            del header[keyword]
        else:
            header[keyword] = value
        extensions.writeto(path.with_name("d.fits"), checksum=True, overwrite=True)


@pytest.mark.parametrize(
    ("extension", "keyword", "value", "sentence"),
    [
        ("POINTS", "VALUNIT", "furlong", "VALUNIT of POINTS is 'furlong', no unit"),
        ("POINTS", "VALUNIT", None, "VALUNIT of POINTS is None, no unit"),
        ("POINTS", "VALUNIT", "mJy", "COVARIANCE is in .*, where values are in mJy"),
        ("COVARIANCE", "BUNIT", "mJy", "COVARIANCE is in mJy, where values are in"),
        ("POINTS", "TTYPE1", "band", "POINTS has no column 'filter' of texts"),
        ("POINTS", "TTYPE4", "values", "POINTS has no column 'value' of numbers"),
        ("POINTS", "EXTNAME", "POINT", "has no POINTS table and COVARIANCE"),
        ("POINTS", "TFORM4", "3A", "is cut short or damaged"),
        ("POINTS", "TFIELDS", 99999999999, "is cut short or damaged"),
        ("COVARIANCE", "NAXIS1", 2000000000, "is cut short or damaged"),
    ],
)
def test_a_file_with_other_columns_units_or_sizes_is_refused(
    extension: str, keyword: str, value: Any, sentence: str, tmp_path: Path
):
    path = tmp_path / "d.fits"
    write_covariance(MADE, path, "factors", [], simulated=False)
    raw = path.read_bytes()
    if isinstance(value, int):  # astropy writes no such file
        old = f"{keyword:8}= {fits.getval(path, keyword, extension):>20}".encode()
        assert old in raw
        path.write_bytes(raw.replace(old, f"{keyword:8}= {value:>20}".encode()))
    else:
        _damaged(path, extension, keyword, value)
    with pytest.raises(InputError, match=f"d.fits: .*{sentence}"):
        read_covariance(path)


def test_a_file_that_changed_since_it_was_written_is_refused(tmp_path: Path):
    path = tmp_path / "c.fits"
    write_covariance(MADE, path, "factors", [], simulated=False)
    raw = bytearray(path.read_bytes())
    at = raw.index(np.array(MADE.mean[1], dtype=">f8").tobytes())
    raw[at + 7] ^= 1
    path.write_bytes(bytes(raw))
    with pytest.raises(InputError, match=r"c\.fits: its checksum is wrong, so it has changed"):
        read_covariance(path)
    path.write_bytes(bytes(raw[:-2860]))
    with pytest.raises(InputError, match=r"c\.fits: (is cut short|cannot be read)"):
        read_covariance(path)


def test_random_damage_is_one_sentence_or_the_numbers_as_written(tmp_path: Path):
    path = tmp_path / "c.fits"
    write_covariance(MADE, path, "factors", [], simulated=False)
    raw, random, refused = path.read_bytes(), np.random.default_rng(1), 0
    for _ in range(150):
        damaged = bytearray(raw)
        cards = np.flatnonzero(np.arange(len(raw)) % 80 >= 10)
        for at in random.choice(cards, size=random.integers(1, 4)):
            damaged[at] = random.integers(32, 127)
        path.write_bytes(bytes(damaged[: random.integers(1, len(raw) + 4000)]))
        try:
            back = read_covariance(path)
        except InputError as error:
            assert "\n" not in str(error)
            refused += 1
        else:
            np.testing.assert_array_equal(back.covariance, MADE.covariance)
    assert refused > 75


def test_where_numbers_come_from_is_told():
    lines = history(drawn_calibration())
    assert lines[0].startswith("SIMULATED calibration drawn, by mirical")
    assert "card: made" in lines and "fitted to rows from MJD 59730.0 to 60620.0" in lines


def test_another_file_is_refused(tmp_path: Path):
    other = tmp_path / "other.fits"
    fits.PrimaryHDU().writeto(other)
    for path, sentence in (
        (other, "other.fits: has no POINTS table and COVARIANCE; expected a FITS file"),
        (tmp_path / "none.fits", "no such file; expected a FITS file with POINTS"),
    ):
        with pytest.raises(InputError, match=sentence):
            read_covariance(path)
    with pytest.raises(InputError, match=r"c\.dat: expected a file name that ends with \.fits"):
        write_covariance(MADE, tmp_path / "c.dat", "factors", [], simulated=False)


def test_the_documented_loader_fits_a_spectrum(root: Path, tmp_path: Path, monkeypatch):
    """Run the lines of docs/using.md as they stand, with a model that is right."""
    monkeypatch.chdir(tmp_path)
    write_covariance(MADE, Path("calibrated.cov.fits"), "fluxes", [], simulated=False)
    text = (root / "docs" / "using.md").read_text()
    (code,) = (
        block.split("```")[0] for block in text.split("```python\n") if "read_covariance" in block
    )
    space: dict[str, Any] = {"my_model": lambda scale, bands: scale * MADE.mean[: len(bands)]}
    exec(code, space)
    assert space["log_likelihood"](1.0) == pytest.approx(MADE.log_likelihood(MADE.mean))
    assert space["log_likelihood"](1.1) < space["log_likelihood"](1.0)
