"""The floors of the house: imports point down, no circles, and no package outgrows its room."""

from __future__ import annotations

import ast
import subprocess
import sys
import time
from collections import Counter
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import mirical

FLOORS = (
    ("vocabulary",),
    ("storage",),
    ("instruments", "table_files"),
    ("many",),
    ("compiled", "laws"),
    ("cards", "plotting", "tables"),
    ("catalogues", "imaging", "model"),
    ("jobs", "moves"),
    ("inference", "simulation"),
    ("chains", "weighting"),
    ("calibration", "fast"),
    ("pages", "staged"),
    ("exports", "reporting"),
    ("audits", "checking", "monitoring", "planning", "updating"),
    ("rivals", "validation"),
    ("console", "figures"),
    ("api",),
    ("commands",),
    ("cli",),
    ("",),
)
"""Packages, lowest first; those of one floor do not import each other. The modules beside the
packages are the vocabulary, but for the command line and, above all, what ``import mirical`` and
``python -m mirical`` offer."""

ROOM = 17
"""Modules a package may hold."""

PACKAGE = Path(mirical.__file__).parent


def package(module: str) -> str:
    """Return the package of ``mirical.x.y``, ``x``; the modules beside the packages have one."""
    part = module.removeprefix("mirical").removeprefix(".").split(".")[0]
    if part in ("", "__main__"):
        return ""
    return part if part == "cli" or (PACKAGE / part).is_dir() else "vocabulary"


def floor(module: str) -> int:
    """Return the number of the floor a module stands on."""
    return next(i for i, packages in enumerate(FLOORS) if package(module) in packages)


def imports(source: str) -> list[str]:
    """Return every mirical module a source text imports, wherever in it the import stands."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide the layer"
            # `from mirical.reporting import curves` imports the module of that name.
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            found += [name if is_module(name) else str(node.module) for name in names]
    return [name for name in found if name.split(".")[0] == "mirical"]


def is_module(name: str) -> bool:
    path = PACKAGE.joinpath(*name.split(".")[1:])
    return name.startswith("mirical.") and (path.is_dir() or is_file(name))


def is_file(module: str) -> bool:
    """Return whether a module is a file, not a package."""
    return PACKAGE.joinpath(*module.split(".")[1:]).with_suffix(".py").is_file()


def upward(module: str, source: str) -> list[str]:
    """Return the imports of a module that do not point to a floor below, or its own package."""
    return [
        name
        for name in imports(source)
        if package(name) != package(module) and floor(name) >= floor(module)
    ]


def modules() -> dict[str, str]:
    """Return the source of every module of the package by name."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        name = ".".join(("mirical", *(part for part in parts if part != "__init__")))
        found[name] = path.read_text(encoding="utf-8")
    return found


@pytest.mark.parametrize("module", modules())
def test_imports_point_down(module: str):
    assert upward(module, modules()[module]) == []


@pytest.mark.parametrize(
    ("module", "source", "wrong"),
    [
        ("mirical.stars", "import mirical.tables.photometry", ["mirical.tables.photometry"]),
        ("mirical.errors", "from mirical import cli", ["mirical.cli"]),
        ("mirical.tables.photometry", "from mirical.cards import card", ["mirical.cards.card"]),
        (
            "mirical.tables.photometry",
            "from mirical.plotting import canvas",
            ["mirical.plotting.canvas"],
        ),
        (
            "mirical.cards.card",
            "def f():\n    from mirical.jobs.job import Job",
            ["mirical.jobs.job"],
        ),
        (
            "mirical.jobs.job",
            "if TYPE_CHECKING:\n    from mirical.reporting.run import Run",
            ["mirical.reporting.run"],
        ),
        ("mirical.reporting.run", "import numpy, mirical.cli as c", ["mirical.cli"]),
        (
            "mirical.reporting.run",
            "from mirical.cards.card import Card\nfrom mirical.version import __version__",
            [],
        ),
        ("mirical.reporting.run", "from mirical.reporting.curves import band_curves", []),
        ("mirical.cli", "from mirical.reporting.run import run_job", []),
    ],
)
def test_the_check_finds_an_import_that_points_the_wrong_way(
    module: str, source: str, wrong: list[str]
):
    assert upward(module, source) == wrong


def test_every_package_has_its_floor_and_its_room():
    files = [name for name in modules() if is_file(name)]
    held = Counter(package(module) for module in files)
    assert set(held) == {name for packages in FLOORS for name in packages}
    assert {name: n for name, n in held.items() if n > ROOM} == {}


def order(sources: dict[str, str]) -> list[str]:
    """Return modules so that each comes after those it imports; CycleError where none exists."""
    return list(TopologicalSorter({m: imports(s) for m, s in sources.items()}).static_order())


def test_no_module_imports_itself_by_way_of_others():
    assert set(order(modules())) == set(modules())


def test_the_check_finds_a_circle():
    with pytest.raises(CycleError):
        order({"mirical.text": "import mirical.stars", "mirical.stars": "import mirical.text"})


def test_help_answers_within_a_second_and_without_jax():
    code = (
        "import sys\n"
        "from mirical.cli import main\n"
        "try:\n"
        "    main(['--help'])\n"
        "except SystemExit as end:\n"
        "    heavy = {'jax', 'numpyro', 'astropy', 'numpy', 'matplotlib'} & set(sys.modules)\n"
        "    print('HEAVY', sorted(heavy), 'STATUS', end.code)\n"
    )
    start = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    seconds = time.perf_counter() - start
    assert "HEAVY [] STATUS 0" in done.stdout
    assert "mirical" in done.stdout and done.stderr == ""
    assert seconds < 1.0
