"""Sidebar and cells where the server half of the extension is not there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.servers import JupyterProcess
from tests.ui.conftest import Shots
from tests.ui.frontends import SLOW, new_notebook, run_cell


@pytest.fixture(scope="module")
def without_server_half(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterProcess]:
    """Return a Jupyter server in which someone switched the server extension off."""
    server = JupyterProcess(
        tmp_path_factory.mktemp("without"),
        config={"ServerApp": {"jpserver_extensions": {"mistudio_ext": False}}},
    )
    server.start()
    yield server
    server.stop()


def test_sidebar_and_cells_say_how_to_enable_the_server_half(
    without_server_half: JupyterProcess, page: Page, shots: Shots
) -> None:
    page.goto(without_server_half.page("lab"))
    page.get_by_role("tab", name="miStudio").click()
    notice = page.get_by_role("alert").filter(has_text="not enabled")
    expect(notice).to_contain_text("jupyter server extension enable mistudio_ext")

    page.get_by_role("button", name="Try again").click()
    expect(notice).to_be_visible()

    # A panel in a cell gets its code from the kernel there, and says the same.
    new_notebook(page)
    cell = run_cell(page, "import mistudio_ext as ms\nms.JobsPanel()")
    problem = cell.get_by_role("alert")
    expect(problem).to_contain_text("jupyter server extension enable mistudio_ext", timeout=SLOW)
    expect(cell.get_by_role("button", name="Try again")).to_be_visible()
    shots("not-enabled")
