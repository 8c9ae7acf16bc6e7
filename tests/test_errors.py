"""Help with misspelt names, and files that libraries cannot read."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest

import mirical.storage.shipped
from mirical.errors import InputError, did_you_mean, reading, reason_of, refuse_unknown_keys


def test_the_closest_name_is_offered_whatever_the_case():
    assert did_you_mean("CHAIN", ["chains", "draws"]) == "; did you mean 'chains'?"


def test_without_a_close_name_all_are_listed():
    assert did_you_mean("xyz", iter(["chains", "draws"])) == "; expected one of chains, draws."


def test_the_first_key_nobody_reads_is_refused():
    refuse_unknown_keys("job", ["draws"], ["chains", "draws"])
    sentence = "^job: unknown key 'drwas'; did you mean 'draws'\\?$"
    with pytest.raises(InputError, match=sentence):
        refuse_unknown_keys("job", ["draws", "drwas", "x"], iter(["chains", "draws"]))


def missing_file(folder: Path) -> None:
    (folder / "absent").read_bytes()


LIBRARY_FAULTS = {
    "broken text": (lambda _: json.loads("{"), "f: cannot be read as JSON (Expecting property"),
    "recursion": (lambda _: tomllib.loads("a=" + "[" * 9000), "(maximum recursion depth"),
    "wrong content": (lambda _: re.compile("("), "(missing ), unterminated subpattern"),
    "no such file": (missing_file, "f: cannot be read as JSON (No such file or directory); one."),
}


@pytest.mark.parametrize("name", LIBRARY_FAULTS)
def test_what_a_library_cannot_read_is_refused_in_one_sentence(name: str, tmp_path: Path):
    read, sentence = LIBRARY_FAULTS[name]
    with pytest.raises(InputError, match=re.escape(sentence)) as refused:
        with reading("f", "JSON", "one"):
            read(tmp_path)
    assert "\n" not in str(refused.value) and str(refused.value).endswith("; one.")


def test_a_fault_in_our_own_modules_is_not_taken_for_a_damaged_file():
    with pytest.raises(TypeError):
        with reading("f", "FITS"):
            mirical.storage.shipped.find_file("name", 3)  # our module divides 3 by a name


def test_a_refusal_with_its_own_sentence_passes_unchanged():
    with pytest.raises(InputError, match="^x: unknown key 'a'; expected one of b\\.$"):
        with reading("f", "TOML"):
            refuse_unknown_keys("x", ["a"], ["b"])


def test_the_exception_of_a_refusal_may_be_another():
    with pytest.raises(LookupError, match=r"^f: cannot be read as JSON \(Expecting value"):
        with reading("f", "JSON", refusal=LookupError):
            json.loads("")


def test_a_sentence_is_one_line_of_printable_letters():
    name = "a\n\x1b[31m\udcffé"
    assert str(InputError(f"{name}: no")) == r"a\n\x1b[31m\udcffé: no"


def test_an_endless_sentence_loses_its_middle():
    said = str(InputError(f"f: star {'x' * 9999!r} is unknown; expected one of the program's."))
    assert len(said) < 1000
    assert said.startswith("f: star 'xxx") and said.endswith("; expected one of the program's.")


def test_a_librarys_words_are_shortened_to_a_line_of_printable_letters():
    assert reason_of(ValueError("\x1b[31mred\nmore")) == r"\x1b[31mred"
    assert reason_of(KeyError()) == "KeyError"
    assert len(reason_of(ValueError("x" * 9999))) <= 200
