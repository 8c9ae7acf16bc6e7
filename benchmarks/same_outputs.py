"""Outputs of two versions of mirical, compared file by file: tables and draws to the byte.

    python benchmarks/same_outputs.py OLD/src NEW/src --out FOLDER

Runs each command once with either version, in folders of the same names, and compares what they
print and write. Differences of creation dates, of checksums that follow from them and of the
texts inside pictures do not count; pages (HTML) and printed text may be reworded, and their
differing lines are listed.
"""

from __future__ import annotations

import argparse
import difflib
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import xarray as xr
from astropy.io import fits
from matplotlib.image import imread

SHORT = ("--chains", "2", "--warmup", "200", "--draws", "200")
COMMANDS: dict[str, tuple[str, ...]] = {
    "run": ("run", "--out", "table5"),
    "run-program": ("run", "program", *SHORT, "--out", "program"),
    "simulate": ("simulate", "--seed", "3", "--out", "simulated"),
    "simulate-images": ("simulate", "--seed", "3", "--mosaics", "F2300C", "--out", "images"),
    "photometry": ("photometry", "images/mosaics", "--out", "rows.ecsv", "--pictures", "pictures"),
    "staged": ("staged", "simulated/photometry.ecsv", "--out", "staged"),
    "staged-table5": ("staged", "table5", "--out", "staged5"),
    "factors": ("factors", "table5", "--filter", "F770W", "--subarray", "SUB64", "--mjd", "60200"),
    "factors-grid": ("factors", "table5", "--at", "grid.ecsv", "--out", "factors.ecsv"),
    "factors-covariance": ("factors", "program", "--at", "grid.ecsv", "--covariance", "c.npy"),
    "error": ("error", "table5", "--at", "grid.ecsv", "--out", "error.ecsv"),
    "error-program": ("error", "program", "--at", "grid.ecsv", "--out", "error-program.ecsv"),
    "apply": ("apply", "table5", "fluxes.ecsv", "--out", "applied.ecsv"),
    "compare": ("compare", "table5", "--out", "compared"),
    "compare-staged": ("compare", "program", "--with", "staged", "--out", "compared-staged"),
    "export-photom": ("export", "program", "--to", "jwst-photom", "photom.fits"),
    "export-apcorr": ("export", "program", "--to", "jwst-apcorr", "apcorr.fits"),
    "export-covariance": ("export", "table5", "--to", "covariance", "covariance.fits"),
    "export-latex": ("export", "table5", "--to", "latex", "table.tex"),
    "export-mrt": ("export", "table5", "--to", "mrt", "table.mrt"),
    "preflight": ("preflight", "photom.fits"),
    "check": ("check", "table5"),
    "check-program": ("check", "program", "--draws", "50", "--no-refit"),
    "rivals": ("rivals", "table5", "--models", "pooled", "staged-like", "--cuts", "1"),
    "sbc": ("sbc", "--replicates", "4", "--warmup", "100", "--draws", "50", "--out", "sbc"),
}
GRID = """# %ECSV 1.0
# ---
# datatype:
# - {name: filter, datatype: string}
# - {name: subarray, datatype: string}
# - {name: mjd, unit: d, datatype: float64}
# schema: astropy-2.0
filter subarray mjd
F770W FULL 59800.0
F770W SUB64 60200.0
F1500W FULL 60400.0
F2100W BRIGHTSKY 59760.0
F560W FULL 59725.5
"""
FLUXES = GRID.replace(
    "# schema",
    "# - {name: iflux, unit: DN / s, datatype: float64}\n"
    "# - {name: ifluxunc, unit: DN / s, datatype: float64}\n# schema",
).replace("filter subarray mjd\n", "filter subarray mjd iflux ifluxunc\n")
FLUXES = re.sub(r"^(F\w+ \w+ [\d.]+)$", r"\1 1000.0 5.0", FLUXES, flags=re.M)
DATED = {"DATE", "CHECKSUM", "DATASUM", "DATE-OBS"}


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def run_all(source: Path, folder: Path) -> None:
    """Run every command with a version, in a folder; those done there before are not run again."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "grid.ecsv").write_text(GRID)
    (folder / "fluxes.ecsv").write_text(FLUXES)
    code = "import sys; from mirical.cli import main; sys.exit(main(sys.argv[1:]))"
    environment = os.environ | {"PYTHONPATH": str(source.resolve()), "COLUMNS": "100"}
    for name, arguments in COMMANDS.items():
        said = folder / f"{name}.txt"
        if said.exists():
            continue
        start = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        errors = [line for line in done.stderr.splitlines() if not _is_progress(line)]
        said.write_text("\n".join([f"exit {done.returncode}", done.stdout, *errors]) + "\n")
        seconds = time.perf_counter() - start
        _say(f"{source}: {name}: exit {done.returncode}, {seconds:.1f} s")


def _is_progress(line: str) -> bool:
    return bool(re.search(r"\d+ of \d+|so far$|are being made|left$", line))


def difference(old: Path, new: Path) -> str:
    """Return in a line how two files differ; empty if they do not."""
    if old.read_bytes() == new.read_bytes():
        return ""
    compare = {".nc": _trees, ".fits": _fits, ".png": _pictures, ".html": _texts, ".txt": _texts}
    if old.name == "manifest.json":
        return "" if _names(old) == _names(new) else "names of files"
    return compare.get(old.suffix, lambda *_: "DIFFERS")(old, new)


def _pictures(old: Path, new: Path) -> str:
    return "" if np.array_equal(imread(old), imread(new)) else "PIXELS"


def _texts(old: Path, new: Path) -> str:
    return "REWORDED"


def _trees(old: Path, new: Path) -> str:
    one, two = xr.open_datatree(old), xr.open_datatree(new)
    if set(one.groups) != set(two.groups):
        return "groups"
    for group in one.groups:
        a, b = one[group].to_dataset(), two[group].to_dataset()
        if not a.identical(b.assign_attrs(a.attrs)):
            return f"group {group}"
        dated = {key for key in a.attrs if "creat" in key or "date" in key}
        apart = {k for k in a.attrs if k not in dated and not _equal(a.attrs[k], b.attrs.get(k))}
        if apart:
            return f"attributes of {group}: {sorted(apart)}"
    return ""


def _equal(one: object, two: object) -> bool:
    return bool(np.all(np.asarray(one) == np.asarray(two)))


def _fits(old: Path, new: Path) -> str:
    found = fits.FITSDiff(str(old), str(new), ignore_keywords=sorted(DATED), rtol=0.0, atol=0.0)
    # Tables of history and asdf trees carry the time they were written.
    apart = [hdu for hdu in found.diff_hdus if "ASDF" not in str(hdu[1].report())[:400]]
    return "" if found.identical or not apart else f"HDUs {[hdu[0] for hdu in apart]}"


def _names(manifest: Path) -> list[str]:
    return re.findall(r'"([\w/.-]+)": "', manifest.read_text())


def lines_apart(old: Path, new: Path) -> list[str]:
    """Return the lines of two texts that differ, without embedded pictures."""
    texts = [re.sub(r"base64,[\w+/=]+", "base64", p.read_text()).splitlines() for p in (old, new)]
    return [line for line in difflib.unified_diff(*texts, n=0, lineterm="") if line[:2] != "@@"][2:]


def main() -> int:
    """Run both versions and print what differs; exit 1 if a number does."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("old", type=Path, help="folder that holds the package mirical")
    parser.add_argument("new", type=Path, help="the same, of the other version")
    parser.add_argument("--out", type=Path, required=True, help="folder to work in")
    options = parser.parse_args()
    folders = [options.out / "old", options.out / "new"]
    for source, folder in zip((options.old, options.new), folders, strict=True):
        run_all(source, folder)
    files = [
        {p.relative_to(folder): p for p in sorted(folder.rglob("*")) if p.is_file()}
        for folder in folders
    ]
    alone = sorted(map(str, set(files[0]) ^ set(files[1])))
    same, wrong = 0, list(alone)
    for name in sorted(set(files[0]) & set(files[1])):
        how = difference(files[0][name], files[1][name])
        same += not how
        if how == "REWORDED":
            _say(f"{name}: reworded")
            _say("\n".join(f"    {line[:160]}" for line in lines_apart(*(f[name] for f in files))))
        elif how:
            wrong.append(f"{name}: {how}")
    _say(f"{same} of {len(set(files[0]) | set(files[1]))} files are the same.")
    _say("\n".join(f"DIFFERENT {line}" for line in wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
