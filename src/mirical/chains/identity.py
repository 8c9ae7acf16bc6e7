"""Identity of a run's draws: hashes of everything that they depend on."""

from __future__ import annotations

import hashlib
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
import numpy as np

from mirical.cards.card import Card
from mirical.jobs.sampler import Sampler
from mirical.model.design import Design
from mirical.version import __version__

_MADE_BY = ("jax", "jaxlib", "numpyro", "numpy")
_SOURCES = ("cards", "chains", "inference", "laws", "model")
_SETTINGS = ("chains", "warmup", "seed", "target_accept", "density")


def identity(design: Design, card: Card, sampler: Sampler) -> dict[str, str]:
    """Return what the draws of a run depend on, by its name in a sentence.

    How many draws are wanted is left out: more of the same chains can be made.
    """
    settings = [getattr(sampler, name) for name in _SETTINGS]
    # Warm-up is repeated only where no number of draws is asked for.
    settings.append(sampler.draws is None)
    leaves, structure = jax.tree.flatten(design)
    return {
        "rows": _hash(structure, *leaves),
        "card": _hash(card.text),
        "sampler's settings": _hash(*settings),
        "version": _hash(__version__, *map(version, _MADE_BY), *_sources()),
    }


def _sources() -> list[str]:
    """Return the texts that define model and sampler: a version of its own to a developer."""
    package = Path(__file__).parents[1]
    paths = [path for name in _SOURCES for path in sorted((package / name).glob("*.py"))]
    return [path.read_text("utf-8") for path in paths]


def _hash(*values: Any) -> str:
    digest = hashlib.sha256()
    for value in values:
        array = isinstance(value, np.ndarray | jax.Array)
        content = np.asarray(value).tobytes() if array else str(value).encode()
        digest.update(f"{len(content)}\0".encode() + content)
    return digest.hexdigest()
