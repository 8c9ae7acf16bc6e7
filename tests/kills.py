"""Commands killed or refused room while they write: a program that forks a process for each trial.

``python kills.py FOLDER`` prints what it found as JSON; ``test_kills.py`` judges it.
"""

from __future__ import annotations

import hashlib
import importlib
import io
import json
import os
import re
import resource
import shutil
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

RUN, ROWS, IMAGES = "../../inputs/drawn", "../../inputs/rows.ecsv", "../../inputs/images"
POINTS = ("--filter", "F770W", "F2550W", "--mjd", "60000.5")
WRITTEN_AT = re.compile(
    rb"(?s)(DATE|CHECKSUM|DATASUM) *=.{70}|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?"
)
"""Times of writing, and the FITS cards that depend on them."""

NOTES = "notes.txt"
"""A user's own file in every folder that is written."""

SEEDS = 1, 2
"""Of the earlier run and of the one that is killed."""

SLOW_TO_IMPORT = "mirical.", "astropy.", "stdatamodels.", "jwst.", "asdf.", "stcal."
LIMITS = 0, 500  # bytes, less than any command writes
PATIENCE = 60  # s that a command may take


@dataclass(frozen=True)
class Case:
    """A command line whose outputs lie in the folder ``out`` or are it.

    Attributes
    ----------
    line : tuple of str
        The arguments.
    outputs : tuple of str
        The files and folders that it is asked for.
    step : int
        It is killed at every such call that changes the disk; 0 if it is not killed.
    """

    line: tuple[str, ...]
    outputs: tuple[str, ...] = ("out",)
    step: int = 0


CASES = {
    "run": Case(("run", "table5", "--seed", str(SEEDS[1]), "--out", "out"), step=2),
    "photometry": Case(
        (
            "photometry",
            IMAGES,
            "--out",
            "out/rows.ecsv",
            "--pictures",
            "pictures",
            "--workers",
            "1",
        ),
        ("out/rows.ecsv", "pictures"),
        step=1,
    ),
    "apply": Case(
        ("apply", RUN, ROWS, "--out", "out/f.ecsv"),
        ("out/f.ecsv", "out/f.cov.fits"),
        step=1,
    ),
    "export": Case(
        ("export", RUN, "--to", "covariance", "out/cov.fits"), ("out/cov.fits",), step=1
    ),
    "export-draws": Case(
        ("export", RUN, "--to", "jwst-photom-draws", "--draws", "2", "out"), step=4
    ),
    "export-latex": Case(("export", RUN, "--to", "latex", "out/t.tex"), ("out/t.tex",)),
    "export-mrt": Case(("export", RUN, "--to", "mrt", "out/t.txt"), ("out/t.txt",)),
    "export-photom": Case(("export", RUN, "--to", "jwst-photom", "out/p.fits"), ("out/p.fits",)),
    "export-apcorr": Case(
        ("export", "published", "--to", "jwst-apcorr", "out/a.fits"), ("out/a.fits",)
    ),
    "factors": Case(
        ("factors", RUN, *POINTS, "--out", "out/c.ecsv", "--covariance", "out/c.npy")
        + ("--draws", "out/d.npy"),
        ("out/c.ecsv", "out/c.npy", "out/c.npy.json", "out/d.npy", "out/d.npy.json"),
    ),
    "error": Case(
        ("error", RUN, *POINTS, "--out", "out/e.ecsv", "--covariance", "out/e.fits"),
        ("out/e.ecsv", "out/e.fits"),
    ),
    "staged": Case(("staged", "table5", "--out", "out")),
    "simulate": Case(("simulate", "--seed", "3", "--out", "out")),
    "compare": Case(("compare", RUN, "--out", "out")),
    "compare-factors": Case(("compare", RUN, "--out", "out/c.ecsv"), ("out/c.ecsv",)),
    "fluxes": Case(("fluxes", IMAGES, "--out", "out/fluxes.ecsv"), ("out/fluxes.ecsv",)),
}


def content(folder: Path) -> dict[str, str]:
    """Return the checksums of a folder's files, by name, without what is unfinished."""
    names = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
    return {
        name: hashlib.sha256(WRITTEN_AT.sub(b"", path.read_bytes())).hexdigest()
        for name, path in sorted(names.items())
        if ".mirical-" not in name and ".unfinished" not in name
    }


