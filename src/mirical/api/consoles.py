"""Where functions of the public interface show their progress: notebooks by default."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


def progress_console(progress: bool | None) -> Console:
    """Return where progress and notes are shown.

    Parameters
    ----------
    progress : bool or None
        Whether to show them; None in notebooks alone. A notebook without ipywidgets, which its
        bars need, gets plain lines.
    """
    from rich.console import Console

    of_notebook = in_notebook()
    if not (of_notebook if progress is None else progress):
        return Console(quiet=True, force_jupyter=False)
    bars = of_notebook and find_spec("ipywidgets") is not None
    return Console(
        stderr=True, highlight=False, markup=False, emoji=False, force_jupyter=bars or False
    )


def in_notebook() -> bool:
    """Return whether this process is the kernel of a notebook."""
    shell = sys.modules.get("IPython")
    return shell is not None and type(shell.get_ipython()).__name__ == "ZMQInteractiveShell"
