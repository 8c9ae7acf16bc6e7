"""Store of finished fits of rival models, from which an interrupted command goes on."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from mirical.errors import InputError, reading
from mirical.model.cards import Card
from mirical.rivals.fits import ARRAYS, Predictions
from mirical.storage.files import whole_file
from mirical.version import __version__

Found = dict[float | None, Predictions]


class KeptRivals:
    """A folder with a file for every card that was fitted.

    Parameters
    ----------
    folder : Path
        Made if it does not exist.
    study : dict
        What all fits have in common: rows, seed, cuts, dates and settings. A file of another
        study, of another version or of a card that has changed is not used.
    """

    def __init__(self, folder: Path, study: dict[str, Any]) -> None:
        self._folder = folder
        self._study = study | {"mirical": __version__}

    def load(self, card: Card) -> Found | None:
        """Return what a card's fits have predicted, by cut date; None if they were not made."""
        path = self._path(card)
        try:
            # A file that cannot be read is made again.
            with reading(path.name, "NumPy"), path.open("rb") as kept, np.load(kept) as file:
                if str(file["study"]) != self._key(card):
                    return None
                cuts = [None if np.isnan(cut) else float(cut) for cut in file["cuts"]]
                return {
                    cut: Predictions(
                        *(file[f"{name}_{i}"] for name in ARRAYS),
                        problem=str(file[f"problem_{i}"]),
                    )
                    for i, cut in enumerate(cuts)
                }
        except InputError:
            return None

    def save(self, card: Card, found: Found) -> None:
        """Keep what a card's fits have predicted.

        Raises
        ------
        InputError
            If the folder cannot be written.
        """
        cuts = np.array([np.nan if cut is None else cut for cut in found])
        arrays: dict[str, Any] = {"study": np.array(self._key(card)), "cuts": cuts}
        for i, one in enumerate(found.values()):
            arrays |= {f"{name}_{i}": getattr(one, name) for name in ARRAYS}
            arrays[f"problem_{i}"] = np.array(one.problem)
        with whole_file(self._path(card)) as path, path.open("wb") as file:
            np.savez_compressed(file, **arrays)

    def _path(self, card: Card) -> Path:
        return self._folder / f"{card.name}.npz"

    def _key(self, card: Card) -> str:
        of_card = {"card": hashlib.sha256(card.text.encode()).hexdigest()}
        return json.dumps(self._study | of_card, sort_keys=True)
