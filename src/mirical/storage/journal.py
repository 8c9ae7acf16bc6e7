"""Journal of the moves that put outputs in place, from which those of a killed process go on."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mirical.errors import InputError
from mirical.storage.disk import sync

JOURNAL = "journal"
"""Its name in each hidden folder."""

_FORM = {
    "places": [str],
    "moves": [{"staged": str, "target": str, "inode": int}],
    "folders": [{"staged": str, "target": str, "former": [str], "new": [str]}],
}
"""Of a journal: a list has one form for all its entries."""


@dataclass(frozen=True)
class Move:
    """A file or folder that was made, and where it belongs.

    Attributes
    ----------
    staged, target : str
        Full paths; afterwards what stood at `target` is at `staged`.
    inode : int
        Of what was made, by which one sees whether the move was done.
    """

    staged: str
    target: str
    inode: int

    @property
    def done(self) -> bool:
        """Whether what was made has left the hidden folder."""
        return not os.path.lexists(self.staged) or os.lstat(self.staged).st_ino != self.inode


@dataclass(frozen=True)
class Folder:
    """A folder that was made, of which some things are brought back once it was put in its place.

    Attributes
    ----------
    staged, target : str
        Full paths.
    former : sequence of str
        Patterns of what earlier commands that left no list (`LIST`) wrote into it.
    new : sequence of str
        Names of what was made.
    """

    staged: str
    target: str
    former: Sequence[str] = ()
    new: Sequence[str] = ()


class Journal:
    """What is to be moved, in every hidden folder that takes part."""

    def __init__(self, places: list[Path], moves: list[Move], folders: list[Folder]) -> None:
        self.places, self.moves, self.folders = places, moves, folders

    def write(self) -> None:
        """Write it everywhere; it holds once it is in the first place."""
        told = {
            "places": [str(place) for place in self.places],
            "moves": [asdict(move) for move in self.moves],
            "folders": [asdict(folder) for folder in self.folders],
        }
        for place in reversed(self.places):
            part = place / f"{JOURNAL}.part"
            part.write_text(json.dumps(told), encoding="utf-8")
            sync(part)
            os.replace(part, place / JOURNAL)

    @classmethod
    def read(cls, place: Path) -> Journal | None:
        """Return the journal of a hidden folder; None if there is none.

        Raises
        ------
        InputError
            If it is damaged: it is written in one step, so no command left it so, and what was
            moved already is not known.
        """
        try:
            told = json.loads((place / JOURNAL).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (ValueError, RecursionError):  # no JSON, no UTF-8; ten thousand brackets
            told = {}
        if not (_has_form(told, _FORM) and told["places"]):
            raise InputError(
                f"{place}: its file {JOURNAL!r} is damaged, which says where the outputs of a "
                "command that was killed belong; move what you need out of it, remove this folder "
                "and give the command again."
            )
        return cls(
            [Path(one) for one in told["places"]],
            [Move(**one) for one in told["moves"]],
            [Folder(**one) for one in told["folders"]],
        )

    def withdraw(self) -> None:
        """Make it hold no more."""
        (self.places[0] / JOURNAL).unlink()


def _has_form(told: object, form: Any) -> bool:
    """Return whether what was read from JSON has a form."""
    if isinstance(form, list):
        return isinstance(told, list) and all(_has_form(one, form[0]) for one in told)
    if isinstance(form, dict):
        if not isinstance(told, dict) or told.keys() != form.keys():
            return False
        return all(_has_form(told[key], form[key]) for key in form)
    return isinstance(told, form)
