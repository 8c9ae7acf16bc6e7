"""Tasks run once, in shares and by processes: their results are kept until they are collected."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from mirical.errors import InputError
from mirical.many.parcels import Parcel, Parcels
from mirical.many.result_files import Collected, ResultFolder, unfinished
from mirical.many.running import How, ShareDone, run_here, run_tasks, scheduler_of, shard_of
from mirical.many.tasks import Recipe, Result, Task, nothing
from processes_made import killed_at_once

PLAIN = {"text": "a", "nan": float("nan"), "ranks": {"A": [1, 2]}, "none": None, "tenth": 0.1}


def squares(did: list[int], item: int, _: threading.Event) -> Result:
    did.append(item)
    return PLAIN | {"square": np.array([item, item**2]), "count": np.int64(item)}


def tasks_of(did: list[int], n: int = 7, name: str = "") -> list[Task]:
    recipe = Recipe({"name": name}, (), lambda: partial(squares, did))
    return [Task(recipe, item) for item in range(n)]


def results(tasks: list[Task], run: Callable) -> dict[int, Result]:
    found: dict[int, Result] = {}
    run(tasks, then=found.__setitem__)
    return {number: found[number] for number in sorted(found)}


def kept_in(folder: ResultFolder | None, shard: tuple[int, int] | None = None) -> Callable:
    return partial(run_tasks, how=How(2, shard), kept=folder)


@pytest.fixture
def folder(tmp_path: Path):
    folder = ResultFolder(unfinished(tmp_path / "out"))
    with folder.held(collects=False):
        yield folder


def test_a_result_read_back_is_the_one_that_was_not(folder: ResultFolder):
    did: list[int] = []
    made = [results(tasks_of(did), run) for run in (run_here, *2 * [kept_in(folder)])]
    assert sorted(did) == sorted(2 * list(range(7)))  # the third time all were kept
    assert repr(made[0]) == repr(made[1]) == repr(made[2]) and list(made[0]) == list(range(7))
    assert repr({name: made[0][3][name] for name in PLAIN}) == repr(PLAIN)
    assert made[0][3]["square"].tolist() == [3, 9]


@pytest.mark.parametrize("damage", [b"", b"not whole", None])
def test_a_damaged_result_is_made_again(folder: ResultFolder, damage: bytes | None):
    did: list[int] = []
    results(tasks_of(did), kept_in(folder))
    path = folder.path / f"{tasks_of(did)[4].key}.npz"
    whole = path.read_bytes()
    flipped = bytes([*whole[:100], whole[100] ^ 1, *whole[101:]])
    path.write_bytes(flipped if damage is None else damage)
    del did[:]
    results(tasks_of(did), kept_in(folder))
    assert did == [4] and path.read_bytes() == whole


def test_shares_make_the_whole_in_any_order(folder: ResultFolder):
    did: list[int] = []
    for number in (3, 1, 1):
        with pytest.raises(ShareDone):
            results(tasks_of(did), kept_in(folder, (number, 3)))
    assert sorted(did) == [0, 1, 4, 5, 6]
    assert len(results(tasks_of(did), kept_in(folder, (2, 3)))) == 7  # the last knows all
    assert sorted(did) == list(range(7))
    assert len(results(tasks_of(did), kept_in(folder))) == 7 and len(did) == 7


@pytest.mark.parametrize("text", ["0/4", "5/4", "x", "1/0", "-1/4", "1/4/2", "1", ""])
def test_a_share_that_is_none_is_refused(text: str):
    with pytest.raises(InputError, match=r"--shard '.*'; expected I/N, such as 3/64"):
        shard_of(text)


@pytest.mark.parametrize("text", ["nowhere", "x://host:1", "tcp://host", "tcp://host:port"])
def test_an_address_of_no_scheduler_is_refused(text: str):
    with pytest.raises(InputError, match="expected tcp://HOST:PORT, as 'dask scheduler' prints"):
        scheduler_of(text)
    assert scheduler_of("tcp://host:8786") and scheduler_of("10.0.0.1:8786")


def test_an_interrupt_keeps_what_is_done(folder: ResultFolder):
    did: list[int] = []

    def interrupted(number: int, result: Result) -> None:
        if len(folder.keys()) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_tasks(tasks_of(did), How(1), folder, interrupted)
    assert folder.count(tasks_of(did)) == 3
    assert folder.count(tasks_of(did, name="another")) == 0


def test_two_commands_that_collect_are_not_let_into_one_folder(tmp_path: Path):
    one, two = (ResultFolder(unfinished(tmp_path / "out")) for _ in range(2))
    with one.held(collects=True):
        with pytest.raises(InputError, match="another process is about the same output; wait"):
            with two.held(collects=True):
                pass
        with two.held(collects=False):  # a share may
            run_tasks(tasks_of([]), How(1), two, lambda *_: None)
        assert len(one.keys()) == 7
        one.remove()
        with pytest.raises(Collected):
            two.save(tasks_of([])[0], b"")
    assert list(tmp_path.iterdir()) == []
    with one.held(collects=True):
        pass
    assert list(tmp_path.iterdir()) == []  # nothing was kept


def test_a_worker_process_ended_from_outside_is_told():
    recipe = Recipe({}, (), killed_at_once, processes=True)
    with pytest.raises(InputError, match="a worker process was ended from outside, perhaps for"):
        results(
            [Task(recipe, item) for item in range(2)], partial(run_tasks, how=How(2), kept=None)
        )


def test_a_worker_with_other_versions_is_refused():
    parcel = Parcels().of(Recipe({}, ("numpy",), nothing))  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"a worker has numpy .*, but this command 0.1; install"):
        Parcel(parcel.key, nothing, parcel.content, {"numpy": "0.1"}).open()
