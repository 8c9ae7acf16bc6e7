"""Pages of the site that are made of the code say all that the code has; no page loads anything."""

from __future__ import annotations

import argparse
from importlib import import_module
from pathlib import Path

import pytest

from mirical import cli
from mirical.cards.card import TERMS
from mirical.cards.priors import FAMILIES
from mirical.jobs.sampler import Sampler
from mirical.laws.timelaw import LAWS
from mirical.tables.flags import FLAGS

EXTENSIONS = Path(__file__).parents[1] / "docs" / "_ext"


@pytest.fixture(autouse=True)
def _extensions(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(EXTENSIONS))


def test_the_page_of_commands_has_every_option():
    page = import_module("command_page").text()
    parsers = next(
        action.choices
        for action in cli._parser()._actions
        if isinstance(action, argparse._SubParsersAction)
    )
    assert [name for name in parsers if f"## mirical {name}\n" not in page] == []
    options = [one for parser in parsers.values() for one in parser._option_string_actions]
    assert [one for one in options if one not in page] == []


def test_the_pages_of_cards_and_jobs_have_every_field():
    pages = import_module("card_pages")
    cards = pages.model_cards()
    priors = [name for names in TERMS.values() for name in names]
    assert [name for name in (*TERMS, *priors, *FAMILIES, *LAWS) if name not in cards] == []
    sampler = [
        name for name in Sampler.__dataclass_fields__ if f"| `{name}` | " not in pages.jobs()
    ]
    assert sampler == []
    instruments = pages.instruments()
    assert "| `t0` | Zero point of the time law, MJD in days. |  | yes |" in instruments
    assert "| `pivot` | Pivot wavelength in micron" in instruments


def test_the_page_of_lists_has_every_flag():
    page = import_module("list_pages").text()
    assert [name for name in FLAGS if name and f"| `{name}` |" not in page] == []


def test_what_a_page_would_load_from_the_network_is_found():
    loaded = import_module("no_network").loaded
    assert loaded('<script src="https://x.y/z.js"></script>')
    assert loaded('<link rel="stylesheet" href="//x.y/z.css">')
    assert loaded("@import url(https://x.y/z.css);")
    sound = '<a href="https://x.y">x</a><math xmlns="http://www.w3.org/1998/Math/MathML">'
    assert not loaded(sound + '<link rel="canonical" href="https://x.y"><img src="a.png">')
