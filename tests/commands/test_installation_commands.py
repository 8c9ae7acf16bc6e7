"""`mirical doctor` and `mirical completion`: this machine, and the user's shell."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mirical.cli import main
from mirical.console import installation_checks
from mirical.console.installation_checks import examine


def states() -> dict[str, str]:
    return {one.what: one.works for one in examine()}


def test_the_doctor_finds_all_that_is_needed_here(capsys: pytest.CaptureFixture[str]):
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    assert "All that mirical itself needs is here." in out
    for what in (
        "mirical",
        "Python",
        "cores",
        "memory",
        "cache",
        "jax",
        "numpyro",
        "CRDS",
        "stpsf",
    ):
        assert what in out


def test_the_doctor_says_what_is_too_old_or_missing_and_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    lines = ["numpy>=1000.1", "no_such_package[all]>=2", "scipy", "never; extra == 'dev'"]
    monkeypatch.setattr(installation_checks, "requires", lambda name: lines)
    found = states()
    assert (found["numpy"], found["no_such_package"], found["scipy"]) == ("no", "no", "yes")
    assert "never" not in found
    assert main(["doctor"]) == 1
    out = capsys.readouterr().out
    assert "numpy: too old; pip install 'numpy>=1000.1'." in out
    assert "mirical does not work without numpy, no_such_package." in out


def test_the_doctor_looks_where_data_should_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "crds").mkdir()
    monkeypatch.setenv("CRDS_PATH", str(tmp_path / "crds"))
    monkeypatch.delenv("CRDS_SERVER_URL", raising=False)
    monkeypatch.delenv("STPSF_PATH", raising=False)
    (tmp_path / "file").touch()
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path / "file" / "cache"))
    found = states()
    assert (found["CRDS"], found["stpsf"], found["cache"]) == ("partly", "partly", "partly")
    monkeypatch.setenv("CRDS_SERVER_URL", "https://crds.example")
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path / "cache"))
    found = states()
    assert (found["CRDS"], found["cache"]) == ("yes", "yes")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_lines_of_a_shell_ask_mirical(shell: str, capsys: pytest.CaptureFixture[str]):
    pytest.importorskip("argcomplete")
    assert main(["completion", shell]) == 0
    out = capsys.readouterr().out
    assert "_ARGCOMPLETE" in out and "mirical" in out


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("mirical mon", {"monitor "}),
        ("mirical run --target", {"--target-ess "}),
        ("mirical export published --to jwst-photom-", {"jwst-photom-draws "}),
    ],
)
def test_words_are_completed(line: str, words: set[str], tmp_path: Path):
    pytest.importorskip("argcomplete")
    answer = tmp_path / "answer"
    asked = {"_ARGCOMPLETE": "1", "COMP_LINE": line, "COMP_POINT": str(len(line))}
    asked |= {"_ARGCOMPLETE_IFS": "\n", "_ARGCOMPLETE_STDOUT_FILENAME": str(answer)}
    subprocess.run([sys.executable, "-m", "mirical"], env=os.environ | asked, check=True)
    assert set(answer.read_text().splitlines()) == words
