"""Take the pictures of README and docs from a real JupyterLab.

Usage: ``.venv/bin/python -m scripts.screenshots``
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

import mistudio_ext.sample
from tests.servers import JupyterProcess
from tests.ui.conftest import CHROMIUM_OPTIONS
from tests.ui.frontends import SLOW, cells, choose_theme, execute, open_lab, sidebar

IMAGES = Path(__file__).parent.parent / "docs" / "images"
DEMO = Path(mistudio_ext.sample.__file__).parent / "demo.ipynb"


def main() -> None:
    """Run the demo notebook beside the sidebar and take its picture, light and dark."""
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        server = JupyterProcess(Path(folder))
        server.start()
        shutil.copy(DEMO, server.notebooks / "stories.ipynb")
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=CHROMIUM_OPTIONS
        )
        try:
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            _prepare(page, server)
            page.screenshot(path=IMAGES / "jupyterlab.png")
            choose_theme(page, "JupyterLab Dark")
            page.wait_for_timeout(1000)
            page.screenshot(path=IMAGES / "jupyterlab-dark.png")
        finally:
            browser.close()
            server.stop()


def _prepare(page: Page, server: JupyterProcess) -> None:
    server.api("datasets", {"source": "sample"})
    server.api("models", {"source": "sample"})
    open_lab(page, server)
    execute(page, "docmanager:open", {"path": "stories.ipynb"})
    panels = sidebar(page)
    _widen(page, by=140)
    execute(page, "notebook:run-all-cells")
    cells(page).nth(5).locator(".jp-OutputArea-output").last.wait_for(timeout=5 * SLOW)
    panels.tab("Extract")
    panels.choose("Dataset", "sample-stories")
    panels.choose("Model", "sample-model")
    panels.root.get_by_role("textbox", name="Layers").fill("0-5")
    panels.point("mlp_out")
    panels.root.locator(".jp-mistudio-diagram").scroll_into_view_if_needed()
    _scroll_to_probe(page)
    page.wait_for_timeout(1500)


def _widen(page: Page, by: int) -> None:
    """Drag the edge of the sidebar."""
    box = page.locator("#mistudio-sidebar").bounding_box()
    assert box is not None
    edge = box["x"] + box["width"] + 2
    page.mouse.move(edge, 400)
    page.mouse.down()
    page.mouse.move(edge + by, 400, steps=5)
    page.mouse.up()


def _scroll_to_probe(page: Page) -> None:
    page.evaluate("() => document.querySelector('.jp-WindowedPanel-outer').scrollTo({top: 560})")


if __name__ == "__main__":
    main()
