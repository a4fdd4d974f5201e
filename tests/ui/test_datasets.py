"""Datasets as a person brings, keeps, reads, counts and tokenises them."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.hubsim import HubSim, hub_root
from tests.hubsim.repositories import documents, write_lines
from tests.servers import JupyterProcess
from tests.ui.axe import serious_findings
from tests.ui.frontends import SLOW, Panels, new_notebook, open_lab, run_cell, sidebar

__all__ = ["hub_root"]

FILE = 'text,label\n"a fox and a lantern",1\nthe moon,2\nbroken,3,4\n'
CHATS = [
    {
        "messages": [
            {"role": "user", "content": f"Who is {i}?"},
            {"role": "bot", "content": "<b>"},
        ],
        "language": "en" if i else "fr",
    }
    for i in range(3)
]


@pytest.fixture(scope="module")
def hub(hub_root: Path) -> Iterator[HubSim]:
    """Return the loopback Hub, with a repository that takes a while at half a megabyte a second."""
    write_lines(hub_root / "datasets/slow/lengthy/train.jsonl", documents(20_000))
    with HubSim(hub_root) as hub:
        yield hub


@pytest.fixture(scope="module")
def jupyter(tmp_path_factory: pytest.TempPathFactory, hub: HubSim) -> Iterator[JupyterProcess]:
    """Return a server whose Hub is the loopback one."""
    settings = {"MiStudioApp": {"hub_endpoint": hub.url}}
    server = JupyterProcess(tmp_path_factory.mktemp("jupyter"), config=settings)
    server.start()
    yield server
    server.stop()


def test_from_the_hub_and_from_a_file_to_a_list(
    page: Page, jupyter: JupyterProcess, hub: HubSim
) -> None:
    open_lab(page, jupyter)
    panels = sidebar(page)
    panels.tab("Datasets")
    panels.button("Add dataset").click()
    choose_in_search(panels)
    panels.button("Add dataset").click()
    ask_for_a_token(panels)
    panels.button("Add dataset").click()
    send_file(panels)
    interrupt_and_go_on(panels, hub)
    order_and_rename(panels)
    delete_all(panels)
    assert jupyter.api("datasets")["datasets"] == []


def choose_in_search(panels: Panels) -> None:
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


def name_repository(panels: Panels, name: str) -> None:
    """Give a whole name instead of searching."""
    field = panels.root.get_by_role("combobox", name="Search the Hub")
    field.fill(name)
    field.press("Enter")


def ask_for_a_token(panels: Panels) -> None:
    """A gated repository shows what it has, and asks for a token that may read it."""
    name_repository(panels, "demo/gated")
    expect(panels.root.get_by_text("This repository is gated")).to_be_visible(timeout=SLOW)
    token = panels.root.get_by_label("Access token")
    expect(token).to_have_attribute("type", "password")
    token.fill("hf_alice")
    expect(panels.root.get_by_text("This repository is gated")).to_have_count(0, timeout=SLOW)
    panels.button("Download and add").click()
    expect(panels.row("demo/gated")).to_contain_text("Ready", timeout=SLOW)


def send_file(panels: Panels) -> None:
    """A file with a broken line: it is said which, and left out as chosen."""
    panels.root.get_by_label("Where from").first.select_option("upload")
    panels.root.get_by_label("Choose a file").set_input_files(
        {"name": "fables.csv", "mimeType": "text/csv", "buffer": FILE.encode()}
    )
    found = panels.root.get_by_test_id("mistudio-detected")
    expect(found).to_contain_text("csv", timeout=SLOW)
    expect(found).to_contain_text("Line 4")
    expect(found.get_by_label("Text column")).to_have_value("text", timeout=SLOW)

    # What is corrected is looked at again: other columns, and back.
    column = found.get_by_label("Text column")
    found.get_by_label("Delimiter").select_option("|")
    expect(column.locator("option")).to_have_text(["text,label"])
    found.get_by_label("Encoding").fill("klingon")
    expect(found).to_contain_text("There is no encoding called 'klingon'.")
    expect(panels.button("Import")).to_be_disabled()
    found.get_by_label("Encoding").fill("utf-8")
    found.get_by_label("Delimiter").select_option(",")
    found.get_by_label("The first row names the columns").uncheck()
    expect(column.locator("option")).to_have_text(["column_0", "column_1"])
    found.get_by_label("The first row names the columns").check()
    expect(column.locator("option")).to_have_text(["text", "label"])
    expect(column).to_have_value("text")

    found.get_by_label("Rows that cannot be read").select_option("skip")
    panels.button("Import").click()
    expect(panels.row("fables")).to_contain_text("Ready", timeout=SLOW)
    expect(panels.row("fables")).to_contain_text("2 rows")


def interrupt_and_go_on(panels: Panels, hub: HubSim) -> None:
    """What is being downloaded is not deleted; cancelled, it goes on where it was."""
    hub.fail("throttle", match="lengthy.*train|_cdn", rate=300_000)
    panels.button("Add dataset").click()
    name_repository(panels, "slow/lengthy")
    expect(panels.root.get_by_test_id("mistudio-hubcard")).to_be_visible(timeout=SLOW)
    panels.button("Download and add").click()
    row = panels.row("slow/lengthy")
    shown = re.compile(r"[1-9][\d.]* MB of")
    expect(row.get_by_role("progressbar")).to_have_attribute("aria-valuetext", shown, timeout=SLOW)
    panels.button("Select").click()
    panels.root.get_by_label("Select slow/lengthy").check()
    panels.root.get_by_role("button", name="Delete selected").click()
    panels.root.get_by_role("alertdialog").get_by_role("button", name="Delete").click()
    expect(panels.root.get_by_text("slow/lengthy: 'slow/lengthy' is in use")).to_be_visible()
    panels.button("Done").click()

    row.get_by_role("button", name="Cancel").click()
    expect(row).to_contain_text("Cancelled", timeout=SLOW)
    hub.heal()
    row.get_by_role("button", name="Retry").click()
    expect(row).to_contain_text("Ready", timeout=SLOW)
    ranges = [call["range"] for call in hub.calls("GET .*train.jsonl")]
    assert re.fullmatch(r"bytes=[1-9]\d*-", str(ranges[-1])), ranges


def order_and_rename(panels: Panels) -> None:
    """The list is sorted, filtered, and its names are changed in place."""
    rows = panels.root.get_by_role("list", name="Datasets").get_by_role("listitem")
    panels.root.get_by_label("Order").select_option("rows")
    expect(rows.first).to_contain_text("slow/lengthy")
    panels.root.get_by_label("Name contains").fill("fab")
    expect(rows).to_have_count(1)
    rows.first.get_by_role("button", name="Rename fables").click()
    name = panels.root.get_by_label("New name")
    name.fill("demo/gated")
    name.press("Enter")
    expect(rows.first.get_by_role("alert")).to_contain_text("demo/gated")
    name.fill("two fables")
    name.press("Enter")
    expect(panels.root.get_by_text("No dataset matches")).to_have_count(0)
    expect(panels.row("two fables")).to_be_visible()
    panels.root.get_by_label("Name contains").fill("")
    expect(rows).to_have_count(4)


def delete_all(panels: Panels) -> None:
    """What deleting means is said before."""
    panels.button("Select").click()
    panels.button("Select all shown").click()
    panels.root.get_by_role("button", name="Delete selected").click()
    question = panels.root.get_by_role("alertdialog")
    expect(question).to_contain_text("frees about", timeout=SLOW)
    question.get_by_role("button", name="Delete").click()
    expect(panels.root).to_contain_text("Deleted 4 datasets", timeout=SLOW)
    expect(panels.root.get_by_text("No datasets yet")).to_be_visible()


def test_from_reading_to_tokens(page: Page, jupyter: JupyterProcess) -> None:
    jupyter.api("datasets", {"source": "hub", "repo_id": "demo/multi", "config": "fr"})
    chats = jupyter.notebooks / "chats.jsonl"
    chats.write_text("\n".join(map(json.dumps, CHATS)))
    jupyter.api("datasets", {"source": "path", "path": str(chats)})
    jupyter.api("models", {"source": "sample"})
    open_lab(page, jupyter)
    panels = sidebar(page)
    panels.tab("Datasets")
    panels.root.get_by_role("button", name="Open demo/multi:fr").click(timeout=SLOW)
    scroll(page, panels)
    search(panels)
    count_words(page, panels)
    tokenise(panels)
    filter_by_tokens(page, panels)
    panels.root.get_by_role("button", name="Back").click()
    read_a_conversation(panels)


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


def search(panels: Panels) -> None:
    field = panels.root.get_by_label("Search the texts")
    field.fill("token AND NOT circuit")
    expect(panels.root.get_by_text(re.compile(r"of \d+ found$"))).to_be_visible(timeout=SLOW)
    expect(panels.root.locator("mark").first).to_have_text("token")
    field.fill("nowhere")
    expect(panels.root.get_by_text("No text matches")).to_be_visible(timeout=SLOW)
    field.fill("")
    expect(panels.root.get_by_text(re.compile("^0–\\d+ of 100$"))).to_be_visible()


def count_words(page: Page, panels: Panels) -> None:
    """The histogram answers to mouse and keyboard; what was counted can be saved."""
    panels.root.get_by_role("button", name="Statistics").click()
    statistics = panels.root.get_by_test_id("mistudio-statistics")
    expect(statistics).to_contain_text("Most frequent words", timeout=SLOW)
    histogram = statistics.get_by_role("img")
    histogram.press("Home")
    by_key = statistics.locator("figcaption").inner_text()
    assert re.search(r"\d+ words: \d+ samples", by_key), by_key
    histogram.hover()
    expect(statistics.locator("figcaption")).not_to_have_text(by_key)
    for kind in ("JSON", "CSV"):
        with page.expect_download() as download:
            statistics.get_by_role("link", name=f"Save as {kind}").click()
        text = download.value.path().read_text()
        assert json.loads(text) if kind == "JSON" else text.splitlines()[1:]
    panels.root.get_by_role("button", name="Statistics").click()


def tokenise(panels: Panels) -> None:
    """The preview follows the settings; the run then has what it showed; settings have names."""
    panels.root.get_by_role("button", name="Tokenizations").click()
    made = panels.root.get_by_test_id("mistudio-tokenizations")
    made.get_by_role("button", name="Tokenise").click()
    tokenizer = made.get_by_label("Tokenizer", exact=True)
    expect(tokenizer.locator("option", has_text="sample-model")).to_be_attached(timeout=SLOW)
    tokenizer.select_option(label="sample-model")
    made.get_by_label("Context length").fill("8")
    made.get_by_label("Longer texts").select_option("chunk")
    preview = made.get_by_test_id("mistudio-tokenize-preview")
    expect(preview.get_by_label("Try it")).not_to_have_value("")
    preview.get_by_label("Row").fill("3")
    preview.get_by_label("Try it").fill("token " * 60)
    expect(preview).to_contain_text("1–4 of", timeout=SLOW)
    expect(preview.get_by_role("listitem").first).to_have_text("<s>, special token")
    preview.get_by_role("button", name="Next contexts").click()
    expect(preview).to_contain_text("Context 5")
    preview.get_by_label("Show the ids").check()
    expect(preview.get_by_role("listitem").first).to_contain_text(re.compile(r"\d"))
    preview.get_by_role("button", name="Back to the sample").click()
    expect(preview.get_by_label("Try it")).not_to_have_value("token " * 60)

    made.get_by_role("button", name="Save as a preset").click()
    made.get_by_label("Name of the preset").fill("eights")
    made.get_by_label("Name of the preset").press("Enter")
    expect(made.get_by_label("Preset").locator("option:checked")).to_have_text("eights")
    made.get_by_role("button", name="Rename eights").click()
    made.get_by_label("New name").fill("chunks")
    made.get_by_label("New name").press("Enter")
    made.get_by_label("Context length").fill("9")
    made.get_by_role("button", name="Save the changes to chunks").click()
    expect(made.get_by_role("button", name="Save the changes to chunks")).to_have_count(0)
    made.get_by_role("button", name="Delete chunks").click()
    made.get_by_role("alertdialog").get_by_role("button", name="Delete").click()
    expect(made.get_by_label("Preset")).to_have_count(0)

    made.get_by_role("button", name="Tokenise").last.click()
    row = made.get_by_role("listitem").filter(has_text="chunk")
    expect(row).to_contain_text("Ready", timeout=SLOW)
    expect(row).to_contain_text("tokens")
    row.get_by_role("button", name="Export").click()
    made.get_by_role("button", name="Export", exact=True).click()
    expect(made.get_by_text("It is there:")).to_contain_text("export-max_length", timeout=SLOW)
    made.get_by_role("button", name="Close").click()
    # A second one of the same dataset stands beside it.
    made.get_by_role("button", name="Tokenise").click()
    made.get_by_role("button", name="Tokenise").last.click()
    beside = made.get_by_role("listitem").filter(has_text="truncate")
    expect(beside).to_contain_text("Ready", timeout=SLOW)


def filter_by_tokens(page: Page, panels: Panels) -> None:
    """Length, a sequence of tokens, and a bar of the histogram narrow what is read."""
    panels.root.get_by_role("button", name="Filters").click()
    lengths = panels.root.get_by_label("Lengths by tokenization")
    lengths.select_option(lengths.locator("option", has_text="chunk").get_attribute("value"))
    panels.root.get_by_label("At least this many tokens").fill("100000")
    expect(panels.root.get_by_text("No text matches")).to_be_visible(timeout=SLOW)
    panels.root.get_by_label("At least this many tokens").fill("")
    panels.root.get_by_label("Sequence of tokens").fill(" sparse neuron")
    expect(panels.root.locator("mark").first).to_have_text(
        "sparse neuron", use_inner_text=True, timeout=SLOW
    )
    panels.root.get_by_label("Sequence of tokens").fill("")
    panels.root.get_by_role("button", name="Statistics").click()
    statistics = panels.root.get_by_test_id("mistudio-statistics")
    by = statistics.get_by_label("Count by")
    by.select_option(by.locator("option", has_text="truncate").get_attribute("value"))
    expect(statistics).to_contain_text("Rarest tokens", timeout=SLOW)
    statistics.get_by_role("img").press("End")
    page.keyboard.press("Enter")
    expect(panels.root.get_by_text(re.compile(r"^1–\d+ of \d+ found$"))).to_be_visible(timeout=SLOW)
    panels.root.get_by_role("button", name="Statistics").click()


def read_a_conversation(panels: Panels) -> None:
    """Turns stand one after the other, what was searched is marked, markup stays text."""
    panels.root.get_by_role("button", name="Open chats").click(timeout=SLOW)
    first = panels.root.get_by_test_id("mistudio-sample-0")
    expect(first.get_by_role("listitem")).to_have_count(2)
    expect(first.get_by_role("listitem").last).to_contain_text("<b>")
    panels.root.get_by_label("Search the texts").fill("who")
    expect(panels.root.locator("mark").first).to_have_text("Who")
    panels.root.get_by_role("button", name="Filters").click()
    panels.root.get_by_label("Only rows with a value in").select_option("language")
    panels.root.get_by_label("Value of language").fill("fr")
    expect(panels.root.get_by_text("1–1 of 1 found")).to_be_visible(timeout=SLOW)


def test_in_a_cell(page: Page, jupyter: JupyterProcess) -> None:
    """The same panel in a notebook's output: it scrolls in itself, and Python sees what is read."""
    open_lab(page, jupyter)
    new_notebook(page)
    run_cell(page, "import mistudio_ext as ms")
    cell = run_cell(page, "panel = ms.DatasetPanel()\npanel")
    cell.get_by_role("button", name="Open demo/multi:fr").click(timeout=SLOW)
    samples = cell.get_by_role("feed", name="Samples")
    samples.focus(timeout=SLOW)
    page.keyboard.press("End")
    expect(cell.get_by_test_id("mistudio-sample-99")).to_be_focused()
    box = samples.bounding_box()
    assert box is not None
    assert box["height"] <= 480
    told = None
    while told is None:
        seen = run_cell(page, "print('at', panel.selection.get('at'))")
        expect(seen).to_contain_text("at", timeout=SLOW)
        told = re.search(r"at 9\d", seen.inner_text())
    run_cell(page, "panel.selection = {**panel.selection, 'row': 12}")
    expect(cell.get_by_test_id("mistudio-sample-12")).to_have_attribute("aria-current", "true")


def test_what_mends_a_failed_import(page: Page, jupyter: JupyterProcess) -> None:
    """A table without texts asks which column to use, where its job is shown."""
    file = jupyter.notebooks / "numbers.csv"
    file.write_text("n0,n1,n2,n3,n4,n5,n6\n1,2,3,4,5,6,7\n")
    jupyter.api("datasets", {"source": "path", "path": str(file)})
    open_lab(page, jupyter)
    panels = sidebar(page)
    panels.tab("Jobs")
    row = panels.root.get_by_role("listitem").filter(has_text="No column of the dataset")
    row.get_by_label("Text column").fill("n6", timeout=SLOW)
    row.get_by_role("button", name="Use another column numbers").click()
    panels.tab("Datasets")
    expect(panels.row("numbers")).to_contain_text("Ready", timeout=SLOW)
    panels.root.get_by_role("button", name="Open numbers", exact=True).click()
    expect(panels.root.get_by_test_id("mistudio-dataset")).to_contain_text(
        "csv · delimiter , · utf-8 · first row names the columns"
    )
