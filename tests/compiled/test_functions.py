"""Functions that a second process neither traces nor compiles, and what keeps two apart."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mirical.compiled import files, functions, lapack, surroundings
from mirical.compiled.functions import prepare, stored
from mirical.inference.posterior import Reference
from mirical.model import quadratic_forms
from mirical.model.covariates import Covariates
from mirical.model.quadratic_forms import Form

# A matrix's Cholesky factor and its inverse, by LAPACK, side by side with random numbers.
SCRIPT = """
import json, sys
from mirical.inference.runtime import configure
configure()
import jax, numpy as np
from mirical.compiled import surroundings
from mirical.compiled.functions import prepare
surroundings._as_loaded = lambda: True  # right after an edit, too
from mirical.inference import posterior_predictive as checks
from mirical.model import quadratic_forms as forms
traced = []
def counted(module, name):
    function = getattr(module, name)
    def wrapper(*args, **kwargs):
        traced.append(name)
        return function(*args, **kwargs)
    setattr(module, name, wrapper)
counted(forms, "solve_triangular")
counted(checks, "row_distribution")
random = np.random.default_rng(1)
root = random.normal(size=(7, 7))
sites = {"expected": root[0], "sigma": abs(root[1]), "outlier_fraction": np.array(0.2),
         "outlier_width": np.array(0.5)}
found = []
for function, argument in (
    (forms._factor, ((root @ root.T, np.eye(7)),)),
    (checks._of_draw, ((np.array([3, 4], dtype=np.uint32), sites), root[2])),
):
    made = prepare(function, *argument)
    found += jax.tree.leaves(made.compile()(*argument))
    shapes = [one.shape for one in jax.tree.leaves(made.out_info)]
    assert shapes == [one.shape for one in found[-len(shapes):]]
print(json.dumps([traced, [np.asarray(one).tobytes().hex() for one in found]]))
"""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty store, and nothing loaded."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(functions, "_prepared", {})
    monkeypatch.setattr(surroundings, "_as_loaded", lambda: True)  # right after an edit, too
    return tmp_path / "cache" / "mirical" / "functions"


@pytest.fixture
def traced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Grows by one name for each time that `factor` is traced."""
    names: list[str] = []
    function = quadratic_forms.solve_triangular

    def counted(*given: Any, **settings: Any) -> Any:
        names.append("traced")
        return function(*given, **settings)

    monkeypatch.setattr(quadratic_forms, "solve_triangular", counted)
    return names


def factor(size: int = 3) -> np.ndarray:
    """Return the inverse Cholesky factor of four times a unit matrix, by way of the store."""
    pair = 4 * np.eye(size), np.eye(size)
    functions._prepared.clear()  # as another process begins
    return np.asarray(stored(quadratic_forms._factor, pair)(pair)[1])


def entries(cache: Path) -> list[Path]:
    """Return the two files of the store, that of the code behind."""
    return sorted(cache.iterdir(), key=lambda path: path.stat().st_size)


def key(function: Callable[..., Any], *arguments: Any) -> str | None:
    leaves, place = jax.tree.flatten(arguments)
    return functions._key(function, place, [functions.kind_of(leaf) for leaf in leaves])


def test_a_second_process_traces_nothing_and_finds_the_same_bits(cache: Path):
    def run() -> tuple[list[str], list[str]]:
        done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, check=True)
        return json.loads(done.stdout)

    (first, numbers), (second, again) = run(), run()
    assert set(first) == {"solve_triangular", "row_distribution"}
    assert second == [] and again == numbers and len(numbers) == 6
    assert len(list(cache.iterdir())) == 4
    assert {path.stat().st_mode & 0o077 for path in (cache, *cache.iterdir())} == {0}


def test_one_process_traces_a_function_once(traced: list[str]):
    pair = np.eye(3), np.eye(3)
    for _ in range(2):
        stored(quadratic_forms._factor, pair)
    assert len(traced) == 1


