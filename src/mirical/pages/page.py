"""A page: one file of HTML that carries all it needs, and asks nothing of a network."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

_ON_EVERY_PAGE = ("page.js",)


def page_of(template: str, content: dict[str, Any], scripts: Sequence[str] = ()) -> str:
    """Return a page: a template of this package with its content, every text escaped.

    Parameters
    ----------
    template : str
        File of the package's templates.
    content : dict
        What the template names.
    scripts : sequence of str, optional
        Files of the templates that the page runs beside those of every page.
    """
    environment = Environment(
        loader=PackageLoader("mirical.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    folder = files("mirical.pages") / "templates"
    names = (*_ON_EVERY_PAGE, *scripts)
    texts = [f"\n{(folder / name).read_text(encoding='utf-8')}" for name in names]
    known = {"scripts": [Markup(text) for text in texts], "policy": _policy(texts)}
    return environment.get_template(template).render(known | content) + "\n"


def _policy(scripts: Sequence[str]) -> str:
    """Return what a browser may do for a page: run these scripts, show pictures, ask nobody.

    The pictures that stand beside a page are files, of one origin with it where it is served.
    """
    hashes = (b64encode(sha256(text.encode()).digest()).decode("ascii") for text in scripts)
    run = " ".join(f"'sha256-{value}'" for value in hashes)
    return (
        f"default-src 'none'; script-src {run}; style-src 'unsafe-inline'; "
        "img-src data: file: 'self'; base-uri 'none'; form-action 'none'"
    )
