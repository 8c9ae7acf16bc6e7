"""Finding what comes with mirical and what the user names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mirical.errors import InputError
from mirical.storage.shipped import data_file, find_file, resolve


def test_a_path_is_tried_beside_first_then_in_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    beside = tmp_path / "beside"
    beside.mkdir()
    monkeypatch.chdir(tmp_path)
    assert find_file("a.toml", beside) is None
    Path("a.toml").touch()
    assert find_file("a.toml", beside) == Path("a.toml")
    (beside / "a.toml").touch()
    assert find_file("a.toml", beside) == beside / "a.toml"
    assert find_file("a.toml") == Path("a.toml")


def test_a_bare_name_means_the_shipped_file_even_beside_a_file_of_that_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    Path("hierarchical").touch()
    assert resolve("models", "hierarchical", "x").parts[-2:] == ("models", "hierarchical.toml")


def test_a_path_means_the_users_own_file(tmp_path: Path):
    (tmp_path / "table5.toml").touch()
    assert resolve("inference", "table5.toml", "x", tmp_path) == tmp_path / "table5.toml"


@pytest.mark.parametrize(
    ("kind", "name", "sentence"),
    [
        (
            "models",
            "hierarchcal",
            "x: no model card 'hierarchcal' is shipped or found as a file; "
            "did you mean 'hierarchical'?",
        ),
        (
            "inference",
            "tabel5.toml",
            "x: no job 'tabel5.toml' is shipped or found as a file; did you mean 'table5'?",
        ),
        ("models", "card.txt", "x: 'card.txt' is not a model card; expected a file named *.toml."),
    ],
)
def test_a_name_that_means_nothing_is_refused(kind: str, name: str, sentence: str, tmp_path: Path):
    (tmp_path / "card.txt").touch()
    with pytest.raises(InputError, match=f"^{re.escape(sentence)}$"):
        resolve(kind, name, "x", tmp_path)


def test_data_tables_are_found_inside_the_package():
    assert data_file("table5").is_file()