@pytest.mark.parametrize("of", [0, 1])
@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.write_bytes(path.read_bytes()[:-9]),
        lambda path: path.write_bytes(b"another program's"),
        lambda path: path.write_bytes(path.read_bytes()[:-1] + b"x"),
        lambda path: path.write_bytes(b""),
        lambda path: path.unlink(),
        lambda path: path.chmod(0o666),  # anybody could have put code into it
        lambda path: path.parent.chmod(0o777),
        lambda path: (path.rename(path.parent / "other"), path.symlink_to("other")),
        lambda path: path.with_suffix(".trial").touch(),  # a process that ran it did not live on
    ],
)
def test_a_file_that_is_not_sound_is_not_loaded(
    cache: Path, traced: list[str], of: int, spoil: Callable[[Path], object]
):
    factor()
    factor()
    assert len(traced) == 1
    spoil(entries(cache)[of])
    np.testing.assert_allclose(factor(), np.eye(3) / 2)
    assert len(traced) == 2


@pytest.mark.parametrize("of", [0, 1])
def test_what_cannot_be_loaded_is_compiled_anew(cache: Path, traced: list[str], of: int):
    factor()
    path = entries(cache)[of]
    files.write(path.stem, b"no code")
    for _ in range(2):
        np.testing.assert_allclose(factor(), np.eye(3) / 2)
    assert len(traced) == 2 and len(entries(cache)) == 2


def test_another_version_of_the_sources_uses_code_of_the_same_operations(
    cache: Path, traced: list[str], monkeypatch: pytest.MonkeyPatch
):
    factor()
    code = entries(cache)[1]
    monkeypatch.setattr(functions, "source_hash", lambda: "another")
    before = code.stat().st_mtime_ns, code.stat().st_ino
    np.testing.assert_allclose(factor(), np.eye(3) / 2)
    assert len(traced) == 2 and len(list(cache.iterdir())) == 3
    assert code.stat().st_ino == before[1] and code.stat().st_mtime_ns > before[0]  # read


def test_a_store_that_cannot_be_written_does_no_harm(cache: Path, traced: list[str]):
    cache.parent.parent.mkdir()
    cache.parent.write_text("a file where the folder would be")
    np.testing.assert_allclose(factor(), np.eye(3) / 2)
    np.testing.assert_allclose(factor(), np.eye(3) / 2)
    assert len(traced) == 2


def test_code_of_the_same_operations_on_another_argument_is_not_shared(
    cache: Path, monkeypatch: pytest.MonkeyPatch
):
    function = ours(monkeypatch)
    for name in ("first", "second"):
        monkeypatch.setattr(sys.modules[__name__], "WHICH", name)
        monkeypatch.setattr(functions, "source_hash", lambda name=name: name)
        pick = stored(partial(function, given=None), {"first": 1.0, "second": 2.0})
        assert pick({"first": 1.0, "second": 2.0})[0] == {"first": 1.0, "second": 2.0}[name]


def test_an_entry_is_whole_and_under_its_own_key(cache: Path):
    files.write("a", b"content")
    path = cache / "a.function"
    assert files.read("a") == b"content"
    path.rename(cache / "b.function")
    assert files.read("b") is None
    (cache / "b.function").rename(path)
    path.write_bytes(path.read_bytes().replace(b"content", b"contend"))
    assert files.read("a") is None


