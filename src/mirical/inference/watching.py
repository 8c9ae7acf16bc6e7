"""Progress bars: each chain's stage, draws and divergences, or replicates; the time left."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from mirical.inference.jobs import Sampler
from mirical.inference.replicates import Replicate


class _Shown:
    """A display that is on the terminal while its `with` block runs."""

    _display: Progress

    def __enter__(self) -> Self:
        self._display.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._display.stop()


class ChainWatch(_Shown):
    """A terminal display of running chains; use as a context manager.

    Parameters
    ----------
    sampler : Sampler
        How many chains, warm-up steps and draws to expect.
    console : Console
        Where to draw; silent if it is not a terminal.
    """

    def __init__(self, sampler: Sampler, console: Console) -> None:
        self._warmup = sampler.warmup
        self._total = sampler.warmup + sampler.draws
        self._lock = threading.Lock()
        self._divergences = [0] * sampler.chains
        self._done = [0] * sampler.chains
        self._display = Progress(
            TextColumn("chain {task.fields[chain]}"),
            TextColumn("{task.fields[stage]:<8}"),
            BarColumn(),
            TextColumn("{task.completed:.0f}/{task.total:.0f}"),
            TextColumn("{task.fields[divergences]} divergences"),
            TimeRemainingColumn(),
            console=console,
        )
        self._tasks: list[TaskID] = [
            self._display.add_task("", total=self._total, chain=i + 1, stage="start", divergences=0)
            for i in range(sampler.chains)
        ]

    def advance(self, chain: int, steps: int, divergences: int) -> None:
        """Take note of `steps` more steps of a chain, `divergences` of them divergent."""
        with self._lock:
            self._done[chain] += steps
            self._divergences[chain] += divergences
            self._display.update(
                self._tasks[chain],
                advance=steps,
                stage="warm-up" if self._done[chain] <= self._warmup else "draws",
                divergences=self._divergences[chain],
            )


class ReplicateWatch(_Shown):
    """A terminal display of refits, done and failed; use as a context manager.

    Parameters
    ----------
    total, done : int
        Replicates in all, and how many of them an earlier run has left.
    console : Console
        Where to draw; silent if it is not a terminal.
    """

    def __init__(self, total: int, done: int, console: Console) -> None:
        self._failed = 0
        self._display = Progress(
            TextColumn("refits"),
            BarColumn(),
            TextColumn("{task.completed:.0f}/{task.total:.0f}"),
            TextColumn("{task.fields[failed]} failed"),
            TimeRemainingColumn(),
            console=console,
        )
        self._task = self._display.add_task("", total=total, completed=done, failed=0)

    def advance(self, replicate: Replicate) -> None:
        """Take note of one more replicate."""
        self._failed += bool(replicate.problem)
        self._display.update(self._task, advance=1, failed=self._failed)


class DrawWatch(_Shown):
    """A terminal display of posterior draws looked at; use as a context manager.

    Parameters
    ----------
    total : int
        How many there are.
    console : Console
        Where to draw; silent if it is not a terminal.
    """

    def __init__(self, total: int, console: Console) -> None:
        self._display = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.completed:.0f}"),
            TimeRemainingColumn(),
            console=console,
        )
        self._task = self._display.add_task("draws", total=total)

    def advance(self) -> None:
        """Take note of one more draw."""
        self._display.update(self._task, advance=1)

    def refit(self, fits: int) -> Callable[[], None]:
        """Show that many fits without a star; return who takes note of each."""
        task = self._display.add_task("fits without a star", total=fits)
        return lambda: self._display.update(task, advance=1)


class FitWatch(_Shown):
    """A terminal display of the fits of several models; use as a context manager.

    Parameters
    ----------
    console : Console
        Where to draw; silent if it is not a terminal.
    """

    def __init__(self, console: Console) -> None:
        self._display = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.completed:.0f}/{task.total:.0f} fits"),
            console=console,
        )

    def begin(self, model: str, fits: int) -> Callable[[], None]:
        """Show a model and its number of fits; return who takes note of each."""
        task = self._display.add_task(model, total=fits)
        return lambda: self._display.update(task, advance=1)
