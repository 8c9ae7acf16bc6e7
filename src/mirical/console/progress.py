"""Progress of long work: bars on a terminal, a plain line every few seconds on a pipe."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

from rich.console import Console, RenderableType
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from mirical.chains.stopping import FIRST
from mirical.jobs.sampler import Sampler
from mirical.validation.replicates import Replicate

_Step = TypeVar("_Step")

EVERY = 8.0
"""Seconds between two lines where there is no terminal: below the ten that are promised, for a
thread may have to wait for others."""


class _Shown:
    """What is on the terminal, or said line by line on a pipe, while its `with` block runs."""

    _display: Progress
    _teller: threading.Thread | None = None
    _at_first: dict[TaskID, float]

    def __enter__(self) -> Self:
        self._at_first = {task.id: task.completed for task in self._display.tasks}
        console = self._display.console
        if console.quiet:
            return self
        if console.is_terminal or console.is_jupyter:
            self._display.start()
            return self
        self._begun, self._over = time.monotonic(), threading.Event()
        self._teller = threading.Thread(target=self._tell, daemon=True)
        self._teller.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._teller is None:
            self._display.stop()
            return
        self._over.set()
        self._teller.join()

    def _tell(self) -> None:
        while not self._over.wait(EVERY):
            for line in self._lines():
                self._display.console.print(line, soft_wrap=True, markup=False)

    def _lines(self) -> list[str]:
        """Return a plain line a task that is not done; what is next where all are."""
        tasks = list(self._display.tasks)
        if not tasks:
            return [f"starting, {time.monotonic() - self._begun:.0f} s so far"]
        going = [self._line(task) for task in tasks if not task.finished]
        seconds = time.monotonic() - self._begun
        return going or [f"all steps are done; the results are being made, {seconds:.0f} s so far"]

    def _line(self, task: Task) -> str:
        return f"{task.description}: {self._progress_of(task)}"

    def _progress_of(self, task: Task, noun: str = "") -> str:
        total = f"{task.completed:.0f} of {task.total or 0:.0f}"
        return f"{total}{noun}{self._left(task)}"

    def _left(self, task: Task) -> str:
        """Return about how long a task has to go, or has taken without a step."""
        done = task.completed - self._at_first.get(task.id, 0)
        elapsed = task.elapsed or 0.0
        if done <= 0 or task.total is None:
            return f", {elapsed:.0f} s so far"
        return f", about {elapsed * (task.total - task.completed) / done:.0f} s left"


class _Chains(Progress):
    """Bars of chains, and below them what the last look found."""

    said = ""

    def get_renderables(self) -> Iterable[RenderableType]:
        """Return the bars and the sentence."""
        yield from super().get_renderables()
        if self.said:
            yield Text(self.said)


class ChainWatch(_Shown):
    """A terminal display of running chains; use as a context manager.

    Parameters
    ----------
    sampler : Sampler
        How many chains, warm-up steps and draws to expect.
    console : Console
        Where to draw, or to print lines if it is not a terminal.
    """

    def __init__(self, sampler: Sampler, console: Console) -> None:
        self._warmup = sampler.warmup
        draws = min(sampler.max_draws, FIRST) if sampler.draws is None else sampler.draws
        self._lock = threading.Lock()
        self._divergences = [0] * sampler.chains
        self._done = [0] * sampler.chains
        self._compiling = True
        self._display: _Chains = _Chains(
            TextColumn("chain {task.fields[chain]}"),
            TextColumn("{task.fields[stage]:<8}"),
            BarColumn(),
            TextColumn("{task.completed:.0f}/{task.total:.0f}"),
            TextColumn("{task.fields[divergences]} divergences"),
            TimeRemainingColumn(),
            console=console,
        )
        self._tasks: list[TaskID] = [
            self._display.add_task(
                "", total=self._warmup + draws, chain=i + 1, stage="compiles", divergences=0
            )
            for i in range(sampler.chains)
        ]

    def begin(self, steps: Sequence[int]) -> None:
        """Take note that the chains begin, or are warmed up again, after so many steps each."""
        with self._lock:
            for i, (task, done) in enumerate(zip(self._tasks, steps, strict=True)):
                self._done[i] = self._at_first[task] = done
                self._divergences[i] = 0
                self._compiling = False
                shown = self._display.tasks[i]
                total = max(shown.total or 0, done)
                fields: dict[str, Any] = shown.fields | {"divergences": 0, "stage": "warm-up"}
                self._display.reset(task, completed=done, total=total, **fields)

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

    def looked(self, steps: int, sentence: str) -> None:
        """Take note of the steps each chain will need in all, and of what a look has found."""
        with self._lock:
            self._display.said = sentence
            for task in self._tasks:
                self._display.update(task, total=steps)

    def _lines(self) -> list[str]:
        """Return a line a chain, and what the last look has found while they go on."""
        if self._compiling:
            return [f"the model is being compiled, {time.monotonic() - self._begun:.0f} s so far"]
        said = "" if self._display.finished else self._display.said
        return [*super()._lines(), *([said] if said else [])]

    def _line(self, task: Task) -> str:
        of = task.fields
        noun = f" steps, {of['divergences']} divergences"
        return f"chain {of['chain']}: {self._progress_of(task, noun)}"


class ReplicateWatch(_Shown):
    """A terminal display of refits, done and failed; use as a context manager.

    Parameters
    ----------
    total, done : int
        Replicates in all, and how many of them an earlier run has left.
    console : Console
        Where to draw, or to print lines if it is not a terminal.
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

    def _line(self, task: Task) -> str:
        return f"refits: {self._progress_of(task, f', {self._failed} failed')}"


