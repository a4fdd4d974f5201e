"""Models as a person meets them: found on the Hub, looked into, made in other formats, compared."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import snapshot_download
from playwright.sync_api import Locator, Page, expect

from tests.hubsim import hub_root
from tests.hubsim.hubsim import HubSim
from tests.hubsim.repositories import SAMPLE_MODEL
from tests.servers import JupyterProcess
from tests.ui.axe import serious_findings
from tests.ui.conftest import Shots
from tests.ui.frontends import SLOW, Panels, open_lab, sidebar

__all__ = ["hub_root"]


#: The first test ends with a list that is empty again, before the others add models.
pytestmark = pytest.mark.story


@pytest.fixture(scope="module")
def hub(hub_root: Path) -> Iterator[HubSim]:
    """Return the loopback Hub of all stories."""
    with HubSim(hub_root) as running:
        yield running


@pytest.fixture(scope="module")
def jupyter(hub: HubSim, tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterProcess]:
    """Return a server whose Hub is the loopback one, with a shared folder and a filled cache."""
    root = tmp_path_factory.mktemp("jupyter")
    shutil.copytree(SAMPLE_MODEL, root / "shared/acme/tales")
    config = {
        "hub_endpoint": hub.url,
        "shared_model_dirs": [str(root / "shared")],
        "allow_remote_code": True,
    }
    snapshot_download("demo/pickled", endpoint=hub.url, cache_dir=root / "hf-home/hub")
    server = JupyterProcess(root, {"MiStudioApp": config})
    server.start()
    yield server
    server.stop()


def find_on_hub(page: Page, panels: Panels, words: str, name: str) -> Locator:
    """Search by keyboard alone; return the card of the only result."""
    search = panels.root.get_by_role("combobox", name="Search the Hub")
    search.press_sequentially(words)
    found = panels.root.get_by_role("listbox", name="Search the Hub")
    expect(found.get_by_role("option")).to_have_count(1, timeout=SLOW)
    search.press("ArrowDown")
    expect(found.get_by_role("option", name=name, selected=True)).to_be_visible()
    search.press("Enter")
    return panels.root.get_by_role("region", name=name)


def test_from_the_hub_to_formats_and_back(
    jupyter: JupyterProcess, hub: HubSim, page: Page, shots: Shots
) -> None:
    open_lab(page, jupyter)
    panels = sidebar(page)
    panels.tab("Models")

    panels.button("Add model").click()
    card = find_on_hub(page, panels, "demo/stor", "demo/stories")
    # The first look at a kind of model counts its parameters in a worker.
    expect(card).to_contain_text("bsd-3-clause", timeout=SLOW)
    formats = card.get_by_role("table", name="What each format takes")
    expect(formats.get_by_role("radio")).to_have_count(6)
    expect(formats.get_by_role("row").filter(has_text="recommended")).to_contain_text("fits")
    shots("models-card")
    assert serious_findings(page, "#mistudio-sidebar") == []
    hub.fail("throttle", match=r"^GET .*_cdn/", rate=300_000)
    card.get_by_role("button", name="Download and add").click()
    row = panels.root.get_by_role("listitem").filter(has_text="stories").first
    expect(row).to_contain_text(re.compile(r"[1-9][\d.]* [kM]B"), timeout=SLOW)
    row.get_by_role("button", name=re.compile("^Cancel")).click()
    expect(row).to_contain_text("Cancelled", timeout=SLOW)
    shots("models-cancelled")
    hub.heal()
    row.get_by_role("button", name=re.compile("^Retry")).click()
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


def test_what_is_here_already_and_what_brings_code(
    jupyter: JupyterProcess, page: Page, shots: Shots
) -> None:
    open_lab(page, jupyter)
    panels = sidebar(page)
    panels.tab("Models")
    panels.button("Add model").click()
    panels.choose("Where from", "Already on this machine")
    here = panels.root.get_by_role("list", name="Already on this machine")
    pickled = here.get_by_role("listitem").filter(has_text="demo/pickled")
    expect(pickled).to_contain_text("no safetensors")
    expect(pickled.get_by_role("button")).to_be_disabled()
    expect(here.get_by_role("listitem").filter(has_text="acme/tales")).to_contain_text("shared")
    shots("models-here")
    here.get_by_role("button", name="Add acme/tales").click()
    expect(panels.row("tales")).to_contain_text("Ready", timeout=SLOW)

    panels.button("Add model").click()
    card = find_on_hub(page, panels, "demo/own", "demo/own-code")
    expect(card).to_contain_text("brings Python code of its own", timeout=SLOW)
    card.get_by_label("Run this revision’s own code").check()
    shots("models-code")
    card.get_by_role("button", name="Download and add").click()
    expect(panels.row("demo/own-code")).to_contain_text("Ready", timeout=SLOW)

    panels.button("Add model").click()
    card = find_on_hub(page, panels, "demo/gated", "demo/gated-stories")
    expect(card).to_contain_text("asks for an agreement first", timeout=SLOW)
    shots("models-gated")
    assert serious_findings(page, "#mistudio-sidebar") == []
    panels.button("Close").click()

    panels.row("tales").get_by_role("button", name="Open tales").click()
    panels.root.get_by_role("button", name="Configuration").click()
    panels.root.get_by_label("Search the configuration").fill("rope")
    expect(panels.root.get_by_role("tree", name="Configuration")).to_contain_text("rope_theta")
    expect(panels.root.get_by_role("tree", name="Configuration")).not_to_contain_text("vocab_size")


def test_templates_are_kept_and_exchanged(
    jupyter: JupyterProcess, page: Page, shots: Shots, tmp_path: Path
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
    name.fill("ends")
    name.press("Enter")
    expect(templates).to_contain_text("ends-2")  # Taken: the error suggests another.
    shots("templates-taken")
    name.fill("ends-2")
    name.press("Enter")
    templates.get_by_role("button", name="Rename ends-2").click()
    templates.get_by_label("New name").fill("kept")
    templates.get_by_label("New name").press("Enter")
    favourite = templates.get_by_role("button", name="Favourite kept")
    favourite.click()
    expect(favourite).to_have_attribute("aria-pressed", "true")
    expect(templates.get_by_role("listitem").first).to_contain_text("kept")
    templates.get_by_role("button", name="Delete kept").click()
    templates.get_by_role("alertdialog").get_by_role("button", name="Delete").click()
    expect(favourite).to_have_count(0)

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
