"""Commands that are interrupted, short of disk, or printing to nowhere."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mirical.interrupts import GRACE, stoppable, uninterrupted


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_twice_within_a_second_is_one_interrupt(name: str):
    # A job in the background inherits that SIGINT is ignored, and `stoppable` keeps to that.
    inherited = signal.signal(getattr(signal, name), signal.SIG_DFL)
    before = signal.getsignal(getattr(signal, name))
    with stoppable(to_the_end=False):
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(getattr(signal, name))
        signal.raise_signal(getattr(signal, name))
    assert signal.signal(getattr(signal, name), inherited) is before


def test_a_signal_a_while_later_ends_the_process():
    code = (
        "import signal, time\nfrom mirical.interrupts import stoppable\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "with stoppable(to_the_end=True):\n"
        "    try:\n        signal.raise_signal(signal.SIGINT)\n"
        "    except KeyboardInterrupt:\n        pass\n"
        f"    time.sleep({GRACE + 0.2})\n    signal.raise_signal(signal.SIGINT)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (130, b"")


def test_a_signal_while_outputs_are_put_in_place_waits_for_them():
    done = []
    with stoppable(to_the_end=False), pytest.raises(KeyboardInterrupt), uninterrupted():
        signal.raise_signal(signal.SIGTERM)
        done.append(True)
    assert done


STREAMS = {
    "{} >&-": (2, "mirical: standard output: cannot be written (Bad file descriptor)"),
    "{} >/dev/full": (2, "mirical: standard output: cannot be written (No space left on device)"),
    "PYTHONIOENCODING=ascii {}": (0, ""),
    "LC_ALL=C PYTHONUTF8=0 PYTHONCOERCECLOCALE=0 {}": (0, ""),
    "{} >/dev/null 2>&-": (0, ""),
}


@pytest.mark.parametrize("line", STREAMS)
def test_streams_closed_full_or_in_ascii_end_in_no_traceback(tmp_path: Path, line: str):
    code = "import sys; from mirical.cli import main; sys.exit(main())"
    command = f"{sys.executable} -c '{code}' factors published --filter F770W --mjd 60000"
    done = subprocess.run(
        ["sh", "-c", line.format(command)], capture_output=True, text=True, check=False
    )
    status, said = STREAMS[line]
    assert done.returncode == status and "Traceback" not in done.stderr
    assert said in done.stderr and "Exception ignored" not in done.stderr
    assert status or "null" in line or "+/-" in done.stdout
