"""Try an installation as a user of `pip install` has it: `make check-install` runs this there.

    python tests/installed.py ARCHIVES

ARCHIVES holds the wheel and the source distribution. Nothing of the repository is imported. One
line is printed for each thing tried, with its time; the first that fails ends the script.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from pathlib import Path

MIRICAL = sys.executable, "-m", "mirical"
RUN = "run", "--photometry", "photometry.ecsv", "--chains", "2", "--warmup", "100", "--draws", "60"
TRIED = (
    (("--help",), {0}, "Exit status"),
    (("doctor",), {0, 1}, "All that mirical itself needs is here."),
    (("cards",), {0}, "hierarchical"),
    (("jobs",), {0}, "table5"),
    (("sample", "photometry"), {0}, "photometry.ecsv"),
    (("factors", "published", "--filter", "F770W", "--mjd", "2024-03-01"), {0}, "F770W"),
    # So few draws must not be believed: status 1.
    ((*RUN, "--out", "run"), {1}, "Report: run/report.html"),
    (("factors", "run", "--filter", "F770W", "--mjd", "60370"), {0, 1}, "F770W"),
    (("check", "run", "--no-refit", "--draws", "50"), {0, 1}, "run/check/check.html"),
    (("plot", "run", "forest", "--out", "forest.pdf"), {0, 1}, "forest.pdf"),
)
"""Commands, the statuses that are expected of them, and a word that they say."""

IN_WHEEL = "mirical/shipped/models/hierarchical.toml", "mirical/shipped/inference/table5.toml"
IN_SOURCES = "tests/samples.py", "models/hierarchical.toml", "docs/index.md", "constraints.txt"
IMPORTED_IN = 0.2  # s, of `import mirical`


def main() -> None:
    """Try everything."""
    archives = Path(sys.argv[1]).resolve()
    (wheel,), (sources,) = archives.glob("*.whl"), archives.glob("*.tar.gz")
    for archive in (wheel, sources):
        said(f"{archive.name}: {archive.stat().st_size / 1e6:.1f} MB")
    assert set(IN_WHEEL) <= set(zipfile.ZipFile(wheel).namelist())
    with tarfile.open(sources) as file:
        names = {name.partition("/")[2] for name in file.getnames()}
    assert set(IN_SOURCES) <= names, set(IN_SOURCES) - names
    assert not [name for name in names if name.startswith("reports/")]
    # Another folder than the repository, from which nothing can be imported by accident.
    with tempfile.TemporaryDirectory() as folder:
        tried(folder)
        imported(folder)


def tried(folder: str) -> None:
    """Try the commands in a folder."""
    for line, expected, word in TRIED:
        began = time.monotonic()
        command = [*MIRICAL, *line]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        text = done.stdout + done.stderr
        assert done.returncode in expected and word in text, (line, done.returncode, text)
        said(f"{time.monotonic() - began:6.1f} s  mirical {' '.join(line)}")


def imported(folder: str) -> None:
    """Measure the import, and see that it is that of the wheel."""
    code = "import time; b = time.monotonic(); import mirical as m; "
    code += "print(time.monotonic() - b, m.__file__)"
    took = []
    for _ in range(3):
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True
        )
        seconds, _, where = done.stdout.strip().partition(" ")
        took.append(float(seconds))
        assert "site-packages" in where, where
    assert min(took) < IMPORTED_IN, took
    said(f"{min(took):.3f} s  import mirical")


def said(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    os.environ.pop("PYTHONPATH", None)
    main()
