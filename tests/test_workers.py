"""Worker processes end with their parent, even one that is killed without warning."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest

from mirical.errors import InputError
from mirical.imaging import photometry_rows
from mirical.tables.apertures import published_apertures
from mirical.workers import worker_pool

PARENT = """
import time
from mirical.workers import worker_pool
if __name__ == "__main__":
    with worker_pool(2) as pool:
        pool.submit(time.sleep, 60)
        pool.submit(time.sleep, 60)
        print(*pool._processes, flush=True)
        pool.submit(time.sleep, 0).result(timeout=50)
"""


def alive(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"  # a dead one that nobody waits for


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="/proc tells who is alive")
@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGKILL])
def test_workers_end_with_their_parent(tmp_path: Path, ending: signal.Signals):
    (tmp_path / "parent.py").write_text(PARENT)
    parent = subprocess.Popen(
        [sys.executable, str(tmp_path / "parent.py")], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    workers = [int(number) for number in parent.stdout.readline().split()]
    assert len(workers) == 2 and all(map(alive, workers))
    time.sleep(1.5)  # for them to be at work
    parent.send_signal(ending)
    parent.wait()
    parent.stdout.close()
    end = time.monotonic() + 20
    while any(map(alive, workers)) and time.monotonic() < end:
        time.sleep(0.05)
    assert not any(map(alive, workers))


def test_a_worker_ended_from_outside_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with worker_pool(1) as pool, pytest.raises(BrokenProcessPool):
        pool.submit(os.kill, pool.submit(os.getpid).result(), signal.SIGKILL).result()

    def broken(*_, **__):
        raise BrokenProcessPool

    monkeypatch.setattr(photometry_rows, "wait", broken)
    settings = photometry_rows.Settings(published_apertures())
    paths = [tmp_path / name for name in ("one", "two")]
    with pytest.raises(InputError, match="a worker process was ended from outside, perhaps for"):
        list(photometry_rows.measure_files(paths, settings, 2))
