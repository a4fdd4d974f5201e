"""Real Jupyter servers and a real browser."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from playwright.sync_api import Error as PlaywrightError

from tests.servers import JupyterProcess

SCREENSHOTS = Path(__file__).parents[2] / "screenshots"

CHROMIUM_OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]

#: Errors that JupyterLab, Notebook 7 and the browser have without miStudio too, and what the
#: browser itself says of a server that is gone or has no miStudio. Notebook 7.6 loads settings
#: before those of its shortcuts, which then lack their "schema".
FOREIGN_ERRORS = re.compile(
    r"Failed to load resource|api/kernels/.* WebSocket|^WebSocket connection to |"
    r"^Cannot read properties of undefined \(reading 'schema'\)$"
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is here."""
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.ui)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Say beside a failure what the page showed: where it happened nobody may be looking."""
    report = yield
    page = getattr(item, "funcargs", {}).get("page")
    if report.when == "call" and report.failed and page is not None:
        report.sections.append(("What the page showed", _shown(page)))
    return report


def _shown(page: Page) -> str:
    """Return what a screen reader finds in the panels, or in the page, and where the focus is."""
    try:
        focus = page.evaluate("document.activeElement?.outerHTML?.slice(0, 200)")
        panels = page.locator("#mistudio-sidebar")
        shown = panels if panels.count() else page.locator("body")
        return f"focus: {focus}\n{shown.aria_snapshot()}"
    except PlaywrightError as error:
        return f"Nothing: {error}"


@pytest.fixture
def jp_asyncio_loop() -> None:
    """Replace pytest-jupyter's loop, which every test gets: Playwright runs one already."""


@pytest.fixture
def jp_server_cleanup() -> None:
    """Replace pytest-jupyter's, which every test gets: the servers here are processes."""


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run the system's Chromium."""
    names = ("chromium", "chromium-browser", "google-chrome")
    executable = next(filter(None, map(shutil.which, names)), None)
    if executable is None:
        pytest.fail("The browser tests need Chromium (on Debian: apt-get install chromium).")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=CHROMIUM_OPTIONS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Return the system's Chromium.

    Not for the whole session: while Playwright runs, no other test in the
    process could start an event loop.
    """
    with chromium() as running:
        yield running


@pytest.fixture(scope="module")
def jupyter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterProcess]:
    """Return a server whose catalog is empty at the start of each module."""
    server = JupyterProcess(tmp_path_factory.mktemp("jupyter"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """Return a fresh browser profile."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(20_000)
    yield context
    context.close()


def listen_for_errors(page: Page) -> list[str]:
    """Return the list in which errors of the page will stand, but for those of others."""
    errors: list[str] = []

    def note(text: str) -> None:
        if not FOREIGN_ERRORS.search(text):
            errors.append(text)

    page.on("pageerror", lambda error: note(error.message))
    page.on("console", lambda message: note(message.text) if message.type == "error" else None)
    return errors


@pytest.fixture
def page(context: BrowserContext, request: pytest.FixtureRequest) -> Iterator[Page]:
    """Return a page that fails the test if miStudio throws or logs an error in it."""
    page = context.new_page()
    errors = listen_for_errors(page)
    yield page
    SCREENSHOTS.mkdir(exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{request.node.name}-end.png")
    assert errors == []


Shots = Callable[[str], None]


@pytest.fixture
def shots(page: Page) -> Shots:
    """Return a function that keeps a picture of the page, for people to look at."""
    SCREENSHOTS.mkdir(exist_ok=True)

    def take(name: str) -> None:
        page.wait_for_timeout(150)
        page.screenshot(path=SCREENSHOTS / f"{name}.png")

    return take
