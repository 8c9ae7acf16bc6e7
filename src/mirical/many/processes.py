"""Cores and memory of this machine; worker processes that end with the process that began them."""

from __future__ import annotations

import math
import os
import signal
import threading
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context, parent_process


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def memory() -> float:
    """Return the bytes of memory of this machine, infinity where the system does not tell."""
    if not {"SC_PAGE_SIZE", "SC_PHYS_PAGES"} <= set(getattr(os, "sysconf_names", ())):
        return math.inf
    return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))


def worker_pool(workers: int) -> ProcessPoolExecutor:
    """Return a pool whose processes start afresh: a fork would copy the locks of threads.

    Where the parent is gone, killed without a chance to say so included, each
    worker ends at once; a signal of the terminal (Ctrl-C) is the parent's
    alone to answer.

    Parameters
    ----------
    workers : int
        Processes at most.
    """
    return ProcessPoolExecutor(workers, get_context("spawn"), initializer=_begin)


def _begin() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, name="end with parent", daemon=True).start()


def _end_with_parent() -> None:
    """Wait for the parent's end, which closes a pipe on every system; nothing is polled."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        # Nobody is left to take a result, and threads of libraries must not delay the end.
        os._exit(1)
