"""Model cards: the shipped one, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from miri_facts import MIRI, SUBARRAYS
from mirical.cards.card import BY_CHOICE, TERMS, load_card, parse_card
from mirical.errors import InputError
from mirical.inference.sampling import PRIOR_DRAWS, sample_prior
from mirical.instruments.cards import load_instrument, shipped_instruments
from mirical.jobs.inputs import resolve_job
from mirical.jobs.job import load_job
from samples import card_text

SHIPPED = tuple(term for term in TERMS if term not in BY_CHOICE)


def test_the_shipped_card_uses_every_term_and_says_what_it_means():
    card = load_card("hierarchical", "test", MIRI)
    assert card.name == "hierarchical" and card.title.startswith("Hierarchical")
    assert card.terms == SHIPPED
    assert all(card.has(term) and card.meanings[term] for term in SHIPPED)
    assert set(card.priors) == {name for term in SHIPPED for name in TERMS[term]}
    assert card.text == card_text()


def test_the_pooled_card_lets_nothing_differ_between_bands_but_factor_loss_and_scatter():
    card = load_card("pooled", "test", MIRI)
    assert set(SHIPPED) - set(card.terms) == {
        "rate_slope",
        "flux_scale",
        "type_band_offset",
        "star_band_offset",
        "visit_offset",
    }
    vanished = {n for n, prior in card.priors.items() if prior.is_fixed and prior.value == 0}
    assert vanished == {"tau_spread", "subarray_band_scale", "type_scale"}
    assert card.fixed("tau_median") == 200.0 and card.centres == {}


def test_the_update_card_is_centred_on_tables_7_and_8():
    card = load_card("update", "test", MIRI)
    assert card.terms == SHIPPED
    bands = "F560W", "F2550W", "FND"
    assert card.centre("A_centre", bands, 1.0) == pytest.approx([0.4496, 0.9064, 41.5591])
    assert np.expm1(-card.centre("loss_centre", bands, 0.0)) == pytest.approx(
        [0.0, -0.2011 / 0.9064, -1.365 / 41.5591]
    )
    assert list(card.centre("tau_centre", bands, 1.0)) == [200.0, 235.4, 200.0]
    published = [1.0, 1.005, 0.98, 1.0, 0.966]
    assert list(card.centre("D_centre", SUBARRAYS, 1.0)) == published


def test_centres_are_stated_before_the_priors_of_their_term():
    stated = load_card("update", "test", MIRI).stated("response_loss")
    assert [entry.name for entry in stated[:3]] == ["loss_centre", "tau_centre", "loss_scale"]
    assert stated[1].describe().startswith("published: F560W 200, F770W 200, ")


def test_draws_of_the_update_card_have_the_published_medians():
    """False alarm: 31 medians beyond 4.5 errors in one of 4700 runs (the seed is fixed)."""
    design = resolve_job(load_job("table5")).design
    card = load_card("update", "test", MIRI)
    drawn = sample_prior(design, card, 3)
    for name, without in (("A", 1.0), ("loss", 0.0), ("tau", 1.0), ("D", 1.0)):
        of = design.subarrays if name == "D" else design.bands
        free = np.array([entry != "FULL" for entry in of])
        centre = card.centre(f"{name}_centre", of, without)[free]
        below = np.mean(drawn[name][:, free] < centre, axis=0)
        assert np.max(np.abs(below - 0.5)) < 4.5 * 0.5 / np.sqrt(PRIOR_DRAWS)


def test_a_band_or_subarray_without_a_published_value_is_refused():
    card = load_card("update", "test", MIRI)
    sentence = (
        "update.toml: prior 'A_centre': no value of F700W is published; "
        "leave its rows out of the table, or the entry out of the card."
    )
    with pytest.raises(InputError, match=f"^{re.escape(sentence)}$"):
        card.centre("A_centre", ("F560W", "F700W"), 1.0)


def test_a_linear_law_leaves_out_what_its_base_says_of_a_loss_that_settles():
    card = load_card("linear", "test", MIRI)
    assert card.law == "linear" and card.has("response_loss") and not card.settles
    of_loss = {name for name in card.priors if name.startswith(("loss", "tau"))}
    assert of_loss == {"loss_slope", "loss_length", "loss_per_year_scale"}


def test_the_pivot_of_the_loss_is_15_micron_unless_the_card_names_another():
    assert load_card("hierarchical", "test", MIRI).fixed("loss_pivot") == 15.0
    stated = '[term.response_loss.prior.loss_pivot]\ndistribution = "fixed"\nvalue = 0.6\n'
    text = card_text() + stated + 'unit = "micron"\nreason = "middle of the bands"\n'
    card = parse_card(text, "own", "own.toml", MIRI)
    assert card.fixed("loss_pivot") == 0.6
    assert [entry.name for entry in card.stated("response_loss")][-1] == "loss_pivot"


def test_a_fixed_quantity_is_read_from_the_card():
    assert load_card("hierarchical", "test", MIRI).fixed("colour_tail") == 3.0


def test_a_term_left_out_takes_its_priors_along():
    text = card_text().replace("[term.outliers]", "[term.outliers]\nuse = false")
    card = parse_card(text, "own", "own.toml", MIRI)
    assert not card.has("outliers") and card.has("subarray")
    assert not {"outlier_fraction", "outlier_width"} & set(card.priors)


def test_a_card_of_the_user_s_own_is_found_beside_the_file_naming_it(tmp_path: Path):
    (tmp_path / "own.toml").write_text(card_text().replace("scale = 0.15", "scale = 0.3"))
    card = load_card("own.toml", "job", MIRI, tmp_path)
    assert card.name == "own" and card.priors["loss_scale"].parameters == {"scale": 0.3}


BETA = 'distribution = "beta"\na = 1.0\nb = 20.0'
LOSS = 'distribution = "half-normal"\nscale = 0.15'
FACTOR = 'distribution = "log-normal"\nmedian = 1.0\nspread = 3.0'
CENTRE = '[term.factor.prior.A_centre]\ndistribution = "published"\n'
TAIL = 'distribution = "fixed"\nvalue = 3.0'

# What is replaced in the shipped card, by what, and the sentence.
REFUSED: dict[str, tuple[str, str, str]] = {
    "not TOML": ("[term.factor]\n", "[term.factor\n", "own.toml: not valid TOML: "),
    "unknown key": ("title =", "titel =", "own.toml: unknown key 'titel'; did you mean 'title'?"),
    "misspelt term": (
        "[term.outliers]",
        "[term.outlier]\n[term.outliers]",
        "own.toml: unknown term 'outlier'; did you mean 'outliers'?",
    ),
    "misspelt key of a term": (
        "means = ",
        "meaning = ",
        "own.toml: term 'factor': unknown key 'meaning'; did you mean 'means'?",
    ),
    "misspelt prior": (
        "prior.loss_scale",
        "prior.loss_scal",
        "own.toml: term 'response_loss': prior: unknown key 'loss_scal'; "
        "did you mean 'loss_scale'?",
    ),
    "use is no truth": (
        "[term.outliers]",
        "[term.outliers]\nuse = 1",
        "own.toml: term 'outliers': use is 1; expected true or false.",
    ),
    "a term every model needs is left out": (
        "[term.repeatability]",
        "[term.repeatability]\nuse = false",
        "own.toml: term 'repeatability' is missing; every model needs it.",
    ),
    "negative scale": (
        "scale = 0.15",
        "scale = -0.15",
        "own.toml: prior 'loss_scale' has scale -0.15; expected a positive number.",
    ),
    "a scale that may be negative": (
        LOSS,
        'distribution = "normal"\nmean = 0.15\nsd = 0.1',
        "own.toml: prior 'loss_scale' has distribution 'normal'; "
        "expected log-normal or half-normal or beta or fixed.",
    ),
    "a factor that is not log-normal": (
        FACTOR,
        LOSS,
        "own.toml: prior 'A' has distribution 'half-normal'; expected log-normal.",
    ),
    "a length that is not fixed": (
        TAIL,
        LOSS,
        "own.toml: prior 'colour_tail' has distribution 'half-normal'; expected fixed.",
    ),
    "a fixed length of zero": (
        "value = 0.5",
        "value = 0.0",
        "own.toml: prior 'loss_length' has value 0; expected a positive number.",
    ),
    "a negative spread": (
        'distribution = "half-normal"\nscale = 0.2',
        'distribution = "fixed"\nvalue = -0.1',
        "own.toml: prior 'tau_spread' has value -0.1; expected zero or a positive number.",
    ),
    "no time constant": (
        'distribution = "log-normal"\nmedian = 200.0\nspread = 0.5',
        'distribution = "fixed"\nvalue = 0.0',
        "own.toml: prior 'tau_median' has value 0; expected a positive number.",
    ),
    "a published scale": (
        LOSS,
        'distribution = "published"',
        "own.toml: prior 'loss_scale' has distribution 'published'; ",
    ),
    "a centre of a term that has none": (
        "[term.visit_offset.prior.visit_scale]",
        "[term.visit_offset.prior.visit_centre]",
        "own.toml: term 'visit_offset': prior: unknown key 'visit_centre'; "
        "did you mean 'visit_scale'?",
    ),
    "a centre that is not published": (
        "[term.factor.prior.A]",
        '[term.factor.prior.A_centre]\ndistribution = "fixed"\n[term.factor.prior.A]',
        "own.toml: prior 'A_centre' has distribution 'fixed'; expected published.",
    ),
    "a centre with a value": (
        "[term.factor.prior.A]",
        CENTRE + "value = 1.0\n[term.factor.prior.A]",
        "own.toml: prior 'A_centre': unknown key 'value'; ",
    ),
    "a centre without a reason": (
        "[term.factor.prior.A]",
        CENTRE + "[term.factor.prior.A]",
        "own.toml: prior 'A_centre' states no unit; every prior needs a unit and a reason.",
    ),
    "a factor of its own unit beside a centre": (
        "[term.factor.prior.A]",
        CENTRE + 'unit = "x"\nreason = "y"\n[term.factor.prior.A]',
        "own.toml: prior 'A' has unit '(MJy/sr)/(DN/s/pixel)'; expected '1', "
        "for with 'A_centre' it is in proportion to the published value.",
    ),
    "a share above one": (
        "value = 0.2",
        "value = 1.0",
        "own.toml: prior 'colour_roughness' has value 1; expected a fraction below 1.",
    ),
    "a fraction that may exceed one": (
        BETA,
        FACTOR,
        "own.toml: prior 'outlier_fraction' has distribution 'log-normal'; expected beta or fixed.",
    ),
}


def replaced(old: str, new: str) -> str:
    text = card_text()
    assert old in text
    return text.replace(old, new, 1)


@pytest.mark.parametrize("case", REFUSED)
def test_a_card_that_cannot_be_used_is_refused(case: str):
    old, new, sentence = REFUSED[case]
    with pytest.raises(InputError, match=f"^{re.escape(sentence)}"):
        parse_card(replaced(old, new), "own", "own.toml", MIRI)


def test_a_term_must_state_all_its_priors():
    table = re.compile(r"\[term\.visit_offset\.prior\.visit_scale\].*?\n\n", re.DOTALL)
    sentence = r"^own\.toml: term 'visit_offset' states no prior for 'visit_scale'; add "
    sentence += r"\[term\.visit_offset\.prior\.visit_scale\], or a base that has it\.$"
    with pytest.raises(InputError, match=sentence):
        parse_card(table.sub("", card_text()), "own", "own.toml", MIRI)


@pytest.mark.parametrize(
    ("text", "sentence"),
    {
        "": "own.toml: term 'factor' is missing; every model needs it.",
        "term = 3": "own.toml: term is 3; expected tables [term.NAME].",
        "[[term]]\nuse = true": "own.toml: term is [{'use': True}]; expected tables [term.NAME].",
        "[term]\nfactor = 3": "own.toml: term 'factor' is 3; expected a table.",
        "[term.factor]\nprior = 3\n[term.repeatability]": (
            "own.toml: term 'factor': prior is 3; expected a table."
        ),
    }.items(),
)
def test_a_card_of_another_shape_is_refused(text: str, sentence: str):
    with pytest.raises(InputError, match=f"^{re.escape(sentence)}$"):
        parse_card(text, "own", "own.toml", MIRI)


def test_a_missing_card_and_one_that_is_not_utf_8_are_refused(tmp_path: Path):
    sentence = "^job x: no model card 'hierarchcal' is shipped or found as a file; did you mean"
    with pytest.raises(InputError, match=sentence):
        load_card("hierarchcal", "job x", MIRI)
    (tmp_path / "own.toml").write_bytes("title = 'é'".encode("latin-1"))
    with pytest.raises(InputError, match=r"^own\.toml: not valid TOML: 'utf-8' codec"):
        load_card("own.toml", "job x", MIRI, tmp_path)


def test_a_card_states_how_it_differs_from_its_base(tmp_path: Path):
    text = 'title = "Own"\nbase = "hierarchical"\n[term.visit_offset]\nuse = false\n'
    prior = card_text().split("[term.response_loss.prior.loss_scale]")[1].split("\n\n")[0]
    text += "[term.response_loss.prior.loss_scale]" + prior.replace("0.15", "0.3")
    (tmp_path / "own.toml").write_text(text)
    card, base = (
        load_card("own.toml", "job", MIRI, tmp_path),
        load_card("hierarchical", "test", MIRI),
    )
    assert card.title == "Own" and set(base.terms) - set(card.terms) == {"visit_offset"}
    assert card.priors["loss_scale"].parameters == {"scale": 0.3}
    differing = {n for n in base.priors if card.priors.get(n) != base.priors[n]}
    assert differing == {"loss_scale", "visit_scale"}
    assert list(card.texts) == ["own", "hierarchical"] and card.text == text + base.text


def test_a_card_may_state_one_field_of_a_prior_of_its_base(tmp_path: Path):
    text = 'base = "hierarchical"\n[term.response_loss.prior.loss_scale]\nscale = 0.3\n'
    (tmp_path / "own.toml").write_text(text)
    card, base = (
        load_card("own.toml", "job", MIRI, tmp_path),
        load_card("hierarchical", "test", MIRI),
    )
    own, theirs = card.priors["loss_scale"], base.priors["loss_scale"]
    assert (own.parameters, own.family) == ({"scale": 0.3}, theirs.family)
    assert own.reason == f"{theirs.reason} (scale stated by this card)"
    assert {n for n in base.priors if card.priors[n] != base.priors[n]} == {"loss_scale"}
    (tmp_path / "own.toml").write_text(text + 'reason = "as I like it"\n')
    assert load_card("own.toml", "job", MIRI, tmp_path).priors["loss_scale"].reason == (
        "as I like it"
    )


def test_a_prior_that_names_its_distribution_is_stated_whole(tmp_path: Path):
    text = 'base = "hierarchical"\n[term.response_loss.prior.loss_scale]\n'
    (tmp_path / "own.toml").write_text(f'{text}distribution = "half-normal"\nscale = 0.3\n')
    with pytest.raises(InputError, match="own.toml: prior 'loss_scale'"):
        load_card("own.toml", "job", MIRI, tmp_path)
    (tmp_path / "own.toml").write_text(f"{text}spread = 0.3\n")
    with pytest.raises(InputError, match="prior 'loss_scale': unknown key 'spread'"):
        load_card("own.toml", "job", MIRI, tmp_path)


def test_a_base_beside_the_card_comes_before_a_shipped_one(tmp_path: Path):
    (tmp_path / "hierarchical.toml").write_text(card_text().replace("scale = 0.15", "scale = 0.4"))
    (tmp_path / "own.toml").write_text('base = "hierarchical"\n')
    card = load_card("own.toml", "job", MIRI, tmp_path)
    assert card.priors["loss_scale"].parameters == {"scale": 0.4}


@pytest.mark.parametrize(
    ("text", "sentence"),
    {
        'base = "own"': "own.toml: base 'own' is based on this card itself.",
        "base = 3": "own.toml: base is 3; expected the name of a card.",
        'base = "hierarchcal"': "own.toml: base: no model card 'hierarchcal' is shipped",
        'base = "hierarchical"\n[term.response_loss]\nlaw = "powr"': (
            "own.toml: term 'response_loss': law is 'powr'; expected one of additive,"
        ),
        'base = "hierarchical"\n[term.response_loss]\nlaw = "two-exponentials"': (
            "own.toml: term 'response_loss' states no prior for 'slow_share'; add"
        ),
        'base = "hierarchical"\n[term.visit_offset]\nlaw = "power"': (
            "own.toml: term 'visit_offset': unknown key 'law'"
        ),
    }.items(),
)
def test_a_base_or_law_that_cannot_be_used_is_refused(tmp_path: Path, text: str, sentence: str):
    (tmp_path / "own.toml").write_text(text)
    with pytest.raises(InputError, match=f"^{re.escape(sentence)}"):
        load_card("own.toml", "job", MIRI, tmp_path)


@pytest.mark.parametrize("path", sorted(Path("models").glob("*.toml")), ids=lambda p: p.stem)
def test_every_shipped_card_can_be_read(path: Path):
    # A card of one camera is called after it.
    of = load_instrument(path.stem, "test") if path.stem in shipped_instruments() else MIRI
    card = load_card(path.stem, "test", of)
    assert card.title and all(card.stated(term) for term in card.terms if TERMS[term])


def test_the_factor_of_a_card_is_in_the_unit_of_its_instrument():
    """A number in another unit would be taken for one in the instrument's."""
    wfc3 = load_instrument("wfc3", "test")
    assert load_card("imager", "test", wfc3).priors["A"].unit == "uJy/(electron/s)"
    assert load_card("imager", "test", MIRI).priors["A"].unit == "(MJy/sr)/(DN/s/pixel)"
    said = r"prior 'A' has unit '\(MJy/sr.*factors of WFC3 are in uJy/\(electron/s\)"
    with pytest.raises(InputError, match=said):
        load_card("pooled", "test", wfc3)


