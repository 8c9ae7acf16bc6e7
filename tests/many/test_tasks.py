"""Hashes of tasks: another for every input that a result depends on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from miri_facts import MIRI
from mirical.cards.card import load_card
from mirical.inference.runtime import PACKAGES
from mirical.many import tasks
from mirical.many.tasks import Recipe, Task, content_hash, nothing


@dataclass(frozen=True)
class Record:
    one: object
    two: object


VALUES = [
    None, True, False, 0, 1, 1.0, -0.0, 0.0, float("nan"), "", "1", "None", [], [[]], {}, {"a": 1},
    {"b": 1}, ["a", 1], ["a1"], ["a", "1"], [1, [2, 3]], [[1, 2], 3], [1, 2, 3],
    np.zeros(2), np.zeros(3), np.zeros((2, 1)), np.zeros(2, int), np.array([0.0, -0.0]),
    Record(1, 2), Record(2, 1), Record([1], 2),
]  # fmt: skip


def test_no_two_values_have_the_same_hash():
    assert len({content_hash(value) for value in VALUES}) == len(VALUES)
    assert content_hash({"a": 1, "b": [2]}) == content_hash({"b": (2,), "a": 1})


def test_what_cannot_be_hashed_is_refused():
    with pytest.raises(TypeError, match="no hash is known of a function"):
        content_hash([1, nothing])


def test_a_task_has_another_hash_for_every_input(monkeypatch: pytest.MonkeyPatch):
    def key(item: object = 1, card: str = "hierarchical", packages=PACKAGES) -> str:
        return Task(Recipe({"card": load_card(card, "test", MIRI)}, packages, nothing), item).key  # type: ignore[arg-type]

    keys = [key(), key(2), key(card="pipeline"), key(packages=PACKAGES[1:])]
    assert key() == keys[0]
    monkeypatch.setattr(tasks, "__version__", "another")
    keys.append(key())
    monkeypatch.setattr(tasks, "source_hash", lambda: "another")
    keys.append(key())
    monkeypatch.setattr(tasks, "version", lambda package: "another")
    assert len({*keys, key()}) == 7
