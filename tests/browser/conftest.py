"""A headless Chromium from the system, and a record of unwanted requests and errors."""

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.pages import several

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

# Without the extra `browser` nothing is collected, so `-m browser` fails.
collect_ignore_glob = [] if find_spec("playwright") else ["test_*.py"]


@dataclass
class Seen:
    """The requests of a page, and its console messages and errors."""

    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


@pytest.fixture(scope="session")
def chromium() -> "Iterator[Browser]":
    """Start Chromium; if it is missing, fail instead of skipping."""
    from playwright.sync_api import sync_playwright

    path = shutil.which("chromium") or shutil.which("google-chrome")
    assert path, "there is no Chromium: apt install chromium"
    # Root in a container has no sandbox but the container.
    arguments = ["--no-sandbox"] if hasattr(os, "getuid") and os.getuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def seen() -> Seen:
    """Give an empty record of the pages' actions."""
    return Seen()


Show = Callable[..., "Page"]


@pytest.fixture
def show(chromium: "Browser", seen: Seen, tmp_path: Path) -> Iterator[Show]:
    """Give a function that shows a report, by default one with everything in it.

    After each test, check that the page has requested nothing and logged no error.
    """
    contexts: list[BrowserContext] = []
    path = tmp_path / "report.html"

    def shown(text: str | None = None, *, width: int = 1200, **options: object) -> "Page":
        path.write_text(several() if text is None else text, encoding="utf-8")
        context = chromium.new_context(viewport={"width": width, "height": 900}, **options)  # type: ignore[arg-type]
        contexts.append(context)
        page = context.new_page()
        page.on("request", lambda request: seen.requests.append(request.url))
        page.on("console", lambda message: seen.complaints.append(message.text))
        page.on("pageerror", lambda error: seen.complaints.append(str(error)))
        page.goto(path.as_uri())
        return page

    yield shown
    for context in contexts:
        context.close()
    assert set(seen.requests) <= {path.as_uri()}
    assert seen.complaints == []
