"""Models as a person meets them: found on the Hub, looked into, made in other formats, compared."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.hubsim import hub_root
from tests.hubsim.hubsim import HubSim
from tests.servers import JupyterProcess
from tests.ui.axe import serious_findings
from tests.ui.conftest import Shots
from tests.ui.frontends import SLOW, Panels, open_lab, sidebar

__all__ = ["hub_root"]


@pytest.fixture(scope="module")
def jupyter(hub_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterProcess]:
    """Return a server whose Hub is the loopback one."""
    with HubSim(hub_root) as hub:
        config = {"MiStudioApp": {"hub_endpoint": hub.url}}
        server = JupyterProcess(tmp_path_factory.mktemp("jupyter"), config)
        server.start()
        yield server
        server.stop()


def find_on_hub(page: Page, panels: Panels, words: str) -> Locator:
    """Search by keyboard alone; return the card of the first result."""
    panels.button("Add model").click()
    search = panels.root.get_by_role("combobox", name="Search the Hub")
    search.press_sequentially(words)
    found = panels.root.get_by_role("listbox", name="Search the Hub")
    expect(found.get_by_role("option")).to_have_count(1, timeout=SLOW)
    search.press("ArrowDown")
    search.press("Enter")
    return panels.root.get_by_role("region", name="demo/stories")


def test_from_the_hub_to_formats_and_back(
    jupyter: JupyterProcess, page: Page, shots: Shots, tmp_path: Path
) -> None:
    open_lab(page, jupyter)
    page.locator(".jp-Launcher").wait_for()  # It takes the focus when it comes.
    panels = sidebar(page)
    panels.tab("Models")

    card = find_on_hub(page, panels, "demo/stor")
    # The first look at a kind of model counts its parameters in a worker.
    expect(card).to_contain_text("bsd-3-clause", timeout=SLOW)
    formats = card.get_by_role("table", name="What each format takes")
    expect(formats.get_by_role("radio")).to_have_count(6)
    expect(formats.get_by_role("row").filter(has_text="recommended")).to_contain_text("fits")
    shots("models-card")
    assert serious_findings(page, "#mistudio-sidebar") == []
    card.get_by_role("button", name="Download and add").click()
    row = panels.root.get_by_role("listitem").filter(has_text="stories").first
    expect(row).to_contain_text("Ready", timeout=SLOW)

    row.get_by_role("button", name="Rename demo/stories").click()
    panels.root.get_by_label("New name").fill("tales")
    panels.root.get_by_label("New name").press("Enter")
    expect(panels.row("tales")).to_be_visible()

    panels.row("tales").get_by_role("button", name="Open tales").click()
    panels.point("mlp_out")
    panels.root.get_by_role("button", name="Tokenizer").click()
    panels.root.get_by_label("Try it").fill("Once upon a time")
    tokens = panels.root.get_by_role("list", name="tokens")
    expect(tokens.get_by_text("Once")).to_be_visible()
    panels.root.get_by_role("button", name="Formats", exact=True).click()
    panels.button("Make the q8 variant").click()
    made = panels.root.get_by_role("button", name="Open tales (q8)")
    expect(made).to_be_visible(timeout=SLOW)
    expect(panels.root.get_by_role("img", name="Relative error")).to_be_visible()
    shots("models-formats")
    assert serious_findings(page, "#mistudio-sidebar") == []

    panels.button("Back").click()
    panels.button("Select").click()
    panels.button("Select all shown").click()
    panels.button("Compare").click()
    compared = panels.root.get_by_role("table", name="Architecture")
    expect(compared.get_by_role("row").filter(has_text="Loaded as")).to_contain_text("differs")
    shots("models-compare")

    panels.button("Back").click()
    panels.row("tales").get_by_role("button", name="Delete tales").click()
    question = panels.root.get_by_role("alertdialog")
    expect(question).to_contain_text("deleted along: tales (q8)")
    question.get_by_role("button", name="Delete").click()
    expect(panels.root).to_contain_text("No models yet")


def test_templates_are_kept_and_exchanged(
    jupyter: JupyterProcess, page: Page, tmp_path: Path
) -> None:
    jupyter.api("models", {"source": "sample"})
    open_lab(page, jupyter)
    panels = sidebar(page)
    panels.tab("Models")
    expect(panels.row("sample-model")).to_contain_text("Ready", timeout=SLOW)
    panels.row("sample-model").get_by_role("button", name="Open sample-model").click()
    panels.root.get_by_role("textbox", name="Layers").fill("0,5")
    panels.point("mlp_out")
    panels.button("Use in Extract").click()

    panels.root.get_by_role("button", name="Templates").click()
    templates = panels.root.get_by_test_id("mistudio-templates")
    name = templates.get_by_label("Save these settings as")
    name.fill("ends")
    name.press("Enter")
    expect(templates).to_contain_text("Saved as “ends”.")

    with page.expect_download() as download:
        templates.get_by_role("button", name="Export ends").click()
    file = tmp_path / "ends.json"
    download.value.save_as(file)
    document = json.loads(file.read_text())
    (template,) = document["templates"]
    assert template["spec"]["n_layers"] == 6

    # As it would come from a deeper model: the person is asked what the layers mean here.
    template["name"], template["spec"]["n_layers"] = "deep", 12
    template["spec"]["layers"] = [0, 11]
    file.write_text(json.dumps(document))
    templates.locator("input[type=file]").set_input_files(file)
    templates.get_by_role("button", name="Load deep").click()
    panels.button("Map by relative depth").click()
    expect(templates).to_contain_text("layers 0,11 became 0,5")
    expect(panels.root.get_by_role("textbox", name="Layers")).to_have_value("0,5")
