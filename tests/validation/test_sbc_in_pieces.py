"""`mirical sbc` in shares and on a cluster, processes of which are killed: no byte is different."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mirical.cli import main
from small_card import CARD

REPLICATES = 8


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    card = tmp_path_factory.mktemp("card") / "small.toml"
    card.write_text(CARD)
    numbers = ["--replicates", str(REPLICATES), "--warmup", "100", "--draws", "50"]
    return ["sbc", "--model", str(card), *numbers]


@pytest.fixture(scope="module")
def whole(command: list[str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    out = tmp_path_factory.mktemp("whole") / "out"
    assert main([*command, "--out", str(out)]) in (0, 1)
    return content(out)


def content(folder: Path) -> dict[str, bytes]:
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def once(found: Callable[[], bool], act: Callable[[], object]) -> threading.Thread:
    """Do something in a thread as soon as a condition holds."""

    def wait() -> None:
        while not found():
            time.sleep(0.05)
        act()

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    return thread


def kept(out: Path) -> int:
    return len(list(out.with_name("out.unfinished").glob("*.npz")))


@pytest.mark.slow
def test_shares_two_of_which_are_killed_make_the_same_bytes(
    command: list[str], whole: dict[str, bytes], tmp_path: Path, capsys: pytest.CaptureFixture
):
    out = tmp_path / "out"
    line = [*command, "--out", str(out)]
    code = "import sys; from mirical.cli import main; sys.exit(main())"
    shares = [
        subprocess.Popen([sys.executable, "-c", code, *line, "--shard", f"{number}/4"])
        for number in (2, 4)
    ]
    once(lambda: kept(out) > 0, lambda: [share.kill() for share in shares]).join(60)
    assert [share.wait() for share in shares] == [-signal.SIGKILL] * 2
    for number in (2, 4):  # the others are done by the command that collects
        assert main([*line, "--shard", f"{number}/4"]) == 0
        assert f"share {number}/4 is done; " in capsys.readouterr().out
    assert not out.exists() and kept(out) == REPLICATES // 2
    assert main(line) in (0, 1)
    assert content(out) == whole


@pytest.mark.slow
def test_a_cluster_one_of_whose_workers_is_killed_makes_the_same_bytes(
    command: list[str], whole: dict[str, bytes], tmp_path: Path
):
    out, scheduler = tmp_path / "out", tmp_path / "cluster"
    scheduler.mkdir()
    from distributed import Client, LocalCluster

    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None, local_directory=scheduler
        ) as cluster,
        Client(cluster.scheduler_address, set_as_default=False) as client,
    ):
        workers = list(client.run(os.getpid).values())
        killing = once(lambda: kept(out) > 0, lambda: os.kill(workers[0], signal.SIGKILL))
        line = [*command, "--out", str(out), "--scheduler", cluster.scheduler_address]
        assert main(line) in (0, 1)
        assert not killing.is_alive() and len(workers) == 2
    assert {path.name for path in tmp_path.iterdir()} == {"cluster", "out"}
    assert {path.name: path.read_bytes() for path in out.iterdir()} == whole
