"""Whether to believe a run."""

from __future__ import annotations

import argparse

from mirical.commands.ending import NOT_BELIEVABLE, SUCCESS, consoles
from mirical.errors import InputError


def check(options: argparse.Namespace) -> int:
    """Check a run and write the verdict."""
    from mirical.inference import runtime

    runtime.configure()  # before anything loads JAX or a linear algebra library

    from mirical.inference.watching import DrawWatch
    from mirical.products.check import FEWEST_DRAWS, check_run, require_draws
    from mirical.products.check_report import write_check
    from mirical.products.runs import open_run, run_folder
    from mirical.products.summary import print_check

    if options.draws < FEWEST_DRAWS:
        raise InputError(f"check: --draws is {options.draws}; expected at least {FEWEST_DRAWS}.")
    folder = run_folder(options.run)
    out = options.out or folder / "check"
    if out.exists() and not out.is_dir():
        raise InputError(f"{out}: is a file; --out needs a folder.")
    posterior, inputs = open_run(folder)
    require_draws(posterior, folder)
    results, progress = consoles()
    with DrawWatch(options.draws, progress) as watch:
        checked = check_run(
            folder.resolve().name,
            posterior,
            inputs,
            options.draws,
            watch.advance,
            watch.refit if options.refit else None,
        )
    write_check(checked, out)
    print_check(checked, out, results)
    return SUCCESS if checked.believable else NOT_BELIEVABLE
