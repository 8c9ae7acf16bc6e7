"""The documentation names only what exists: links, commands and options, modules, flags."""

from __future__ import annotations

import argparse
import ast
import re
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

from mirical import cli
from mirical.calibration.basis import BORROWED, DATA, DEFINED, NO_DATA, NOT_JUDGED, PARTLY, PRIOR
from mirical.cards.card import TERMS
from mirical.checking.verdict import QUESTIONS
from mirical.commands.exporting import EXPORTS
from mirical.figures.kinds import KINDS
from mirical.laws.timelaw import LAWS
from mirical.tables.flags import FLAGS

ROOT = Path(__file__).parents[1]
MADE = ROOT / "docs" / "made"  # by the build of the site, of the code
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted(path for path in (ROOT / "docs").rglob("*.md") if path.parent != MADE),
]

_INDEX = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_BLOCK = re.compile(r"^```\w*\n(.*?)^```", re.MULTILINE | re.DOTALL)
_IN_BLOCK = re.compile(r"^(?:\$ )?mirical ([a-z]+)(.*)", re.MULTILINE)
_IN_LINE = re.compile(r"`mirical ([a-z]+)([^`]*)`")
_IMPORT = re.compile(r"^from (mirical[\w.]*) import (\w+)$", re.MULTILINE)
_PATH = re.compile(r"(?<![\w./-])((?:src|tests|models|inference|benchmarks|reports|docs)/[\w./-]*)")
_MODULE = re.compile(r"\bmirical(?:\.[a-z_]+)+")
_WRITTEN = ("reports/JOB", "reports/table5", "reports/sbc")
"""What commands write, which a fresh clone may lack."""

pages = pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])


