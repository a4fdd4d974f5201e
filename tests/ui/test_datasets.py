"""Datasets as a person brings, reads, counts, tokenises and deletes them."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.hubsim import HubSim, hub_root
from tests.servers import JupyterProcess
from tests.ui.axe import serious_findings
from tests.ui.frontends import SLOW, Panels, open_lab, sidebar

__all__ = ["hub_root"]

FILE = 'text,label\n"a fox and a lantern",1\nthe moon,2\nbroken,3,4\n'


@pytest.fixture(scope="module")
def jupyter(tmp_path_factory: pytest.TempPathFactory, hub_root: Path) -> Iterator[JupyterProcess]:
    """Return a server whose Hub is the loopback one."""
    with HubSim(hub_root) as hub:
        settings = {"MiStudioApp": {"hub_endpoint": hub.url}}
        server = JupyterProcess(tmp_path_factory.mktemp("jupyter"), config=settings)
        server.start()
        yield server
        server.stop()


def test_from_the_hub_and_from_a_file_to_tokens(page: Page, jupyter: JupyterProcess) -> None:
    open_lab(page, jupyter)
    panels = sidebar(page)
    panels.tab("Datasets")
    panels.button("Add dataset").click()
    download(panels)
    panels.button("Add dataset").click()
    send_file(panels)

    jupyter.api("models", {"source": "sample"})
    panels.root.get_by_role("button", name="Open demo/multi:fr").click()
    scroll(page, panels)
    search(panels)
    count_words(panels)
    tokenise(panels)

    panels.root.get_by_role("button", name="Back").click()
    delete_both(panels)
    assert jupyter.api("datasets")["datasets"] == []


def download(panels: Panels) -> None:
    """Find a repository as it is typed, choose its second configuration."""
    field = panels.root.get_by_role("combobox", name="Search the Hub")
    wanted = panels.root.get_by_role("option", name="demo/multi")
    for _ in range(20):
        # JupyterLab takes the focus while it comes up, which closes the list.
        field.click()
        field.fill("")
        field.press_sequentially("mul")
        with contextlib.suppress(AssertionError):
            expect(wanted).to_be_visible(timeout=4000)
            break
    field.press("ArrowDown")
    field.press("Enter")
    card = panels.root.get_by_test_id("mistudio-hubcard")
    expect(card).to_contain_text("mit", timeout=SLOW)
    card.get_by_label("Config").select_option("fr")
    expect(card.get_by_label("train · 100 rows")).to_be_checked()
    panels.button("Download and add").click()
    expect(panels.row("demo/multi:fr")).to_contain_text("Ready", timeout=SLOW)
    expect(panels.row("demo/multi:fr")).to_contain_text("100 rows")


def send_file(panels: Panels) -> None:
    """A file with a broken line: it is said which, and left out as chosen."""
    panels.root.get_by_label("Where from").first.select_option("upload")
    panels.root.get_by_label("Choose a file").set_input_files(
        {"name": "fables.csv", "mimeType": "text/csv", "buffer": FILE.encode()}
    )
    found = panels.root.get_by_test_id("mistudio-detected")
    expect(found).to_contain_text("csv", timeout=SLOW)
    expect(found).to_contain_text("Line 4")
    expect(found.get_by_label("Text column")).to_have_value("text")
    found.get_by_label("Rows that cannot be read").select_option("skip")
    panels.button("Import").click()
    expect(panels.row("fables")).to_contain_text("Ready", timeout=SLOW)
    expect(panels.row("fables")).to_contain_text("2 rows")


def search(panels: Panels) -> None:
    field = panels.root.get_by_label("Search the texts")
    field.fill("token AND NOT circuit")
    expect(panels.root.get_by_text(re.compile(r"of \d+ found$"))).to_be_visible(timeout=SLOW)
    expect(panels.root.locator("mark").first).to_have_text("token")
    field.fill("nowhere")
    expect(panels.root.get_by_text("No text matches")).to_be_visible(timeout=SLOW)
    field.fill("")
    expect(panels.root.get_by_text(re.compile("^0–\\d+ of 100$"))).to_be_visible()


def scroll(page: Page, panels: Panels) -> None:
    """All rows are one list: by keyboard, by number, and where it was after a reload."""
    samples = panels.root.get_by_role("feed", name="Samples")
    samples.focus()
    page.keyboard.press("End")
    last = panels.root.get_by_test_id("mistudio-sample-99")
    expect(last).to_be_focused()
    expect(last).to_have_attribute("aria-posinset", "100")
    expect(last).to_have_attribute("aria-setsize", "100")
    expect(last).to_be_in_viewport(ratio=1)
    expect(panels.root.get_by_test_id("mistudio-sample-0")).to_have_count(0)
    page.keyboard.press("ArrowUp")
    expect(panels.root.get_by_test_id("mistudio-sample-98")).to_be_focused()
    page.keyboard.press("PageUp")
    page.keyboard.press("Home")
    expect(panels.root.get_by_test_id("mistudio-sample-0")).to_be_focused()
    field = panels.root.get_by_label("Go to row")
    field.fill("50")
    field.press("Enter")
    expect(panels.root.get_by_text(re.compile("^50–\\d+ of 100$"))).to_be_visible()
    assert serious_findings(page, "#mistudio-sidebar") == []
    page.wait_for_function("() => (localStorage['mistudio-sidebar'] ?? '').includes('\"at\":50')")
    page.reload()
    expect(panels.root.get_by_text(re.compile("^50–\\d+ of 100$"))).to_be_visible(timeout=SLOW)


def count_words(panels: Panels) -> None:
    panels.root.get_by_role("button", name="Statistics").click()
    statistics = panels.root.get_by_test_id("mistudio-statistics")
    expect(statistics).to_contain_text("Most frequent words", timeout=SLOW)
    histogram = statistics.get_by_role("img")
    histogram.press("Home")
    expect(statistics).to_contain_text("samples,")
    panels.root.get_by_role("button", name="Statistics").click()


def tokenise(panels: Panels) -> None:
    """The preview follows the settings; the run then has what it showed."""
    panels.root.get_by_role("button", name="Tokenizations").click()
    made = panels.root.get_by_test_id("mistudio-tokenizations")
    made.get_by_role("button", name="Tokenise").click()
    tokenizer = made.get_by_label("Tokenizer", exact=True)
    expect(tokenizer.locator("option", has_text="sample-model")).to_be_attached(timeout=SLOW)
    tokenizer.select_option(label="sample-model")
    made.get_by_label("Context length").fill("8")
    made.get_by_label("Longer texts").select_option("chunk")
    made.get_by_label("Try it").fill("token " * 20)
    preview = made.get_by_test_id("mistudio-tokenize-preview")
    expect(preview).to_contain_text("Context 3", timeout=SLOW)
    expect(preview.get_by_role("listitem").first).to_have_text("<s>")
    made.get_by_role("button", name="Tokenise").last.click()
    row = made.get_by_role("listitem").filter(has_text="chunk")
    expect(row).to_contain_text("Ready", timeout=SLOW)
    expect(row).to_contain_text("tokens")

    panels.root.get_by_role("button", name="Filters").click()
    lengths = panels.root.get_by_label("Lengths by tokenization")
    lengths.select_option(index=1)
    panels.root.get_by_label("At least this many tokens").fill("100000")
    expect(panels.root.get_by_text("No text matches")).to_be_visible(timeout=SLOW)


def delete_both(panels: Panels) -> None:
    """What goes with them is said before."""
    panels.button("Select").click()
    panels.button("Select all shown").click()
    panels.root.get_by_role("button", name="Delete selected").click()
    question = panels.root.get_by_role("alertdialog")
    expect(question).to_contain_text("1 tokenization", timeout=SLOW)
    expect(question).to_contain_text("frees about", timeout=SLOW)
    question.get_by_role("button", name="Delete").click()
    expect(panels.root).to_contain_text("Deleted 2 datasets", timeout=SLOW)
    expect(panels.root.get_by_text("No datasets yet")).to_be_visible()
