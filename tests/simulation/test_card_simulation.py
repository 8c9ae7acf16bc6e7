"""Programs made from an instrument's card alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.table import QTable

from miri_facts import MIRI
from mirical.cli import main
from mirical.errors import InputError
from mirical.instruments.cards import load_instrument, parse_instrument
from mirical.instruments.instrument import Instrument
from mirical.instruments.published import published_coefficients
from mirical.instruments.skeleton import skeleton_text
from mirical.simulation.card_program import usual_readout
from mirical.simulation.card_simulation import simulate_card
from mirical.simulation.simulated_program import SimulatedProgram, write_program
from mirical.tables.apertures import published_apertures
from mirical.tables.calibration_factors import CalibrationFactors, calibration_factors
from mirical.tables.photometry import load_photometry

NIRCAM, WFC3 = (load_instrument(name, "test") for name in ("nircam", "wfc3"))
MYCAM = skeleton_text("mycam")
NOTHING = [
    f"{name}=0"
    for name in (
        "star_offset", "type_offset", "colour", "visit", "repeatability", "photometry",
        "off_visit", "deviant_rows",
    )
]  # fmt: skip
"""Effects that leave rows exactly as the true factors have them."""


def card(text: str) -> Instrument:
    return parse_instrument(text, "toy", Path())


def read_back(program: SimulatedProgram, of: Instrument, folder: Path) -> CalibrationFactors:
    write_program(program, folder)
    rows = load_photometry(str(folder / "photometry.ecsv"), of, "test")
    assert rows.simulated and not any(rows.table["flag"])
    return calibration_factors(rows, {}, published_apertures(of))


@pytest.mark.parametrize("of", [NIRCAM, WFC3, MIRI, card(MYCAM)], ids=lambda of: of.name)
def test_rows_without_errors_have_the_true_factors(of: Instrument, tmp_path: Path):
    """Read back and divided by the predicted fluxes, they give what the truth says of them."""
    program = simulate_card(of, 1, effects=NOTHING)
    rows = program.photometry
    found = read_back(program, of, tmp_path / "out").table["log_factor"]
    bands, readouts = list(map(str, rows["filter"])), list(map(str, rows["subarray"]))
    true = program.coefficients.factor(bands, readouts, rows["time"].to_value("d"))
    np.testing.assert_allclose(found, np.log(true), atol=1e-9)


@pytest.mark.parametrize("of", [NIRCAM, WFC3, MIRI], ids=lambda of: of.name)
def test_every_band_and_readout_is_observed(of: Instrument):
    rows = simulate_card(of, 1).photometry
    assert set(of.bands) == set(rows["filter"])
    seen = set(rows["subarray"])
    assert set(of.subarrays) <= seen | {of.reference} and not seen & set(of.assumed)
    usual = [usual_readout(of, band) == readout for band, readout in rows.iterrows(
        "filter", "subarray"
    )]  # fmt: skip
    assert np.mean(usual) > 0.6
    time = rows["time"].to_value("d")
    assert time.min() == of.reference_mjd and 700 < np.ptp(time) < 740
    monthly = rows[rows["name"] == rows["name"][0]]
    assert len(set(monthly["visit"])) >= 25
    assert np.median((rows["iflux"] / rows["ifluxunc"]).value) == pytest.approx(300, rel=0.05)


def test_a_detector_that_alone_sees_a_band_observes_it():
    rows = simulate_card(NIRCAM, 1).photometry
    seen = {str(a) for a in rows["subarray"][rows["filter"] == "F444W"]}
    assert seen == {"NRCBLONG", "NRCALONG"}


def test_what_one_effect_draws_depends_on_no_other():
    plain, stepped = (
        simulate_card(NIRCAM, 1, effects=stated).photometry
        for stated in ([], ["step=0.02", "step_mjd=60000"])
    )
    after = 0.02 * (plain["time"].value >= 60000)
    np.testing.assert_allclose(np.log(plain["iflux"] / stepped["iflux"]).value, after, atol=1e-12)


def test_published_coefficients_are_the_truth_where_there_are_such():
    known = published_coefficients(MIRI)
    a = dict(zip(known["filter"], known["A"].value, strict=True))
    program = simulate_card(MIRI, 1)
    assert program.coefficients.A.tolist() == [a[band] for band in MIRI.bands]
    assert simulate_card(MIRI, 1, "perturbed").coefficients.A.tolist() != [*a.values()]


MISFITS = {
    "debris_disk": (["--effects", "debris_disk=0.1"], "debris_disk is of MIRI's own program"),
    "step": (["--effects", "step=0.1", "step_mjd=59000"], "step_mjd=59000 is not within"),
    "law": (["--law", "power"], "--law is for MIRI's own program"),
    "mosaics": (["--mosaics", "all"], "--mosaics is for MIRI's own program"),
    "truth": (["--truth", "published"], "the card of NIRCam states no published coefficients"),
}


@pytest.mark.parametrize("misfit", MISFITS)
def test_what_only_miris_program_has_is_refused(
    misfit: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    options, said = MISFITS[misfit]
    command = ["simulate", "--instrument", "nircam", "--seed", "1", "--out", str(tmp_path / "out")]
    assert main([*command, *options]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


BAND_G = '[[band]]\nname = "g"\npivot = 0.475\n# bandpass = "g.ecsv"\n'
FITTED = '[[readout]]\nname = "SUB"\nthroughput = "fitted"\n'
ODD = {
    "one band": MYCAM.replace(BAND_G, ""),
    "one readout": MYCAM.replace(FITTED, ""),
    "forty bands": MYCAM
    + "".join(f'\n[[band]]\nname = "b{i}"\npivot = {0.3 + 0.1 * i}\n' for i in range(40)),
    "twenty types": MYCAM + "".join(f'\n[[star_type]]\nname = "t{i}"\n' for i in range(20)),
    "other scripts": MYCAM.replace('"g"', '"γ′"').replace('"SUB"', '"サブ"').replace(
        '"standard"', '"étalon"'
    ),
    "a long visit": MYCAM.replace("visit_length = 1.0", "visit_length = 400.0"),
    "a launch after the reference": MYCAM.replace("launch_mjd = 59000.0", "launch_mjd = 60500.0"),
    "t0 after the reference": MYCAM.replace("t0 = 60000.0", "t0 = 63000.0"),
}  # fmt: skip


@pytest.mark.parametrize("odd", ODD)
def test_odd_cards_are_simulated(odd: str, tmp_path: Path):
    of = card(ODD[odd])
    found = read_back(simulate_card(of, 1), of, tmp_path / "out")
    assert np.all(np.isfinite(found.table["log_factor"]))


def test_a_card_whose_epochs_leave_no_room_is_refused():
    with pytest.raises(InputError, match="no program of two years fits in"):
        simulate_card(card(MYCAM.replace("reference_mjd = 60000", "reference_mjd = 69500")), 1)


def test_a_flux_that_is_none_is_refused(tmp_path: Path):
    fluxes = QTable(
        {"name": ["a"], "filter": ["g"], "model_flux": [-1.0]}, units={"model_flux": "mJy"}
    )
    fluxes.write(tmp_path / "f.ecsv")
    text = MYCAM.replace("[factor]", 'predicted_fluxes = "f.ecsv"\n\n[factor]')
    with pytest.raises(InputError, match=r"star 'a': model_flux in g is -1; expected more"):
        simulate_card(parse_instrument(text, "toy", tmp_path), 1)
