"""Text made safe to print: one line, ASCII, LaTeX, figures."""

from __future__ import annotations

import io
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.cbook import is_math_text

from mirical.cli import main
from mirical.text import (
    ASCII_SIGNS,
    ascii_name,
    ascii_text,
    drawn_text,
    name_of_ascii,
    one_line,
)

TEXTS = st.text(st.characters(), max_size=30)


@pytest.mark.parametrize(
    ("text", "line"),
    {
        "HD\u00a02811": "HD 2811",  # a blank that does not break
        "HD\u20092811\u200b": "HD 2811",  # a thin one, and one of no width
        " a\tstar\r\nof two lines ": "a star of two lines",
        "\x1b[31mHD 2811\x1b[0m": "HD 2811",
        "\x1b]0;title\x07HD 2811\x9b2J": "HD 2811",
        "HD\x00 28\x0811": "HD 2811",
        "Mu\u0308ller": "Müller",
        "half a letter \ud800": "half a letter ?",
        "[bold]x[/] <script> $x^{$": "[bold]x[/] <script> $x^{$",
    }.items(),
)
def test_a_text_becomes_one_line_that_moves_no_cursor(text: str, line: str):
    assert one_line(text) == line


@given(TEXTS)
def test_one_line_is_printable_and_stays_as_it_is(text: str):
    line = one_line(text)
    assert one_line(line) == line
    assert all(c == " " or not c.isspace() for c in line)
    assert not any(ord(c) < 32 or 127 <= ord(c) < 160 for c in line)


@given(TEXTS)
def test_a_header_gets_printable_ascii(text: str):
    assert all(32 <= ord(c) < 127 for c in ascii_text(text))


def test_signs_are_transliterated_and_letters_escaped():
    assert ascii_text("réf – 1 ± 2 “δ”") == r'r\xe9f - 1 +/- 2 "\u03b4"'


@given(TEXTS.map(one_line))
def test_a_stored_name_comes_back(name: str):
    stored = ascii_name(name)
    assert stored.isascii() and name_of_ascii(stored) == name


def test_names_other_software_stored_are_left_alone():
    assert name_of_ascii("HD 2811") == "HD 2811"
    assert name_of_ascii(r"C:\users") == r"C:\users"  # no escape of ours


@given(TEXTS)
def test_what_is_drawn_is_never_a_formula(text: str):
    drawn = drawn_text(text)
    assert not is_math_text(drawn) and not drawn.startswith("_")


def test_a_long_name_is_cut_off():
    assert drawn_text("abcdef", 4) == "abc…" and drawn_text("abcd", 4) == "abcd"


def test_an_encoding_that_lacks_a_sign_gets_it_in_ascii():
    assert "1 ± 2 – δ\udc80".encode("latin-1", ASCII_SIGNS) == b"1 \xb1 2 - \\u03b4\\udc80"
    assert "1 ± 2".encode("ascii", ASCII_SIGNS) == b"1 +/- 2"


def test_a_command_prints_to_a_terminal_that_knows_ascii_alone(monkeypatch: pytest.MonkeyPatch):
    out = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(out, encoding="ascii"))
    assert main(["factors", "published", "--filter", "F770W", "--mjd", "59800"]) == 0
    sys.stdout.flush()
    assert b"+/-" in out.getvalue() and b"0.2578" in out.getvalue()
