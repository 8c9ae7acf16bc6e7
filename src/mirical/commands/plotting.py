"""The command ``plot``: one figure of a run alone, for a paper."""

from __future__ import annotations

import argparse
from pathlib import Path

from mirical.console.command_parsers import add_command
from mirical.console.shared import NOT_BELIEVABLE, SUCCESS, consoles, print_notes
from mirical.errors import InputError
from mirical.storage.files import check_outputs


def plot(options: argparse.Namespace) -> int:
    """Draw one figure of a run, or of a study's ranks, into a file; or list all there are."""
    import matplotlib

    from mirical.figures.figure_files import require_suffix
    from mirical.figures.kinds import KINDS, require_kind

    results, _ = consoles()
    if options.list:
        width = max(map(len, KINDS))
        for kind, about in KINDS.items():
            results.print(f"{kind:{width}}  {about}", soft_wrap=True)
        return SUCCESS
    if options.run is None or options.kind is None:
        raise InputError("plot: give a run and the kind of figure; 'mirical plot --list' has all.")
    require_kind(options.kind)
    out = options.out or Path(f"{Path(options.run).resolve().name}-{options.kind}.pdf")
    require_suffix(out)
    check_outputs([out])
    matplotlib.use("Agg")  # ArviZ draws as if for a window
    return _draw(options, out)


def _draw(options: argparse.Namespace, out: Path) -> int:
    from mirical.api.runs import open_run
    from mirical.figures.figure_files import write_figure
    from mirical.figures.kinds import RANK_FIGURE
    from mirical.figures.rank_figures import draw_ranks

    folder = Path(options.run)
    if options.kind == RANK_FIGURE and folder.is_dir() and not (folder / "posterior.nc").is_file():
        if options.band is not None:
            raise InputError(f"{RANK_FIGURE}: this figure is of no bands; leave --band out.")
        write_figure(draw_ranks(folder, options.quantity), out, {"simulated": True})
        return _told(out, True, SUCCESS)
    run = open_run(options.run)
    figure = run.figure(options.kind, options.band, options.quantity)
    simulated = run.simulated or options.kind == RANK_FIGURE  # whose rows are always simulated
    write_figure(figure, out, {**run.provenance, "simulated": int(simulated)})
    print_notes(run.calibration.doubts, consoles()[1])
    return _told(out, simulated, SUCCESS if run.believable else NOT_BELIEVABLE)


def _told(out: Path, simulated: bool, status: int) -> int:
    of = "SIMULATED data: " if simulated else ""
    consoles()[0].print(f"{of}figure in {out}", soft_wrap=True, markup=False)
    return status


def add_parsers(parsers: argparse._SubParsersAction) -> None:
    """Add the command of this module to the command line."""
    about = (
        "Draw one figure of a run alone, as vectors for a paper: those of its report and of its "
        "check, ArviZ's plots of its draws, and the ranks of 'mirical sbc'."
    )
    parser = add_command(
        parsers,
        "plot",
        plot,
        ("one figure of a run alone, in vector form, for a paper", about),
        "mirical plot table5 curves --band F770W F1500W --out curves.pdf",
        "mirical plot table5 rank --quantity 'A[F770W]' outlier_fraction",
        "mirical plot --list",
    )
    what = parser.add_argument_group("what is drawn")
    what.add_argument(
        "run", metavar="RUN", nargs="?", help="a run's folder, or one of an SBC study"
    )
    what.add_argument("kind", metavar="KIND", nargs="?", help="which figure; --list has all")
    what.add_argument("--list", action="store_true", help="list the kinds of figure")
    what.add_argument("--band", metavar="B", nargs="+", help="bands to draw [all]")
    what.add_argument(
        "--quantity",
        metavar="Q",
        nargs="+",
        help="variables of the posterior or single quantities, as 'A[F770W]' [those with the "
        "fewest effective draws; of a forest, the star offsets]",
    )
    written = parser.add_written()
    written.add_argument(
        "--out",
        metavar="FILE.pdf",
        type=Path,
        help="file to write, .pdf, .svg or .png [RUN-KIND.pdf in this folder]",
    )