def test_a_chain_of_bases_ends_however_its_paths_are_written(tmp_path: Path):
    folder = tmp_path / "folder"
    folder.mkdir()
    (tmp_path / "own.toml").write_text('base = "./folder/../own"\n')
    with pytest.raises(InputError, match=r"^own\.toml: base '\./folder/\.\./own' is based on this"):
        load_card("own.toml", "job", MIRI, tmp_path)
    (tmp_path / "own.toml").write_text('base = "folder/own"\n')
    (folder / "own.toml").write_text('base = "hierarchical"\n')
    with pytest.raises(InputError, match=r"^own\.toml: base 'folder/own' has the name of a card"):
        load_card("own.toml", "job", MIRI, tmp_path)
    for k in range(12):
        (tmp_path / f"card{k}.toml").write_text(f'base = "card{k + 1}"\n')
    with pytest.raises(InputError, match=r"^card10\.toml: is the base of a base, 10 times over"):
        load_card("card0.toml", "job", MIRI, tmp_path)


def test_a_card_may_not_have_the_name_of_the_job_in_a_runs_folder(tmp_path: Path):
    for name in ("job.toml", "Job.toml"):
        (tmp_path / name).write_text(card_text())
        with pytest.raises(InputError, match="a card may not have this name, which a run's folder"):
            load_card(name, "job x", MIRI, tmp_path)
