"""A page carries vectors where they are small, else pixels, and runs no script but its own."""

from __future__ import annotations

from base64 import b64decode, b64encode
from hashlib import sha256
from html import unescape

import pytest
from matplotlib.figure import Figure

from mirical.pages import pictures
from mirical.pages.page import page_of
from mirical.pages.pictures import pictures_of


def test_large_vectors_are_left_to_pixels(monkeypatch: pytest.MonkeyPatch):
    small = pictures_of({"made": Figure()})["made"]
    kind, content = small.uri.split(",")
    assert kind == "data:image/svg+xml;base64" and b"<svg" in b64decode(content)
    monkeypatch.setattr(pictures, "LARGEST", 10)
    large = pictures_of({"made": Figure()})["made"]
    kind, content = large.uri.split(",")
    assert kind == "data:image/png;base64" and b64decode(content) == large.png == small.png


def test_the_policy_of_a_page_names_its_scripts_and_no_address():
    page = unescape(page_of("page.html", {"attrs": {"simulated": 0}}, ["chart.js"]))
    policy = page.split('http-equiv="Content-Security-Policy" content="')[1].split('">')[0]
    scripts = [part.split("</script>")[0] for part in page.split("<script>")[1:]]
    assert len(scripts) == 2
    for script in scripts:
        digest = b64encode(sha256(script.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'; ") and "http" not in policy and "*" not in policy
