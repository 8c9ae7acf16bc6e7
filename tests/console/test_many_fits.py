"""Results kept beside an output: a command whose folder was removed meanwhile says so."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import pytest

from mirical.console.many_fits import kept_beside
from mirical.console.shared import consoles
from mirical.errors import InputError
from mirical.many.result_files import unfinished
from mirical.many.running import How
from mirical.many.tasks import Recipe, Result, Task


@pytest.mark.parametrize("shard", [None, (1, 1)])
def test_a_folder_removed_while_its_command_runs_is_an_error(shard, tmp_path: Path, capsys):
    out = tmp_path / "rows.ecsv"

    def removing(item: int, _: threading.Event) -> Result:
        shutil.rmtree(unfinished(out))
        return {"item": item}

    def run() -> None:
        with kept_beside(out, How(1, shard), consoles()) as kept:
            kept.run([Task(Recipe({}, (), lambda: removing), 1)], lambda *_: None)

    with pytest.raises(InputError, match="was removed while the command ran, and its results are"):
        run()
    out.touch()
    if shard:  # a share whose output another command has written
        run()
        assert "the output has been written meanwhile" in capsys.readouterr().out
    assert not unfinished(out).exists()