def test_what_was_used_longest_ago_makes_room(cache: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(files, "LARGEST", 250)
    for name, used in (("a", 3.0), ("b", 1.0), ("c", 2.0)):
        files.write(name, bytes(40))
        files.os.utime(cache / f"{name}.function", (used, used))
    assert files.read("b") == bytes(40)  # used last
    files.write("d", bytes(10))
    assert {path.stem for path in cache.iterdir()} == {"a", "b", "d"}


WHICH: str | None = None


def over(values: Any, *, given: Any) -> Any:
    """Stand for a function that closes over something."""
    return (values if WHICH is None else values[WHICH]), given


AS_LOADED = surroundings._as_loaded
FACTOR: Any = quadratic_forms._factor
BASE = Reference(59760.0, 59720.0), {"a": np.arange(3.0)}
LONG = np.arange(5000.0)
SEEN = Covariates(np.ones(2), np.ones(2), np.zeros(2, dtype=np.int32))


@pytest.mark.parametrize(
    "other",
    [
        (Reference(59760.0, 59721.0), {"a": np.arange(3.0)}),
        ((59760.0, 59720.0), {"a": np.arange(3.0)}),
        (Reference(59760.0, 59720.0), {"a": np.array([0.0, 1.0, np.nextafter(2.0, 3)])}),
        (Reference(59760.0, 59720.0), {"a": np.arange(3.0, dtype=np.float32)}),
        (Reference(59760.0, 59720.0), {"a": np.arange(3.0)[:, None]}),
        (Reference(59760.0, 59720.0), {"b": np.arange(3.0)}),
        [Reference(59760.0, 59720.0), {"a": np.arange(3.0)}],
    ],
)
def test_other_content_has_another_key(other: Any, monkeypatch: pytest.MonkeyPatch):
    function = ours(monkeypatch)
    known = key(partial(function, given=BASE), np.ones(2))
    assert known is not None
    assert key(partial(function, given=(BASE[0], {"a": np.arange(3.0)})), np.ones(2)) == known
    assert key(partial(function, given=other), np.ones(2)) not in (known, None)


def test_long_arrays_are_told_apart_by_all_their_numbers(monkeypatch: pytest.MonkeyPatch):
    function = ours(monkeypatch)
    changed = np.where(np.arange(5000) == 2500, -1.0, LONG)
    one, other = (key(partial(function, given=of), np.ones(2)) for of in (LONG, changed))
    assert None not in (one, other) and one != other


@pytest.mark.parametrize(
    "other",
    [
        replace(SEEN, reductions=("1.13",)),
        replace(SEEN, knots=(59700.0,)),
        replace(SEEN, steps=(59700.0,)),
        replace(SEEN, log_rate=np.ones(3)),
        replace(SEEN, log_rate=np.ones(2, dtype=np.float32)),
        replace(SEEN, log_rate=jnp.ones(2) * 1.0, log_well=1.0),
        (SEEN,),
        Form(jnp.ones(2), jnp.ones(2)),
    ],
)
def test_other_arguments_have_another_key(other: Any):
    function = quadratic_forms._factor
    known = key(function, SEEN)
    assert key(function, replace(SEEN, log_well=np.zeros(2))) == known
    assert key(function, other) not in (known, None)


@pytest.mark.parametrize(
    "change",
    [
        lambda patch: patch.setattr(functions, "source_hash", lambda: "another"),
        lambda patch: patch.setattr(surroundings, "version", lambda package: "another"),
        lambda patch: patch.setattr(surroundings, "_processor", lambda: ["another"]),
        lambda patch: patch.setattr(surroundings, "cores", lambda: 99),
        lambda patch: patch.setattr(surroundings.sys, "version", "another"),
        lambda patch: patch.setenv("XLA_FLAGS", "--another"),
        lambda patch: jax.enable_x64(False).__enter__(),
    ],
)
def test_other_surroundings_have_another_key(
    change: Callable[[pytest.MonkeyPatch], object], monkeypatch: pytest.MonkeyPatch
):
    known = key(quadratic_forms._factor, SEEN)
    surroundings._lasting.cache_clear()
    try:
        change(monkeypatch)
        other = key(quadratic_forms._factor, SEEN)
    finally:
        surroundings._lasting.cache_clear()
        jax.enable_x64(True).__enter__()
    assert known is not None and other not in (known, None)


@pytest.mark.parametrize(
    "function",
    [
        lambda values: values,
        partial(over, given=1.0),  # of a test, not of this program
        partial(FACTOR, object()),
        partial(FACTOR, np.array([object()])),
        partial(FACTOR, [lambda: 1]),
        partial(FACTOR, jnp.ones(2)),
        np.linalg.inv,
    ],
)
def test_what_is_not_known_for_certain_has_no_key(function: Any):
    assert key(quadratic_forms._factor, SEEN) is not None
    assert key(function, SEEN) is None


def test_a_function_in_the_place_of_another_has_no_key(monkeypatch: pytest.MonkeyPatch):
    known = quadratic_forms._factor
    monkeypatch.setattr(quadratic_forms, "_factor", lambda pair: pair)
    assert key(known, SEEN) is None and key(quadratic_forms._factor, SEEN) is None


def test_sources_changed_since_the_process_began_are_of_no_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(surroundings, "_sources", lambda: [Path(sys.executable)])
    assert AS_LOADED()
    (tmp_path / "changed.py").touch()
    monkeypatch.setattr(surroundings, "_sources", lambda: [tmp_path / "changed.py"])
    assert not AS_LOADED()
    monkeypatch.setattr(surroundings, "_as_loaded", AS_LOADED)
    assert key(quadratic_forms._factor, SEEN) is None


def test_a_function_that_is_not_stored_is_compiled_all_the_same(cache: Path):
    offset = 2.0
    add = stored(lambda values, other: {"sum": values + other["x"] + offset}, np.ones(2), {"x": 1})
    np.testing.assert_array_equal(add(np.ones(2), {"x": 3})["sum"], [6.0, 6.0])
    assert not cache.exists()
    with pytest.raises(TypeError, match="compiled for arguments"):
        add(np.ones(2), {"y": 3})


def test_a_function_that_calls_python_is_not_stored(cache: Path, monkeypatch: pytest.MonkeyPatch):
    def asking(root: Any, unit: Any, **settings: Any) -> Any:
        return jax.pure_callback(np.asarray, jax.ShapeDtypeStruct(unit.shape, float), unit)

    monkeypatch.setattr(quadratic_forms, "solve_triangular", asking)
    np.testing.assert_array_equal(factor(), np.eye(3))
    assert not cache.exists()


def test_random_keys_go_in_and_out(traced: list[str], monkeypatch: pytest.MonkeyPatch):
    function = ours(monkeypatch)
    keys = jax.random.split(jax.random.key(1), 3)
    for _ in range(2):
        functions._prepared.clear()
        made = prepare(partial(function, given=None), keys)
        assert made.out_info[0].dtype == keys.dtype and made.out_info[0].shape == (3,)
        found, nothing = made.compile()(keys)
        assert nothing is None and found.dtype == keys.dtype
        np.testing.assert_array_equal(jax.random.key_data(found), jax.random.key_data(keys))


@pytest.mark.parametrize("call", ["custom_call @lapack_dpotri_ffi(%0)", '"custom_call"(%0)'])
def test_what_calls_an_unknown_routine_is_not_stored(call: str):
    text = "stablehlo.custom_call @lapack_dpotrf_ffi(%0) "
    assert lapack.routines(text) == ["lapack_dpotrf_ffi"]
    assert lapack.routines(text + call) is None


@pytest.mark.parametrize("routine", lapack._LOWERED_BY)
def test_what_is_lowered_to_have_a_routine_calls_it(routine: str):
    operation, number = lapack._LOWERED_BY[routine]
    lowered = jax.jit(operation).lower(*[jax.ShapeDtypeStruct((1, 1), float)] * number)
    assert lapack.routines(lowered.as_text()) == [routine]


def ours(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Return `over` as a function of this program."""
    monkeypatch.setattr(over, "__module__", quadratic_forms.__name__)
    monkeypatch.setattr(quadratic_forms, "over", over, raising=False)
    return over
