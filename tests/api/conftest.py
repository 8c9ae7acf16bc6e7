"""A tiny fit of rows in memory, shared by the tests of the public interface."""

from __future__ import annotations

from pathlib import Path

import pytest

import mirical as ml
from mirical.api.fits import FitOptions
from samples import photometry
from small_card import CARD

ASKED: FitOptions = {"seed": 3, "chains": 2, "warmup": 100, "draws": 40}


@pytest.fixture(scope="session")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> ml.Run:
    """Return a run of three rows in two bands, two chains of 40 draws."""
    card = tmp_path_factory.mktemp("cards") / "small.toml"
    card.write_text(CARD, encoding="utf-8")
    return ml.fit(photometry(), card=card, **ASKED)


@pytest.fixture(scope="session")
def stored(fitted: ml.Run, tmp_path_factory: pytest.TempPathFactory) -> ml.Run:
    """Return the same run, written and opened again."""
    return fitted.save(tmp_path_factory.mktemp("runs") / "tiny")


@pytest.fixture(scope="session")
def folder(stored: ml.Run) -> Path:
    """Return its folder."""
    assert stored.folder is not None
    return stored.folder
