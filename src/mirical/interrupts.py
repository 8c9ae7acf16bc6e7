"""Interrupts: Ctrl-C, SIGTERM and a closed terminal as one request to stop in good order."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

INTERRUPTED = 130
"""Exit status of a command that was stopped."""

GRACE = 1.0  # s; a second request within it is the same one: a key pressed twice

_SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)


class Interrupted(KeyboardInterrupt):
    """A stop after which the same command goes on; its sentence says from where."""


@contextmanager
def stoppable(to_the_end: bool) -> Iterator[None]:
    """Raise KeyboardInterrupt for the first signal that asks to stop.

    A second one within `GRACE` is ignored; a later one ends the process at once. Signals that the
    caller has told this process to ignore (``nohup``) stay ignored.

    Parameters
    ----------
    to_the_end : bool
        Whether the process ends after the block; signals are then ignored while it does.
    """
    first: list[float] = []

    def stop(number: int, frame: FrameType | None) -> None:
        if frame is not None and frame.f_code.co_name == "_xla_gc_callback":
            # JAX's hook of the garbage collector, in which an exception is lost: ask again.
            threading.Timer(0.05, os.kill, (os.getpid(), number)).start()
            return
        if not first:
            first.append(time.monotonic())
            raise KeyboardInterrupt
        if time.monotonic() - first[0] > GRACE:
            os._exit(INTERRUPTED)

    with _handled(stop, signal.SIG_IGN if to_the_end else None):
        yield


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Put signals that ask to stop off until the block is done."""
    waiting: list[int] = []
    with _handled(lambda number, frame: waiting.append(number)):
        yield
    if waiting:
        signal.raise_signal(waiting[0])


@contextmanager
def _handled(handler: Any, afterwards: Any = None) -> Iterator[None]:
    # Only the main thread gets signals, and only it may say who handles them.
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    ours = [n for n, old in before.items() if old is not None and old != signal.SIG_IGN]
    for number in ours:
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, before[number] if afterwards is None else afterwards)
