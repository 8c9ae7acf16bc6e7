"""Imports point one way, from the vocabulary up to the command line: `LAYERS`, lowest first."""

from __future__ import annotations

import ast
import subprocess
import sys
import time
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import mirical

VOCABULARY = (
    "",
    "errors",
    "conventions",
    "bands",
    "stars",
    "shipped",
    "disk",
    "files",
    "interrupts",
    "staging",
    "zeropoints",
    "toml_files",
    "text",
    "workers",
    "fits_files",
)
LAYERS = (
    "vocabulary",
    "observations",
    "model",
    "inference",
    "products",
    "exports",
    "commands",
    "cli",
)
PACKAGE = Path(mirical.__file__).parent


def layer(module: str) -> str:
    """Return the layer of ``mirical.x.y``; the package itself belongs to the vocabulary."""
    part = module.removeprefix("mirical").removeprefix(".").split(".")[0]
    return "vocabulary" if part in VOCABULARY else part


def imports(source: str) -> list[str]:
    """Return every mirical module a source text imports, wherever in it the import stands."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide the layer"
            # `from mirical.products import curves` imports the module of that name.
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            found += [name if is_module(name) else str(node.module) for name in names]
    return [name for name in found if name.split(".")[0] == "mirical"]


def is_module(name: str) -> bool:
    path = PACKAGE.joinpath(*name.split(".")[1:])
    return name.startswith("mirical.") and (path.is_dir() or path.with_suffix(".py").is_file())


def upward(module: str, source: str) -> list[str]:
    """Return the imports of a module that point to a layer above its own."""
    own = LAYERS.index(layer(module))
    return [name for name in imports(source) if LAYERS.index(layer(name)) > own]


def modules() -> dict[str, str]:
    """Return the source of every module of the package by name."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        name = ".".join(("mirical", *(part for part in parts if part != "__init__")))
        found[name] = path.read_text(encoding="utf-8")
    return found


@pytest.mark.parametrize("module", modules())
def test_no_import_points_to_a_layer_above(module: str):
    assert upward(module, modules()[module]) == []


@pytest.mark.parametrize(
    ("module", "source", "wrong"),
    [
        ("mirical.bands", "import mirical.tables.photometry", ["mirical.tables.photometry"]),
        ("mirical.errors", "from mirical import cli", ["mirical.cli"]),
        ("mirical.tables.photometry", "from mirical.model import cards", ["mirical.model.cards"]),
        (
            "mirical.model.cards",
            "def f():\n    from mirical.inference.jobs import Job",
            ["mirical.inference.jobs"],
        ),
        (
            "mirical.inference.jobs",
            "if TYPE_CHECKING:\n    from mirical.reporting.runs import Run",
            ["mirical.reporting.runs"],
        ),
        ("mirical.reporting.runs", "import numpy, mirical.cli as c", ["mirical.cli"]),
        ("mirical.reporting.runs", "from mirical.model.cards import Card\nimport mirical", []),
        ("mirical.cli", "from mirical.reporting.runs import run_job", []),
    ],
)
def test_the_check_finds_an_import_that_points_the_wrong_way(
    module: str, source: str, wrong: list[str]
):
    assert upward(module, source) == wrong


def test_every_module_belongs_to_a_layer():
    assert {layer(module) for module in modules()} == set(LAYERS)


def order(sources: dict[str, str]) -> list[str]:
    """Return modules so that each comes after those it imports; CycleError where none exists."""
    return list(TopologicalSorter({m: imports(s) for m, s in sources.items()}).static_order())


def test_the_vocabulary_has_no_circle():
    vocabulary = {m: source for m, source in modules().items() if layer(m) == "vocabulary"}
    assert set(order(vocabulary)) == set(vocabulary)


def test_the_check_finds_a_circle():
    with pytest.raises(CycleError):
        order({"mirical.bands": "import mirical.stars", "mirical.stars": "import mirical.bands"})


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
