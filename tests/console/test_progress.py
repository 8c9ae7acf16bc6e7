"""Progress on a pipe: plain lines, often enough, and none once the work is over."""

from __future__ import annotations

import io
import re
import time
from collections.abc import Callable

import pytest
from rich.console import Console

from mirical.console import progress
from mirical.console.progress import (
    ChainWatch,
    DrawWatch,
    FitWatch,
    ReplicateWatch,
    WorkWatch,
    watched,
)
from mirical.jobs.sampler import Sampler
from mirical.validation.replicates import Replicate

BARS = "━╸╺█▏\r\x1b"
SAMPLER = Sampler(chains=2, warmup=500, draws=1000)


@pytest.fixture
def pipe(monkeypatch: pytest.MonkeyPatch) -> Console:
    """A console on a pipe, which is told something every hundredth of a second."""
    monkeypatch.setattr(progress, "EVERY", 0.01)
    return Console(file=io.StringIO(), width=80)


def said(pipe: Console, wanted: str) -> bool:
    """Wait until a line is printed that matches wholly."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        text = pipe.file.getvalue()
        if any(re.fullmatch(wanted, line) for line in text.splitlines()):
            return not set(BARS) & set(text)
        time.sleep(0.01)
    return False


def test_it_is_told_at_least_every_ten_seconds():
    assert 0 < progress.EVERY < 10


def test_chains_are_told_of_by_steps_divergences_and_time_left(pipe: Console):
    with ChainWatch(SAMPLER, pipe) as watch:
        assert said(pipe, r"the model is being compiled, \d+ s so far")
        assert "chain" not in pipe.file.getvalue()
        watch.begin([0, 0])
        assert said(pipe, r"chain 1: 0 of 1500 steps, 0 divergences, \d+ s so far")
        watch.advance(1, 450, 3)
        assert said(pipe, r"chain 2: 450 of 1500 steps, 3 divergences, about \d+ s left")
        watch.advance(0, 1500, 0)
        watch.advance(1, 1050, 0)
        assert said(pipe, r"all steps are done; the results are being made, \d+ s so far")
    length = len(pipe.file.getvalue())
    time.sleep(0.05)
    assert len(pipe.file.getvalue()) == length


def draws(pipe: Console) -> None:
    with DrawWatch(200, pipe) as watch:
        watch.advance(1)
        watch.refit(3)()
        assert said(pipe, r"draws: 1 of 200, about \d+ s left")
        assert said(pipe, r"fits without a star: 1 of 3, about \d+ s left")


def fits(pipe: Console) -> None:
    with FitWatch(pipe) as watch:
        assert said(pipe, r"starting, \d+ s so far")
        watch.begin("[/] a model", 4)
        assert said(pipe, r"\[/\] a model: 0 of 4, \d+ s so far")


def replicates(pipe: Console) -> None:
    with ReplicateWatch(10, 4, pipe) as watch:
        assert said(pipe, r"refits: 4 of 10, 0 failed, \d+ s so far")
        watch.advance(Replicate(5, "it failed", 0, 0, None, None, {}))
        assert said(pipe, r"refits: 5 of 10, 1 failed, about \d+ s left")


def images(pipe: Console) -> None:
    for image in watched(iter("ab"), "images", 2, pipe):
        if image == "a":
            assert said(pipe, r"images: 1 of 2, about \d+ s left")


def writing(pipe: Console) -> None:
    with WorkWatch("the report is being written", pipe):
        assert said(pipe, r"the report is being written, \d+ s so far")


def several_works(pipe: Console) -> None:
    with WorkWatch("reading", pipe) as watch:
        assert said(pipe, r"reading, \d+ s so far")
        watch.turn_to("resampling")
        assert said(pipe, r"resampling, \d+ s so far")


@pytest.mark.parametrize("work", [draws, fits, replicates, images, writing, several_works])
def test_other_work_is_told_of(work: Callable[[Console], None], pipe: Console):
    work(pipe)


def test_chains_are_told_of_by_what_is_found_and_from_where_they_go_on(pipe: Console):
    found = "250 draws a chain: fewest effective draws 300 of 1000 wanted (A[F560W])"
    with ChainWatch(Sampler(chains=1, warmup=500), pipe) as watch:
        watch.begin([600])
        assert said(pipe, r"chain 1: 600 of 900 steps, 0 divergences, \d+ s so far")
        watch.advance(0, 300, 2)
        watch.looked(1500, found)
        assert said(pipe, r"chain 1: 900 of 1500 steps, 2 divergences, about \d+ s left")
        assert said(pipe, re.escape(found))
        watch.begin([0])  # warmed up again
        assert said(pipe, r"chain 1: 0 of 1500 steps, 0 divergences, \d+ s so far")
    console = Console(file=io.StringIO(), force_terminal=True, width=100)
    with ChainWatch(Sampler(chains=1, warmup=500), console) as watch:
        watch.begin([600])
        watch.looked(1500, found)
    assert "600/1500" in console.file.getvalue() and found in console.file.getvalue()


def test_a_terminal_has_bars_and_no_lines():
    console = Console(file=io.StringIO(), force_terminal=True, width=100)
    with ChainWatch(SAMPLER, console) as watch:
        watch.advance(0, 450, 0)
    assert "450/1500" in console.file.getvalue() and "steps" not in console.file.getvalue()


def test_a_terminal_is_shown_what_is_done():
    console = Console(file=io.StringIO(), force_terminal=True, width=100)
    with WorkWatch("reading", console) as watch:
        watch.turn_to("resampling")
    assert "resampling" in console.file.getvalue() and "so far" not in console.file.getvalue()