def hidden(folder: Path) -> list[str]:
    """Return the hidden folders that are left anywhere in a folder."""
    return [str(path.relative_to(folder)) for path in folder.rglob(".mirical-*")]


def unfinished(folder: Path) -> list[Path]:
    """Return the folders of results whose output is not written."""
    return list(folder.rglob("*.unfinished"))


class Deadly:
    """Counts the calls that change the disk, and ends the process at one of them.

    Parameters
    ----------
    kill : int
        The number of the call at which the process ends; 0 if it shall live.
    """

    def __init__(self, kill: int = 0) -> None:
        self.kill, self.calls = kill, 0

    def arm(self) -> None:
        """Replace the calls in this process."""
        from mirical.storage import atomic_writes

        for name in ("mkdir", "rename", "replace", "unlink", "rmdir", "fsync"):
            setattr(os, name, self._deadly(getattr(os, name)))
        atomic_writes.exchange = self._deadly(atomic_writes.exchange)

    def _deadly(self, function: Callable) -> Callable:
        def call(*args: Any, **options: Any) -> Any:
            self.calls += 1
            if self.calls == self.kill:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*args, **options)

        return call


@dataclass
class Limited:
    """Limits the size of files; at a longer one the process dies, or is refused.

    Attributes
    ----------
    size : int
        Bytes that a file may have.
    deadly : bool
        Whether the process dies.
    """

    size: int
    deadly: bool = False
    calls: int = 0

    def arm(self) -> None:
        """Set the limit for this process."""
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL if self.deadly else signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (self.size, self.size))


def command(line: tuple[str, ...], folder: Path, way: Deadly | Limited) -> dict[str, Any] | None:
    """Run a command in a process of its own; return how it ended, None if it was killed."""
    from mirical.cli import main

    reader, writer = os.pipe()
    child = os.fork()
    if child:
        os.close(writer)
        with os.fdopen(reader, "rb") as pipe:
            said = pipe.read()
        status = os.waitpid(child, 0)[1]
        assert said or os.WTERMSIG(status) in (signal.SIGKILL, signal.SIGXFSZ), (line, status)
        return json.loads(said) if said else None
    out, err, status = io.StringIO(), io.StringIO(), None
    try:
        signal.alarm(PATIENCE)
        os.chdir(folder)
        tempfile.tempdir = None  # looked for anew, under the limit
        way.arm()
        with redirect_stdout(out), redirect_stderr(err):
            status = main([*line, "--overwrite"])
    except BaseException:  # the process ends here, whatever happens
        err.write(traceback.format_exc())
    ended = {"status": status, "err": err.getvalue()[-4000:], "calls": way.calls}
    ended["modules"] = [name for name in sys.modules if name.startswith(SLOW_TO_IMPORT)]
    os.write(writer, json.dumps(ended).encode())
    os._exit(0)


def opened(folder: Path) -> str:
    """Return the seed of a run that is opened, or why it is refused."""
    from mirical.calibration.store import open_calibration
    from mirical.errors import InputError

    try:
        return str(open_calibration(str(folder)).provenance["seed"])
    except InputError as error:
        return str(error)


def settle_outputs(case: Case, folder: Path) -> None:
    """Do what commands do before they look at outputs."""
    from mirical.storage.files import settle

    for path in (*(folder / name for name in case.outputs), *unfinished(folder)):
        settle(path)