def headings(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as they are linked."""
    found = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", line.lower()).replace(" ", "-") for line in found}


def parsers() -> dict[str, argparse.ArgumentParser]:
    """Return the parser of every command."""
    actions = cli._parser()._actions
    return next(
        dict(action.choices) for action in actions if isinstance(action, argparse._SubParsersAction)
    )


def broken_links(page: Path, text: str) -> list[str]:
    """Return the relative links of a text that lead nowhere."""
    broken = []
    for link in _LINK.findall(text):
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        if target.parent == MADE and f"made/{target.stem}\n" in _INDEX:
            continue
        if not target.exists() or (anchor and anchor not in headings(target)):
            broken.append(link)
    return broken


def options_of(parser: argparse.ArgumentParser) -> set[str]:
    """Return the options of a command, and of its actions."""
    found = set(parser._option_string_actions)
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            found.update(*map(options_of, action.choices.values()))
    return found


def unknown_commands(text: str) -> list[str]:
    """Return commands that do not exist, and options that their command has not."""
    known, unknown = parsers(), []
    found = [one for block in _BLOCK.findall(text) for one in _IN_BLOCK.findall(block)]
    for command, rest in [*found, *_IN_LINE.findall(_BLOCK.sub("", text))]:
        if command not in known:
            unknown.append(command)
            continue
        options = options_of(known[command])
        given = re.findall(r"(?<![\w-])--[a-z-]+", rest.partition("#")[0])
        unknown += [f"{command} {option}" for option in given if option not in options]
    return unknown


def missing_places(text: str) -> list[str]:
    """Return paths of the repository and modules that do not exist."""
    paths = [path.rstrip("./") for path in _PATH.findall(text)]
    lost = [p for p in paths if not (ROOT / p).exists() and not p.startswith(_WRITTEN)]
    return lost + [name for name in _MODULE.findall(text) if not exists(name)]


def exists(name: str) -> bool:
    """Return whether a dotted name is a module."""
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:
        return False


@pages
def test_every_relative_link_leads_somewhere(page: Path):
    assert broken_links(page, page.read_text(encoding="utf-8")) == []


@pages
def test_every_command_and_option_exists(page: Path):
    assert unknown_commands(page.read_text(encoding="utf-8")) == []


@pages
def test_every_path_and_module_exists(page: Path):
    assert missing_places(page.read_text(encoding="utf-8")) == []


@pages
def test_every_import_works(page: Path):
    for module, name in _IMPORT.findall(page.read_text(encoding="utf-8")):
        assert hasattr(import_module(module), name)


def test_the_checks_find_what_is_wrong():
    page = ROOT / "README.md"
    text = "[a](docs/none.md) [b](docs/tables.md#none) [c](docs/tables.md#flags) [d](https://x.y)"
    assert broken_links(page, text) == ["docs/none.md", "docs/tables.md#none"]
    block = "```\n$ mirical run --speed 3 --seed 1\nmirical factors X --at G\n```"
    text = f"`mirical fly`: mirical flies\n{block}"
    assert unknown_commands(text) == ["run --speed", "fly"]
    text = "`src/mirical/none.py`, `mirical.none.py`, `src/mirical/stars.py`, `mirical.stars`"
    assert missing_places(text) == ["src/mirical/none.py", "mirical.none.py"]


@pytest.mark.parametrize(
    ("page", "names"),
    [
        ("README.md", [f"mirical {name}" for name in parsers()]),
        ("tables.md", [name for name in FLAGS if name]),
        ("model.md", [*TERMS, *LAWS, *(card.stem for card in (ROOT / "models").glob("*.toml"))]),
        ("results.md", [DATA, PARTLY, PRIOR, BORROWED, NO_DATA, DEFINED, NOT_JUDGED]),
        ("using.md", list(EXPORTS)),
        ("python.md", list(KINDS)),
        ("checks.md", list(QUESTIONS)),
    ],
)
def test_a_page_lists_all_there_is(page: str, names: list[str]):
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    assert [name for name in names if f"`{name}`" not in text] == []


def test_the_readme_lists_every_package_and_contributing_every_floor():
    readme, rules = (
        (ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "CONTRIBUTING.md")
    )
    held = {path.parent.name for path in (ROOT / "src" / "mirical").glob("*/__init__.py")}
    assert {name for name in held if f"`{name}/`" not in readme} == set()
    tree = ast.parse((ROOT / "tests" / "test_layers.py").read_text(encoding="utf-8"))
    floors = next(
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "FLOORS"
    )
    stated = {
        int(number): set(re.findall(r"`(\w+)`", packages))
        for number, packages in re.findall(r"^\| (\d+) \| (.*) \|$", rules, re.MULTILINE)
    }
    # The lowest floor and what is above all have no package: their modules stand beside them.
    above = {i: set(names) for i, names in enumerate(floors, 1) if i > 1 and names != ("",)}
    assert {number: names for number, names in stated.items() if number > 1} == above


_SENTENCE = re.compile(r"^\| `([^`]+)` \|", re.MULTILINE)


def sentences_of_the_code() -> list[str]:
    """Return every text of the source, with `...` for what is filled in."""
    texts = []
    for path in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = [
                    part.value if isinstance(part, ast.Constant) else "..." for part in node.values
                ]
                texts.append("".join(map(str, parts)))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.append(node.value)
    return texts


def unknown_sentences(text: str, known: list[str]) -> list[str]:
    """Return the messages of a page that no text of the source has, piece by piece in order."""
    return [
        message
        for message in _SENTENCE.findall(text)
        if not any(
            re.search(".*".join(map(re.escape, message.split("..."))), one, re.DOTALL)
            for one in known
        )
    ]


def test_every_error_message_of_the_page_is_one_of_the_code():
    page = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    known = sentences_of_the_code()
    assert len(_SENTENCE.findall(page)) > 30
    assert unknown_sentences(page, known) == []
    assert unknown_sentences("| `the table has no ... columns.` | |", known) == [
        "the table has no ... columns."
    ]


def test_the_site_lists_every_page():
    pages = {
        path.relative_to(ROOT / "docs").with_suffix("").as_posix()
        for path in PAGES
        if path.is_relative_to(ROOT / "docs")
    }
    listed = set(re.findall(r"^[a-z/-]+$", _INDEX, re.MULTILINE))
    assert pages - listed == {"README", "index"}
