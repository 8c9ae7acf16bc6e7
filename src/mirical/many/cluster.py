"""Tasks on a Dask cluster, by its ``concurrent.futures`` interface.

A task whose worker dies is given to another by the scheduler; nothing is scheduled here.
"""

from __future__ import annotations

import logging
from concurrent.futures import CancelledError, Future
from typing import Any, Self

from mirical.errors import InputError, reason_of
from mirical.many.parcels import Parcels, perform_there
from mirical.many.tasks import Task

ANSWERS_WITHIN = "10s"
FEWEST_WAITING = 64
"""Tasks handed over however few the workers are, so that a cluster which grows by need grows."""


class Cluster:
    """Runs tasks on a Dask cluster; a context manager.

    Parameters
    ----------
    address : str
        Of the scheduler, such as ``tcp://host:8786``.

    Raises
    ------
    InputError
        If Dask is not installed or no scheduler answers; on leaving it, if the cluster was lost.
    """

    def __init__(self, address: str) -> None:
        try:
            from distributed import Client
        except ImportError as error:
            raise InputError(
                "--scheduler: the package distributed is not installed; pip install "
                "'mirical[cluster]', or leave --scheduler out."
            ) from error
        # What goes wrong is said by this program, in a sentence.
        logging.getLogger("distributed.client").setLevel(logging.CRITICAL)
        try:
            self._client: Any = Client(address, timeout=ANSWERS_WITHIN, set_as_default=False)
        except (OSError, ValueError) as error:
            raise InputError(
                f"--scheduler {address}: no Dask scheduler answers there ({reason_of(error)}); "
                "start one with 'dask scheduler', and give the address it prints."
            ) from error
        self._address = address
        self._pool = self._client.get_executor(pure=False)
        self._parcels = Parcels()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: object
    ) -> None:
        from distributed import KilledWorker
        from distributed.comm.core import CommClosedError

        self._client.close()
        if error is not None and isinstance(error, (KilledWorker, CommClosedError, CancelledError)):
            raise InputError(
                f"--scheduler {self._address}: the cluster was lost ({reason_of(error)}); see to "
                "its workers, then give the same command."
            ) from error

    @property
    def room(self) -> int:
        """How many tasks it takes at a time, those that wait included."""
        return max(2 * sum(self._client.nthreads().values()), FEWEST_WAITING)

    def submit(self, task: Task) -> Future[bytes | None]:
        """Have a task done; its result as the bytes of its file."""
        return self._pool.submit(perform_there, self._parcels.of(task.recipe), task.item)
