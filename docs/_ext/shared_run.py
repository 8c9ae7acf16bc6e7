"""The run that all tutorials ask: the built-in job `table5`, fitted once a build, real rows.

Notebooks are executed in `build/docs-runs`, where it lies under `reports/table5` as after
`mirical run` in a folder of one's own. It is fitted again if the code, the cards or the job have
changed since. A start-up file of IPython takes the kernels there, so that notebooks hold nothing
that a reader does not need, and runs their commands.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from sphinx.util import logging

_LOG = logging.getLogger(__name__)
_WIDTH = "110"  # characters of a line that commands print
_START = """import os
import subprocess
import sys

from IPython.core.magic import register_cell_magic

os.chdir({work!r})
for name in ("FORCE_COLOR", "CLICOLOR", "CLICOLOR_FORCE"):  # which kernels set for commands
    os.environ.pop(name, None)


@register_cell_magic
def bash(line, cell):
    ended = subprocess.run(["bash", "-c", cell], capture_output=True, text=True)
    print(ended.stdout, end="")  # in one piece: pieces are shown on lines of their own
    print(ended.stderr, end="", file=sys.stderr)
    ended.check_returncode()
"""


def folder(app: Any) -> Path:
    """Return the folder in which tutorials work."""
    return Path(app.srcdir).parent / "build" / "docs-runs"


def _prepare(app: Any) -> None:
    root, work = Path(app.srcdir).parent, folder(app)
    stamp, wanted = work / "table5.sha256", _hash(root)
    kept = stamp.exists() and stamp.read_text(encoding="utf-8") == wanted
    for path in work.glob("*"):  # what the tutorials of an earlier build wrote
        if path.name not in ("reports", "table5.txt", stamp.name) or not kept:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    work.mkdir(parents=True, exist_ok=True)
    profile = work.with_name("docs-ipython")
    start = profile / "profile_default" / "startup" / "10-work.py"
    start.parent.mkdir(parents=True, exist_ok=True)
    start.write_text(_START.format(work=str(work)), encoding="utf-8")
    os.environ |= {
        "IPYTHONDIR": str(profile),
        "COLUMNS": _WIDTH,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "PYTHONPATH": str(root / "src"),
    }
    if kept:
        return
    begun = time.monotonic()
    command = [sys.executable, "-m", "mirical", "run", "table5", "--out", "reports/table5"]
    ended = subprocess.run(command, cwd=work, text=True, capture_output=True, check=False)
    if ended.returncode:
        raise RuntimeError(f"mirical run table5 ended with {ended.returncode}: {ended.stderr}")
    (work / "table5.txt").write_text(ended.stdout, encoding="utf-8")
    stamp.write_text(wanted, encoding="utf-8")
    _LOG.info("fitted table5 in %.0f s", time.monotonic() - begun)


def _hash(root: Path) -> str:
    """Return a hash of all that the run depends on."""
    found = hashlib.sha256()
    for place in ("src", "models", "inference"):
        for path in sorted((root / place).rglob("*")):
            if path.is_file() and path.suffix != ".pyc":
                found.update(path.read_bytes())
    return found.hexdigest()


def setup(app: Any) -> dict[str, Any]:
    """Fit before pages are looked for: some are made of the run's files."""
    app.connect("builder-inited", _prepare, priority=100)
    return {"parallel_read_safe": True}