class DrawWatch(_Shown):
    """A terminal display of posterior draws looked at; use as a context manager.

    Parameters
    ----------
    total : int
        How many there are.
    console : Console
        Where to draw, or to print lines if it is not a terminal.
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

    def advance(self, draws: int) -> None:
        """Take note of so many more draws."""
        self._display.update(self._task, advance=draws)

    def refit(self, fits: int) -> Callable[[], None]:
        """Show that many fits without a star; return who takes note of each."""
        task = self._display.add_task("fits without a star", total=fits)
        return lambda: self._display.update(task, advance=1)


class FitWatch(_Shown):
    """A terminal display of the fits of several models; use as a context manager.

    Parameters
    ----------
    console : Console
        Where to draw, or to print lines if it is not a terminal.
    """

    def __init__(self, console: Console) -> None:
        self._display = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.completed:.0f}/{task.total:.0f} fits"),
            TimeRemainingColumn(),
            console=console,
        )

    def begin(self, model: str, fits: int) -> Callable[[], None]:
        """Show a model and its number of fits; return who takes note of each."""
        task = self._display.add_task(model, total=fits)
        return lambda: self._display.update(task, advance=1)

    def _lines(self) -> list[str]:
        return super()._lines()[:1]  # of the model that is being fitted


class CountWatch(_Shown):
    """A terminal display of work of a known number of steps; use as a context manager.

    Parameters
    ----------
    what : str
        What the steps are.
    total : int
        How many will come.
    console : Console
        Where to draw, or to print lines if it is not a terminal.
    """

    def __init__(self, what: str, total: int, console: Console) -> None:
        self._display = Progress(console=console, transient=True)
        self._task = self._display.add_task(what, total=total)

    def advance(self) -> None:
        """Take note of one more step."""
        self._display.update(self._task, advance=1)


class StageWatch(_Shown):
    """A terminal display of work in stages, each of a known number of steps; a context manager.

    Parameters
    ----------
    console : Console
        Where to draw, or to print lines if it is not a terminal.
    """

    def __init__(self, console: Console) -> None:
        self._display = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.completed:.0f}/{task.total:.0f}"),
            TimeRemainingColumn(),
            console=console,
        )

    def begin(self, stage: str, steps: int) -> Callable[[int], None]:
        """Show a stage; return who takes note of so many more of its steps."""
        task = self._display.add_task(stage, total=steps)
        return lambda done: self._display.update(task, advance=done)

    def _lines(self) -> list[str]:
        return super()._lines()[-1:]  # of the stage that is under way


class WorkWatch(_Shown):
    """A spinner, or plain lines, that say what is going on where steps cannot be counted.

    Parameters
    ----------
    what : str
        What is done meanwhile.
    console : Console
        Where to draw, or to print lines if it is not a terminal.
    """

    def __init__(self, what: str, console: Console) -> None:
        self._display = Progress(
            SpinnerColumn("line"),
            TextColumn("{task.description}", markup=False),
            console=console,
            transient=True,
        )
        self._task = self._display.add_task(what, total=None)

    def turn_to(self, what: str) -> None:
        """Say from now on that something else is done."""
        self._display.update(self._task, description=what)

    def _line(self, task: Task) -> str:
        return f"{task.description}, {time.monotonic() - self._begun:.0f} s so far"


def watched(steps: Iterable[_Step], what: str, total: int, console: Console) -> Iterator[_Step]:
    """Yield the steps of some work, its progress shown on a terminal or said on a pipe.

    Parameters
    ----------
    steps : iterable
        Each is yielded when it is done.
    what : str
        What they are.
    total : int
        How many will come.
    console : Console
        Where to draw, or to print lines if it is not a terminal.
    """
    with CountWatch(what, total, console) as watch:
        for step in steps:
            watch.advance()
            yield step
