"""TOML files that are too large, too deep or no text: one sentence, in bounded time and memory."""

from __future__ import annotations

import os
import re
import resource
from pathlib import Path

import pytest

from miri_facts import MIRI
from mirical.cards.card import load_card
from mirical.errors import InputError
from mirical.jobs.job import load_job
from mirical.storage.toml_files import MOST_BYTES, parse_toml, read_toml_text
from samples import card_text

JOB = b'photometry = "table5"\nmodel = "hierarchical"\n'

ABUSE: dict[str, tuple[bytes, str]] = {
    "brackets": (b"a = " + b"[" * 100_000, "not valid TOML: arrays are nested too deeply."),
    "brackets a line": (b"a = " + b"[\n" * 60_000, "not valid TOML: arrays are nested too deeply."),
    "braces": (b"a = " + b"{b=" * 30_000, "not valid TOML: arrays are nested too deeply."),
    "dotted key": (b"a." * 50_000 + b"a = 1", "line 1 has more than 200 dots."),
    "dotted header": (b"[" + b"a." * 50_000 + b"a]", "line 1 has more than 200 dots."),
    "dotted key in a table": (b"a = {" + b"b." * 400 + b"b=1}", "line 1 has more than 200 dots."),
    "size": (b"#" * (MOST_BYTES + 1), "is longer than 128 kB; expected a job or a model card."),
    "digits": (b"seed = " + b"9" * 5000, "not valid TOML: Exceeds the limit (4300 digits)"),
    "hexadecimal": (b"seed = 0x" + b"f" * 9999, "a whole number does not fit 64 bits."),
    "65 bits in a list": (b"a = [{b=[18446744073709551616]}]", "does not fit 64 bits."),
    "NUL": (b'title = "x"\na\0 = 3', "has a NUL byte in line 2; expected UTF-8 text."),
    "UTF-16": ("a = 3".encode("utf-16"), "is UTF-16 text; save it as UTF-8."),
    "gzip": (b"\x1f\x8b\x08\x00" + bytes(20), "is compressed (gzip); unpack it first."),
    "FITS": (b"SIMPLE  =                    T", "is a FITS file; expected TOML."),
    "Latin-1": ("a = 'é'".encode("latin-1"), "not valid TOML: 'utf-8' codec can't decode byte"),
}


@pytest.mark.parametrize("read", [load_job, lambda path: load_card(path, "test", MIRI)])
@pytest.mark.parametrize("name", ABUSE)
def test_a_file_that_is_no_sensible_toml_is_refused(name: str, read, tmp_path: Path):
    content, sentence = ABUSE[name]
    (tmp_path / "own.toml").write_bytes(content)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(InputError, match=f"^own.toml: .*{re.escape(sentence)}") as refused:
        read(str(tmp_path / "own.toml"))
    assert "\n" not in str(refused.value) and len(str(refused.value)) < 200
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 300_000  # kB; a dotted key of 100 kB took 9.8 GB


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path):
    (tmp_path / "own.toml").write_bytes(b"\xef\xbb\xbf" + JOB)
    assert load_job(str(tmp_path / "own.toml")).photometry == "table5"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_without_read_permission_is_refused(tmp_path: Path):
    path = tmp_path / "own.toml"
    path.write_bytes(JOB)
    path.chmod(0)
    with pytest.raises(InputError, match=r"^own\.toml: cannot be read as TOML \(Permission denied"):
        load_job(str(path))


def test_what_the_system_cannot_read_is_refused(tmp_path: Path):
    sentence = r"^x\.toml: cannot be read as TOML \(Is a directory\)\.$"
    (tmp_path / "x.toml").mkdir()
    with pytest.raises(InputError, match=sentence):
        read_toml_text(tmp_path / "x.toml")


def test_a_name_the_system_does_not_allow_is_refused():
    with pytest.raises(InputError, match=r"cannot be looked up \(File name too long\); give"):
        load_job("a" * 5000 + ".toml")
    with pytest.raises(InputError, match=r"^job: no job 'a\\x00b\.toml' is shipped"):
        load_job("a\0b.toml")


def test_whole_numbers_of_64_bits_and_long_texts_are_read():
    text = f'a = {2**63 - 1}\nb = "{"." * 150}"\nc = [{"[" * 50}{"]" * 50}]\n'
    assert parse_toml(text, "x")["a"] == 2**63 - 1


VALUES = ["nan", "inf", "-1", "1979-05-27", "07:32:00", "[1]", "{a=1}", "true", '"4"', "4.0", "''"]


@pytest.mark.parametrize("key", ["chains", "warmup", "draws", "seed", "target_accept", "density"])
@pytest.mark.parametrize("value", VALUES)
def test_a_setting_of_the_sampler_that_is_no_such_number_is_refused(
    key: str, value: str, tmp_path: Path
):
    (tmp_path / "own.toml").write_bytes(JOB + f"[sampler]\n{key} = {value}\n".encode())
    with pytest.raises(InputError, match=rf"^own\.toml: sampler {key} is .*; expected"):
        load_job(str(tmp_path / "own.toml"))


@pytest.mark.parametrize("key", ["chains", "warmup", "draws", "seed"])
def test_a_sampler_larger_than_any_machine_is_refused(key: str, tmp_path: Path):
    (tmp_path / "own.toml").write_bytes(JOB + f"[sampler]\n{key} = {10**12}\n".encode())
    sentence = rf"^own\.toml: sampler {key} is 1000000000000; expected a whole number up to"
    with pytest.raises(InputError, match=sentence):
        load_job(str(tmp_path / "own.toml"))


CARD_VALUES = {
    'title = "': 'title = 3 # "',
    'means = "': 'means = ["x"] # "',
    'unit = "': 'unit = 1 # "',
    'reason = "': 'reason = 1979-05-27 # "',
    'distribution = "': 'distribution = ["x"] # "',
    "[term.response_loss]": "[term.response_loss]\nlaw = [1]",
}


@pytest.mark.parametrize("old", CARD_VALUES)
def test_a_card_with_another_kind_of_value_is_refused(old: str, tmp_path: Path):
    text = card_text()
    assert old in text
    (tmp_path / "own.toml").write_text(text.replace(old, CARD_VALUES[old], 1))
    with pytest.raises(InputError, match=r"^own\.toml: .* is .*; expected "):
        load_card(str(tmp_path / "own.toml"), "test", MIRI)
