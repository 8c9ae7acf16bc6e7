"""Whether the photometry of images is right, and how long it takes.

    python benchmarks/photometry.py [--positions 200] [--files 200]

SIMULATED images. First accuracy: every band in every subarray it is observed
in, S/N 50 to 1000, that many sub-pixel positions each, on flat and on uneven
backgrounds; bias and pulls of the flux. FULL and BRIGHTSKY are drawn 256
pixels large. Then the command itself on SUB256-sized mosaics: wall time, and
peak memory for a quarter of the files and for all of them.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from astropy.table import Table
from machine import machine

from mirical.imaging.aperture_photometry import measure
from mirical.inference import runtime
from mirical.instruments.miri import miri
from mirical.instruments.published import published_coefficients
from mirical.randomness import generator
from mirical.simulation.scene_images import Target, mosaic
from mirical.simulation.scenes import Background, Scene, exposure_time
from mirical.tables.apertures import published_apertures
from mirical.tables.formats import write_ecsv
from mirical.validation.scene_study import image_of, random_scene, subarrays_of

SEED = 59720
BACKGROUNDS = ("flat", "uneven")


def main() -> None:
    """Measure accuracy, then time, and write two tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--positions", type=int, default=200)
    parser.add_argument("--files", type=int, default=200)
    parser.add_argument("--out", type=Path, default=Path("reports/validation/photometry"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    pairs = [(band, subarray) for band in miri().bands for subarray in subarrays_of(band)]
    lines = []
    for background in BACKGROUNDS:
        with multiprocessing.get_context("spawn").Pool(runtime.cores()) as pool:
            study = partial(try_one, background=background, positions=options.positions)
            found = dict(zip(pairs, pool.starmap(study, pairs), strict=True))
        lines += [summary(found[pair], background, *pair) for pair in pairs]
        for subarray in ("FULL", "BRIGHTSKY", "SUB256", "SUB128", "SUB64"):
            of = [rows for pair, rows in found.items() if pair[1] == subarray]
            lines.append(summary(np.concatenate(of), background, "all", subarray))
        lines.append(summary(np.concatenate(list(found.values())), background, "all", "all"))
    accuracy = Table(rows=lines)
    accuracy.meta |= {"title": "SIMULATED: photometry of images of known flux", "seed": SEED}
    accuracy.meta |= {"simulated": True, **machine("photutils", "jwst")}
    write_ecsv(accuracy, options.out / "accuracy.ecsv")
    accuracy[accuracy["band"] == "all"].pprint(max_width=-1, max_lines=-1)
    speed = Table(rows=[time_files(n) for n in (options.files // 4, options.files)])
    speed.meta |= accuracy.meta | {"title": "SIMULATED: time and memory of mirical photometry"}
    write_ecsv(speed, options.out / "speed.ecsv")
    speed.pprint(max_width=-1)


def try_one(band: str, subarray: str, background: str, positions: int) -> np.ndarray:
    """Return pull, relative error and quoted relative error of each position, and if flagged."""
    random = generator(SEED, f"{band} {subarray} {background}")
    rows = []
    for _ in range(positions):
        scene, at = random_scene(band, subarray, random, background == "uneven")
        found = measure(image_of(scene, at), published_apertures(miri())[band])
        truth = scene.aperture_rate
        off = found.iflux - truth
        flagged = bool(found.flag)
        rows.append((off / found.ifluxunc, off / truth, found.ifluxunc / truth, flagged))
    return np.array(rows)


def summary(rows: np.ndarray, background: str, band: str, subarray: str) -> dict[str, object]:
    """Return bias and pulls of some positions; the bias is weighted by the quoted errors."""
    pull, off, error, flagged = rows.T
    weight = 1 / error**2
    return {
        "background": background,
        "band": band,
        "subarray": subarray,
        "positions": len(rows),
        "bias_pct": round(100 * float(np.average(off, weights=weight)), 4),
        "bias_unc_pct": round(100 / float(np.sqrt(weight.sum())), 4),
        "pull_mean": round(float(pull.mean()), 3),
        "pull_std": round(float(pull.std()), 3),
        "pull_std_unc": round(float(1 / np.sqrt(2 * len(rows))), 3),
        "largest_pull": round(float(np.abs(pull).max()), 1),
        "flagged": int(flagged.sum()),
    }


def time_files(number: int) -> dict[str, object]:
    """Return wall time and peak memory of the command on so many SUB256 mosaics."""
    with tempfile.TemporaryDirectory() as folder:
        write_mosaics(Path(folder), number)
        out = Path(folder) / "rows.ecsv"
        code = "import sys; from mirical.cli import main; sys.exit(main())"
        command = [sys.executable, "-c", code, "photometry", folder, "--out", str(out)]
        before = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        seconds = time.perf_counter() - before
    # Largest of the processes so far: the command's own, or one of its workers.
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    return {"files": number, "seconds": round(seconds, 1), "peak_mb_of_a_process": round(peak)}


def write_mosaics(folder: Path, number: int) -> None:
    """Write mosaics of the imaging bands, S/N 300, with dead pixels."""
    bands = [band for band, entry in miri().bands.items() if entry.kind == "imaging"]
    factors = published_coefficients(miri())
    factor = dict(zip(factors["filter"], factors["A"].value, strict=True))
    random = generator(SEED, "mosaics")
    for i in range(number):
        band = bands[i % len(bands)]
        rate = 10 ** random.uniform(3, 5)
        scene = Scene(band, "SUB256", rate, Background(rate / 500), seed=i, bad_fraction=2e-4)
        scene = replace(scene, exposure_time=exposure_time(scene, 300))
        at = 128 + random.uniform(-4, 4, 2)
        model = mosaic(scene, Target(factor=float(factor[band])), (at[0], at[1]))
        model.save(str(folder / f"simulated_{i:04d}_i2d.fits"))


if __name__ == "__main__":
    main()
