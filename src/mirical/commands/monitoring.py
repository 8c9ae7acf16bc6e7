"""The command ``monitor``: whether a run's calibration still holds."""

from __future__ import annotations

import argparse
from pathlib import Path

from mirical.console.command_parsers import add_command
from mirical.console.shared import ALARM, SUCCESS, consoles, print_notes, study_status
from mirical.errors import InputError
from mirical.storage.files import check_outputs, together
from mirical.text import one_line

MOST_STREAMS = 100_000


def monitor(options: argparse.Namespace) -> int:
    """Test rows taken since a run's fit for changes."""
    from mirical.inference import runtime

    runtime.configure()  # before anything loads JAX or a linear algebra library

    from mirical.calibration.store import require_draws, run_folder
    from mirical.console.monitor_printing import print_monitor
    from mirical.console.progress import StageWatch
    from mirical.monitoring.history import ROWS, require_history, with_history, write_history
    from mirical.monitoring.monitor import FEWEST_DRAWS, Asked, monitor_run
    from mirical.monitoring.page import about_monitored, write_monitor
    from mirical.reporting.stored_inputs import open_run
    from mirical.tables.photometry import load_photometry

    asked = Asked(
        rate=options.false_alarms_per_year,
        every=options.cadence,
        draws=options.draws,
        streams=options.streams,
        delay_streams=options.delay_streams,
    )
    _refuse_numbers(asked)
    folder = run_folder(options.run)
    out, history = options.out or folder / "monitor", options.history
    read = Path(options.rows)
    check_outputs(folders=[history], inputs=[read], renewed=True)
    check_outputs(folders=[out], inputs=[read, history], renewed=options.out is None)
    if history is not None:
        require_history(history)
    posterior, inputs = open_run(folder)
    require_draws(posterior, folder, FEWEST_DRAWS)
    new = load_photometry(options.rows, inputs.instrument, "monitor")
    notes = new.notes
    if history is not None:
        new = with_history(history, folder, new)
    results, progress = consoles()
    with StageWatch(progress) as watch:
        found = monitor_run(folder, posterior, inputs, new, asked, watch.begin)
    name = one_line(folder.resolve().name)
    page = about_monitored(found, folder, name, posterior.attrs, inputs.instrument)
    with together():
        write_monitor(page, out)
        if history is not None:
            write_history(history, folder, new)
    print_monitor(page, out, results)
    if history is not None:
        results.print(f"Rows kept: {history / ROWS}", soft_wrap=True)
    print_notes(notes, progress)
    status = study_status(options.run, True, progress)
    return ALARM if page.alarm and status == SUCCESS else status


def _refuse_numbers(asked: object) -> None:
    from mirical.monitoring.monitor import FEWEST_DRAWS, Asked

    assert isinstance(asked, Asked)
    if not 1e-4 <= asked.rate <= 10:
        raise InputError(
            f"monitor: --false-alarms-per-year is {asked.rate:g}; expected 0.0001 to 10, such as "
            "0.1."
        )
    if asked.every is not None and not 1 < asked.every <= 3653:
        raise InputError(f"monitor: --cadence is {asked.every:g}; expected days, above 1.")
    if asked.draws < FEWEST_DRAWS:
        raise InputError(f"monitor: --draws is {asked.draws}; expected at least {FEWEST_DRAWS}.")
    for option, value, least in (
        ("--streams", asked.streams, 1),
        ("--delay-streams", asked.delay_streams, 0),
    ):
        if not least <= value <= MOST_STREAMS:
            raise InputError(f"monitor: {option} is {value}; expected {least} to {MOST_STREAMS}.")


def add_parsers(parsers: argparse._SubParsersAction) -> None:
    """Add the command of this module to the command line."""
    about = (
        "Test rows taken since a run's fit for changes of its factors, band by band, with a stated "
        "rate of false alarms. Status 3 if the calibration no longer holds."
    )
    parser = add_command(
        parsers,
        "monitor",
        monitor,
        ("does a run's calibration still hold? a sequential test of new rows", about),
        "mirical monitor table5 new_rows.ecsv --history reports/table5/history",
    )
    what = parser.add_argument_group("what is tested")
    what.add_argument("run", metavar="RUN", help="a run's folder")
    what.add_argument("rows", metavar="NEW_ROWS", help="photometry table of rows since the fit")
    what.add_argument(
        "--history",
        metavar="DIR",
        type=Path,
        help="folder in which all rows since the fit are kept from call to call [none]",
    )
    how = parser.add_argument_group("how")
    how.add_argument(
        "--false-alarms-per-year", metavar="RATE", type=float, default=0.1,
        help="false alarms a year [0.1]",
    )  # fmt: skip
    how.add_argument(
        "--cadence", metavar="DAYS", type=float,
        help="days between epochs to come [as in the new rows, if they span half a year; else as "
        "in the run's last year]",
    )  # fmt: skip
    how.add_argument(
        "--draws", metavar="N", type=int, default=200, help="posterior draws looked at [200]"
    )
    how.add_argument(
        "--streams", metavar="N", type=int, default=400,
        help="simulated streams that find the alarm level [400]",
    )  # fmt: skip
    how.add_argument(
        "--delay-streams", metavar="N", type=int, default=60,
        help="simulated streams of each delay, 0 for none [60]",
    )  # fmt: skip
    written = parser.add_written()
    written.add_argument("--out", metavar="DIR", type=Path, help="folder to write [RUN/monitor]")
