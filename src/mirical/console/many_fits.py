"""Options of commands that make many fits, and their results kept until the output is written."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from mirical.errors import InputError
from mirical.interrupts import Interrupted

if TYPE_CHECKING:
    from rich.console import Console

    from mirical.many.result_files import ResultFolder
    from mirical.many.running import How
    from mirical.many.tasks import Task, Then


def add_options(parser: argparse.ArgumentParser, unit: str) -> None:
    """Add how many `unit` are done at once, and where."""
    many = parser.add_argument_group("many at once")
    many.add_argument(
        "--workers", metavar="N", type=int, help=f"{unit} side by side here [one a core]"
    )
    where = many.add_mutually_exclusive_group()
    where.add_argument(
        "--shard",
        metavar="I/N",
        help="do the I-th of N shares and write nothing else; the command without it collects",
    )
    where.add_argument(
        "--scheduler", metavar="ADDRESS", help="a running Dask scheduler, whose workers do them"
    )


def how_of(options: argparse.Namespace) -> How:
    """Return how a command's tasks are run.

    Raises
    ------
    InputError
        If the options cannot be used.
    """
    from mirical.many.processes import cores
    from mirical.many.running import How, scheduler_of, shard_of

    workers = cores() if options.workers is None else options.workers
    if workers < 1:
        raise InputError(f"--workers {workers}; expected at least 1.")
    shard = None if options.shard is None else shard_of(options.shard)
    scheduler = None if options.scheduler is None else scheduler_of(options.scheduler)
    return How(workers, shard, scheduler)


class Kept:
    """Runs the tasks of a command with their results kept.

    Parameters
    ----------
    folder : ResultFolder
        Where.
    how : How
        How they are run.
    """

    def __init__(self, folder: ResultFolder, how: How) -> None:
        self._folder, self._how = folder, how
        self._tasks: list[Task] = []
        self._at_first = folder.keys()

    def run(self, tasks: Sequence[Task], then: Then) -> None:
        """Run tasks and tell of their results, as `mirical.many.running.run_tasks` does."""
        from mirical.many.running import run_tasks

        self._tasks += tasks
        run_tasks(tasks, self._how, self._folder, then)

    def end_share(self) -> None:
        """End the block here if this command does a share; to be called when all tasks are done.

        Raises
        ------
        ShareDone
            In that case.
        """
        from mirical.many.running import ShareDone

        if self._how.shard:
            raise ShareDone

    def done(self) -> tuple[int, int]:
        """Return how many of the tasks have results, and how many tasks there are."""
        return self._folder.count(self._tasks), len(self._tasks)

    def others(self) -> int:
        """Return how many results were there at first that are of no task."""
        return len(self._at_first - {task.key for task in self._tasks})


@contextmanager
def kept_beside(out: Path, how: How, consoled: tuple[Console, Console]) -> Iterator[Kept]:
    """Keep results beside an output until the block, which writes it, has ended.

    The block ends early, and in peace, where this command does a share.

    Parameters
    ----------
    out : Path
        The output.
    how : How
        How tasks are run.
    consoled : (Console, Console)
        Where to print what a share did, and cautions.

    Raises
    ------
    InputError
        If another command is about the same output.
    Interrupted
        On Ctrl-C, if there is something to go on from.
    """
    from mirical.many.result_files import Collected, ResultFolder, unfinished
    from mirical.many.running import ShareDone

    folder = ResultFolder(unfinished(out))
    with folder.held(collects=how.shard is None):
        kept = Kept(folder, how)
        share = f"share {'/'.join(map(str, how.shard or ()))}"
        try:
            yield kept
            if kept.others():
                said = f"note: {kept.others()} results of other inputs are not used"
                consoled[1].print(said, soft_wrap=True)
            folder.remove()
        except ShareDone:
            said = f"{share} is done; {_of(kept)} are in {folder.path}: the same command without "
            consoled[0].print(f"{said}--shard collects them", soft_wrap=True)
        except Collected as error:
            if how.shard is None or not out.exists():
                raise InputError(
                    f"{folder.path}: was removed while the command ran, and its results are lost; "
                    "give the same command again."
                ) from error
            said = f"{share}: the output has been written meanwhile, nothing is left to do"
            consoled[0].print(said, soft_wrap=True)
        except InputError as error:
            if not kept.done()[0]:
                raise
            raise InputError(f"{error} {_of(kept)} are kept in {folder.path}.") from error
        except KeyboardInterrupt as error:
            if not kept.done()[0]:
                raise
            raise Interrupted(
                f"interrupted; {_of(kept)} are kept in {folder.path}; the same command goes on"
            ) from error


def _of(kept: Kept) -> str:
    done, tasks = kept.done()
    return f"{done} of {tasks} results"
