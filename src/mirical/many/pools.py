"""Threads and worker processes of this machine that do tasks side by side."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Protocol, Self

from mirical.errors import InputError
from mirical.many.parcels import Parcels, Prepared, content_of, perform_there
from mirical.many.processes import worker_pool
from mirical.many.tasks import Task


class Pool(Protocol):
    """Does tasks side by side."""

    @property
    def room(self) -> int:
        """How many tasks it takes at a time, those that wait included."""
        ...

    def submit(self, task: Task) -> Future[bytes | None]:
        """Have a task done; its result as the bytes of its file, None if it was stopped."""
        ...


class Threads:
    """Runs tasks in threads, with functions that this thread prepares; a context manager."""

    def __init__(self, workers: int) -> None:
        self.room = workers
        self._pool = ThreadPoolExecutor(workers)
        self._stop = threading.Event()
        self._prepared = Prepared()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._pool.shutdown(cancel_futures=True)

    def submit(self, task: Task) -> Future[bytes | None]:
        """Have a task done; its result as the bytes of its file, None if it was stopped."""
        # Made here, where Ctrl-C ends it.
        perform = self._prepared.of(task.recipe.key, task.recipe.prepare)
        return self._pool.submit(content_of, perform, task.item, self._stop)


class Processes:
    """Runs tasks in worker processes; a context manager.

    Raises
    ------
    InputError
        On leaving it, if a process was ended from outside.
    """

    def __init__(self, workers: int) -> None:
        self.room = 2 * workers  # memory does not grow with the number of tasks
        self._pool = worker_pool(workers)
        self._parcels = Parcels()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: object
    ) -> None:
        self._pool.shutdown(cancel_futures=True)
        if isinstance(error, BrokenProcessPool):
            raise InputError(
                "a worker process was ended from outside, perhaps for want of memory; give the "
                "same command fewer --workers."
            ) from error

    def submit(self, task: Task) -> Future[bytes | None]:
        """Have a task done; its result as the bytes of its file."""
        return self._pool.submit(perform_there, self._parcels.of(task.recipe), task.item)