def trials(name: str, root: Path) -> dict[str, Any]:
    """Try one command in all ways."""
    case = CASES[name]
    new, old = root / name / "new", root / name / "old"
    for folder in (new, old):
        (folder / "out").mkdir(parents=True)
        (folder / "out" / NOTES).write_text("own")
    whole = command(case.line, new, Deadly())
    assert whole is not None and whole["status"] in (0, 1), whole
    for module in whole["modules"]:  # once, not in every process
        importlib.import_module(module)
    if name == "run":
        earlier = tuple(str(SEEDS[0]) if one == str(SEEDS[1]) else one for one in case.line)
        command(earlier, old, Deadly())
    else:
        for file in set(content(new)) - {f"out/{NOTES}"}:
            (old / file).parent.mkdir(parents=True, exist_ok=True)
            (old / file).write_text(f"old {file}")
    found = {"new": content(new), "old": content(old), "kills": [], "full": []}
    ways: list[Deadly | Limited] = [Limited(size) for size in LIMITS]
    if case.step:
        ways += [Deadly(kill) for kill in range(1, whole["calls"] + 1, case.step)]
        ways += [Limited(size, deadly=True) for size in LIMITS]
    for number, way in enumerate(ways):
        folder = root / name / str(number)
        shutil.copytree(old, folder)
        ended = command(case.line, folder, way)
        trial = {"way": repr(vars(way)), "ended": ended, "visible": content(folder)}
        if isinstance(way, Limited) and not way.deadly:
            found["full"].append(trial | {"hidden": hidden(folder)})
            continue
        if name == "run":
            trial["opened"] = opened(folder / "out")
        if number % 4:
            settle_outputs(case, folder)
        else:  # the command itself comes next
            trial["again"] = command(case.line, folder, Deadly())
            trial["unfinished"] = list(map(str, unfinished(folder)))
        found["kills"].append(trial | {"after": content(folder), "hidden": hidden(folder)})
        shutil.rmtree(folder)
    return found


def stub() -> None:
    """Replace what takes long and writes nothing: sampling, measuring, drawing and checking."""
    from types import SimpleNamespace

    from astropy.table import QTable

    from drawn import drawn_tree
    from mirical.console import printing
    from mirical.exports import pipeline_check
    from mirical.exports.pipeline_check import PipelineCheck
    from mirical.imaging import photometry_rows
    from mirical.inference import jobs
    from mirical.instruments.miri import miri
    from mirical.reporting import run, run_folder
    from mirical.tables import predicted_fluxes, spectra

    # JAX may only be asked in the process that imported it.
    inputs = jobs.resolve_job(jobs.load_job("table5"))

    checked = PipelineCheck(1, 0.0, ("F770W", "FULL", 60000.0))

    def run_job(job: Any, inputs: Any, *_: Any) -> run.Run:
        posterior = drawn_tree(draws=40)
        posterior.attrs["seed"] = job.sampler.seed
        said = {"believable": True, "chains": 2, "draws": 20, "seed": job.sampler.seed}
        verdict: Any = SimpleNamespace(believable=True, as_dict=lambda: said)
        made = {"coefficients": QTable({"seed": [job.sampler.seed]})}
        return run.Run(job, inputs, posterior, verdict, made)

    def write_report(made: run.Run, folder: Path) -> None:
        (folder / "figures").mkdir()
        for name in ("report.html", "figures/curves.png", f"figures/{made.job.sampler.seed}.png"):
            (folder / name).write_text(f"report of seed {made.job.sampler.seed}")

    look_at = photometry_rows.look_at

    def look(path: Path, settings: Any, name: str) -> tuple[dict[str, Any], bytes]:
        return look_at(path, settings, name)[0], f"picture of {path.name}".encode()

    jobs.resolve_job = lambda _: inputs
    run.run_job, run_folder.write_report = run_job, write_report
    printing.print_run = lambda *_: None
    photometry_rows.look_at = look
    pipeline_check.check_in_pipeline = lambda *_: checked
    spectra.predict = lambda *_: predicted_fluxes.shipped_fluxes(miri())


def main() -> None:
    """Try all commands in a folder and write what was found."""
    from astropy.table import Table

    from drawn import write_drawn
    from mirical.inference import runtime

    root = Path(sys.argv[1]).resolve()
    runtime.configure()
    write_drawn(root / "inputs" / "drawn")
    rows = Table({"filter": ["F770W", "F2550W"], "subarray": ["FULL"] * 2, "mjd": [60000.0] * 2})
    rows["iflux"], rows["ifluxunc"] = [4300.0, 900.0], [6.5, 4.1]
    for column, unit in (("mjd", "d"), ("iflux", "DN/s"), ("ifluxunc", "DN/s")):
        rows[column].unit = unit
    rows.write(root / "inputs" / "rows.ecsv", format="ascii.ecsv")
    (root / "inputs" / "images").mkdir()
    for name in ("a", "b"):
        (root / "inputs" / "images" / f"{name}.fits").write_text(f"{name} is no image")
    stub()
    sys.stdout.write(json.dumps({name: trials(name, root) for name in CASES}))


if __name__ == "__main__":
    main()
