"""What a command prints as one JSON document: tables in full precision, sentences, notes."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Sequence
from typing import Any

from rich.console import Console

_WIDE = 100_000  # columns, so that no sentence is broken


class JsonAnswer(Console):
    """A console that keeps what is printed instead of printing it.

    Attributes
    ----------
    tables : list of dict
        Title, record (about), columns (name, unit, description) and rows of every table.
    sentences : list of str
        All else.
    """

    def __init__(self) -> None:
        super().__init__(file=io.StringIO(), width=_WIDE, color_system=None, highlight=False)
        self.tables: list[dict[str, Any]] = []
        self.sentences: list[str] = []

    def print(self, *objects: Any, **how: Any) -> None:
        """Keep what would be printed as a sentence."""
        super().print(*objects, **how)
        text = self.file.getvalue().strip()  # type: ignore[attr-defined]
        self.file = io.StringIO()
        if text:
            self.sentences.append(text)

    def keep(self, title: str, heads: Sequence[str], lines: Sequence[Sequence[str]]) -> None:
        """Keep a table of which there are texts alone."""
        columns = [{"name": head, "unit": None, "description": None} for head in heads]
        rows = [dict(zip(heads, line, strict=True)) for line in lines]
        self.tables.append({"title": title, "columns": columns, "rows": rows})

    def keep_table(self, title: str, table: Any) -> None:
        """Keep an Astropy table as it is."""
        infos = [table[name].info for name in table.colnames]
        columns = [
            {
                "name": name,
                "unit": None if info.unit is None else str(info.unit),
                "description": info.description,
            }
            for name, info in zip(table.colnames, infos, strict=True)
        ]
        rows = [{name: plain(row[name]) for name in table.colnames} for row in table]
        about = {str(key): plain(value) for key, value in table.meta.items()}
        self.tables.append({"title": title, "about": about, "columns": columns, "rows": rows})

    def text(self, **about: object) -> str:
        """Return the document.

        Parameters
        ----------
        **about
            Entries before the tables, such as the command and its exit status.
        """
        said = [*(table["title"] for table in self.tables), *self.sentences]
        content = about | {
            "simulated": any("SIMULATED" in text for text in said),
            "tables": self.tables,
            "sentences": self.sentences,
        }
        return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def plain(value: Any) -> Any:
    """Return a table's entry as JSON has it: null for what is masked or no finite number."""
    value = getattr(value, "value", value)  # of a quantity
    if getattr(value, "shape", None) == () and bool(getattr(value, "mask", False)):
        return None
    value = getattr(value, "unmasked", value)
    value = value.tolist() if hasattr(value, "tolist") else value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return value if value is None or isinstance(value, bool | int | str) else str(value)
