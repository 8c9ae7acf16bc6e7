"""Running of tasks: those without a result, by threads, processes, a share or a Dask cluster."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import AbstractContextManager
from dataclasses import dataclass

from mirical.errors import InputError
from mirical.many.pools import Pool, Processes, Threads
from mirical.many.processes import cores
from mirical.many.result_files import ResultFolder, decode
from mirical.many.tasks import Task, Then


class ShareDone(Exception):
    """The share of this process is done, and no more is asked of it."""


@dataclass(frozen=True)
class How:
    """How tasks are run.

    Attributes
    ----------
    workers : int
        How many at once on this machine.
    shard : (int, int) or None
        Number of the share this process does, from 1, and the number of shares; all if None.
    scheduler : str or None
        Address of a Dask scheduler that runs them.
    """

    workers: int
    shard: tuple[int, int] | None = None
    scheduler: str | None = None


def shard_of(text: str) -> tuple[int, int]:
    """Return the share that a text such as ``3/64`` names.

    Raises
    ------
    InputError
        If it names none.
    """
    match = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text)
    number, shares = map(int, match.groups()) if match else (0, 0)
    if not 1 <= number <= shares:
        raise InputError(
            f"--shard {text!r}; expected I/N, such as 3/64: a share from 1 to N and their number."
        )
    return number, shares


def scheduler_of(text: str) -> str:
    """Return the address of a scheduler as it was given.

    Raises
    ------
    InputError
        If it is none.
    """
    if not re.fullmatch(r"((tcp|tls|ws|wss|ucx)://)?[^\s/]+:\d{1,5}", text):
        raise InputError(
            f"--scheduler {text!r}; expected tcp://HOST:PORT, as 'dask scheduler' prints it."
        )
    return text


def run_here(tasks: Sequence[Task], then: Then) -> None:
    """Run tasks as many at once as there are cores; nothing is kept."""
    run_tasks(tasks, How(cores()), None, then)


def run_tasks(tasks: Sequence[Task], how: How, kept: ResultFolder | None, then: Then) -> None:
    """Run those of some tasks whose results are not kept, and tell of all results.

    Parameters
    ----------
    tasks : sequence of Task
        Neighbours share a recipe, where some do.
    how : How
        Where they run.
    kept : ResultFolder or None
        Where results are found and kept, each as soon as it is there.
    then : callable
        Told of each in this thread, in no order.

    Raises
    ------
    ShareDone
        If this process did its share and tasks of others have no result yet.
    InputError
        If a worker was ended from outside, or the cluster cannot be used.
    """
    mine = _share(len(tasks), how.shard)
    missing = []
    for number in mine:
        found = kept.load(tasks[number]) if kept else None
        if found is None:
            missing.append(number)
        else:
            then(number, found)
    for number, content in _contents(tasks, missing, how):
        if kept:
            kept.save(tasks[number], content)
        then(number, decode(content))
    if how.shard and kept:
        _tell_others(tasks, mine, kept, then)


def _tell_others(tasks: Sequence[Task], mine: range, kept: ResultFolder, then: Then) -> None:
    """Tell of the tasks of other shares, if all are there."""
    if kept.count(tasks) < len({task.key for task in tasks}):
        raise ShareDone
    for number in set(range(len(tasks))) - set(mine):
        found = kept.load(tasks[number])
        if found is None:  # damaged: it is for who collects to make it again
            raise ShareDone
        then(number, found)


def _share(total: int, shard: tuple[int, int] | None) -> range:
    """Return the numbers of the tasks of a share: neighbours, which have recipes in common."""
    number, shares = shard or (1, 1)
    return range((number - 1) * total // shares, number * total // shares)


def _pool(tasks: Sequence[Task], how: How) -> AbstractContextManager[Pool]:
    if how.scheduler is not None:
        from mirical.many.cluster import Cluster

        return Cluster(how.scheduler)
    workers = min(how.workers, len(tasks))
    if workers > 1 and any(task.recipe.processes for task in tasks):
        return Processes(workers)
    return Threads(workers)


def _contents(
    tasks: Sequence[Task], numbers: Sequence[int], how: How
) -> Iterator[tuple[int, bytes]]:
    """Yield the number and the file's bytes of each task as it is done."""
    if not numbers:
        return
    with _pool([tasks[number] for number in numbers], how) as pool:
        waiting = iter(numbers)
        running: dict[Future[bytes | None], int] = {}
        while True:
            while len(running) < pool.room and (number := next(waiting, None)) is not None:
                running[pool.submit(tasks[number])] = number
            if not running:
                return
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                number, content = running.pop(future), future.result()
                if content is not None:
                    yield number, content
