"""Views of the studio's page in a browser, for its tests."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from browsers import Visit, missing, open_browser
from page_server import Server
from repository import EXAMPLE

if TYPE_CHECKING:
    from playwright.sync_api import Browser

LENGTH = 10.0
#: A test in both browsers, and in Chromium alone; the file has the fixture.
BOTH = pytest.mark.parametrize("browser", ["chromium", "firefox"], indirect=True)
ONE = pytest.mark.parametrize("browser", ["chromium"], indirect=True)


@contextlib.contextmanager
def opened(name: str) -> Iterator[Browser]:
    """A browser; the test is skipped where it cannot be driven."""
    if reason := missing(name):
        pytest.skip(reason)
    with open_browser(name) as browser:
        yield browser


def visit(browser: Browser, server: Server, **options: object) -> Visit:
    """The first view."""
    seen = Visit(browser, **options)
    seen.page.goto(server.url)
    seen.until("document.getElementById('start').hidden === false && document.querySelector('#example-list li')")
    return seen


def studio(browser: Browser, server: Server, **options: object) -> Visit:
    """The studio with three takes of the example."""
    seen = visit(browser, server, **options)
    seen.page.set_input_files("#file", EXAMPLE)
    done = "d2m.studio.takes.length === 3 && d2m.studio.heard && d2m.studio.clip.jobs.every(j => j.state === 'done')"
    seen.until(f"{done} && d2m.player.picture.usable && d2m.overlay.landmarks")
    return seen


def quiet(seen: Visit, server: Server) -> None:
    """Nothing was complained about, and nobody else was asked for anything."""
    assert seen.complaints == []
    assert [each for each in seen.addresses if not each.startswith((server.url, "blob:", "data:"))] == []
    seen.close()


def updated(seen: Visit) -> None:
    """Wait until the change has been made and is heard."""
    seen.until("!d2m.studio.needsUpdate && d2m.studio.heard === d2m.studio.clip.pieces.at(-1).id", 30)


def said(seen: Visit) -> str:
    return seen.run("document.getElementById('live').textContent").strip("\xa0")
