"""Folders and files that commands write: whole, or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mirical.errors import InputError


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """Give a folder to write files into; they appear in `folder` once all are written.

    Files of the same names are replaced, others are left alone. If anything
    goes wrong meanwhile, nothing of it is seen in `folder`.

    Parameters
    ----------
    folder : Path
        Where the files shall end up; made if it does not exist.

    Raises
    ------
    InputError
        If the folder cannot be written.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as beside:
            yield Path(beside)
            folder.mkdir(exist_ok=True)
            for path in sorted(Path(beside).iterdir()):
                target = folder / path.name
                if target.is_dir():
                    shutil.rmtree(target)
                os.replace(path, target)
    except OSError as error:
        raise InputError(
            f"{folder}: cannot be written ({error.strerror}); choose another --out."
        ) from error


@contextmanager
def whole_file(path: Path, suffix: str = "") -> Iterator[Path]:
    """Give a path of the same name to write to; the file appears at `path` once it is whole.

    Parameters
    ----------
    path : Path
        Where the file shall end up; its folder is made if it does not exist.
    suffix : str, optional
        What its name must end with, where the format's readers go by it.

    Raises
    ------
    InputError
        If it cannot be written, or its name ends otherwise.
    """
    if not path.name.endswith(suffix):
        raise InputError(f"{path}: expected a file name that ends with {suffix}.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.stem}-") as beside:
            yield Path(beside) / path.name
            os.replace(Path(beside) / path.name, path)
    except OSError as error:
        raise InputError(
            f"{path}: cannot be written ({error.strerror}); choose another --out."
        ) from error
