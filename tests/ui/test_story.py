"""The main job, as a person does it: from a sidebar to arrays in a notebook's kernel."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.servers import JupyterProcess
from tests.ui.conftest import Shots
from tests.ui.frontends import (
    SLOW,
    SUMMARY,
    Panels,
    cells,
    choose_theme,
    execute,
    new_notebook,
    open_lab,
    open_notebook7,
    printed_summary,
    run_cell,
    sidebar,
    wait_for_app,
)

#: The first test begins with an empty catalog, as a person does; the others find what it made.
pytestmark = pytest.mark.story

HOOKS = ["blocks.1.hook_mlp_out", "blocks.1.hook_resid_post", "blocks.4.hook_mlp_out"]


@pytest.fixture
def sample(jupyter: JupyterProcess) -> None:
    """Have the sample dataset and model, also where a test runs alone."""
    for noun in ("datasets", "models"):
        jupyter.api(noun, {"source": "sample"})
        while any(each["state"] != "ready" for each in jupyter.api(noun)[noun]):
            time.sleep(0.1)


def check_against_disk(
    server: JupyterProcess, hook: str, shape: tuple[int, ...], std: float, name: str
) -> None:
    """Compare what a cell printed with the file that the extraction left."""
    extractions = server.api("extractions")["extractions"]
    (found,) = [each for each in extractions if name in (each["name"], each["id"])]
    array = np.load(Path(found["path"]) / f"{hook}.npy", mmap_mode="r")
    assert array.shape == shape
    assert array.shape[0] == found["n_tokens"]
    assert std == pytest.approx(float(array[:100].astype("float64").std()), rel=1e-12)
    assert std > 0


def newest(server: JupyterProcess) -> str:
    """Return the id of the newest extraction."""
    extraction: str = server.api("extractions")["extractions"][0]["id"]
    return extraction


def configure(panels: Panels, max_samples: int) -> None:
    """Choose sample dataset and model, two layers, two hook points."""
    panels.choose("Dataset", "sample-stories")
    panels.choose("Model", "sample-model")
    layers = panels.root.get_by_role("textbox", name="Layers")
    panels.root.get_by_label("Distance between layers").fill("4")
    expect(layers).to_have_value("0,4")
    layers.fill("1,4")
    panels.point("resid_post")
    panels.point("mlp_out")
    panels.root.get_by_label("At most this many samples").fill(str(max_samples))
    estimate = panels.root.get_by_test_id("mistudio-estimate")
    expect(estimate).to_contain_text("Tokens")


def test_sidebar_to_kernel_in_jupyterlab(jupyter: JupyterProcess, page: Page, shots: Shots) -> None:
    jupyter.write_setting("@mistudio/labextension/plugin", {"notifyAfter": 1})
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    open_lab(page, jupyter)
    new_notebook(page)
    panels = sidebar(page)
    shots("welcome")

    panels.tab("Datasets")
    panels.add_sample_dataset()
    panels.row("sample-stories").get_by_role("button", name="Open sample-stories").click()
    expect(panels.root.get_by_test_id("mistudio-sample-0")).to_contain_text("The ")
    shots("samples")

    panels.tab("Models")
    panels.add_sample_model()
    panels.row("sample-model").get_by_role("button", name="Open sample-model").click()
    architecture = panels.root.get_by_test_id("mistudio-architecture")
    expect(architecture).to_contain_text("LlamaForCausalLM")
    expect(architecture.get_by_role("rowheader")).to_have_text(["0", "1", "2", "3", "4", "5"])
    tree = architecture.get_by_role("tree")
    tree.get_by_role("treeitem").filter(has_text="LlamaModel").click()
    expect(tree.get_by_role("treeitem").filter(has_text="layers")).to_be_visible()
    shots("architecture")

    panels.tab("Extract")
    configure(panels, 300)
    shots("extract")
    started = Started(jupyter, page)
    panels.button("Extract").click()
    expect(panels.root.get_by_role("progressbar").first).to_be_visible(timeout=SLOW)
    shots("progress")

    run = started.run(panels)
    run.get_by_role("button", name="Send to kernel").click()
    expect(run).to_contain_text("The kernel has it as acts", timeout=SLOW)
    expect(cells(page).first).to_contain_text("ms.open")
    summary = printed_summary(run_cell(page, SUMMARY))
    shots("in-the-kernel")

    expect(run).to_contain_text("Done", timeout=SLOW)
    check_against_disk(jupyter, *summary, name=newest(jupyter))
    assert summary[0] == HOOKS[0]
    shots("done")

    # The end of a job that took long is told, with the way to what it made.
    told = page.locator(".Toastify__toast").filter(has_text="the activations of")
    told.get_by_role("button", name="Look inside").click(timeout=SLOW)
    expect(panels.root.get_by_test_id("mistudio-extraction")).to_be_visible()
    shots("notified")

    # The form as code is the same extraction, which is there already.
    panels.tab("Extract")
    panels.button("Copy as Python").click()
    expect(panels.root.get_by_text("Copied")).to_be_visible()
    code = page.evaluate("() => navigator.clipboard.readText()")
    assert code.startswith("import mistudio_ext as ms")
    ran = run_cell(page, f"# copied\n{code}\nprint(acts.wait().id)")
    expect(ran.last).to_contain_text(newest(jupyter), timeout=SLOW)
    assert len(jupyter.api("extractions")["extractions"]) == 1

    choose_theme(page, "JupyterLab Dark")
    shots("done-dark")
    for tab in ("Datasets", "Models", "Jobs", "Activations"):
        panels.tab(tab)
        shots(f"{tab.lower()}-dark")


@pytest.mark.usefixtures("sample")
def test_windows_reloads_and_restarts(jupyter: JupyterProcess, page: Page) -> None:
    open_lab(page, jupyter)
    panels = sidebar(page)
    panels.tab("Jobs")
    expect(panels.root.get_by_test_id("mistudio-jobs")).to_be_visible()
    execute(page, "mistudio:open-in-main-area")
    tab = page.locator("#mistudio-main")
    Panels(tab).tab("Models")
    page.wait_for_timeout(1500)  # JupyterLab saves its layout a second after a change.
    page.goto(jupyter.page("lab"))
    sidebar_jobs = page.locator("#mistudio-sidebar").get_by_test_id("mistudio-jobs")
    expect(sidebar_jobs).to_be_visible(timeout=SLOW)
    expect(Panels(tab).row("sample-model")).to_be_visible(timeout=SLOW)

    # Another window shows what it wants, and the same records at the same time.
    other = page.context.new_page()
    open_lab(other, jupyter)
    there = sidebar(other)
    there.tab("Activations")
    expect(sidebar_jobs).to_be_visible()
    body = {"model": "sample-model", "dataset": "sample-stories", "max_samples": 20}
    jupyter.api("extractions", {**body, "name": "in-both"})
    expect(sidebar_jobs).to_contain_text("in-both", timeout=SLOW)
    expect(there.row("in-both")).to_contain_text("Done", timeout=SLOW)

    # A server that comes back is found again, and what was missed is read.
    jupyter.stop()
    lost = page.locator("#mistudio-sidebar").get_by_text("Reconnecting")
    expect(lost).to_be_visible()
    jupyter.start()
    expect(lost).to_be_hidden(timeout=SLOW)
    jupyter.api("extractions", {**body, "max_samples": 21, "name": "after-restart"})
    expect(sidebar_jobs).to_contain_text("after-restart", timeout=SLOW)
    expect(there.row("after-restart")).to_contain_text("Done", timeout=SLOW)
    other.close()


@pytest.mark.usefixtures("sample")
def test_panels_in_a_cell(jupyter: JupyterProcess, page: Page, shots: Shots) -> None:
    open_lab(page, jupyter)
    new_notebook(page)
    run_cell(page, "import mistudio_ext as ms")
    output = run_cell(page, "ms.ExtractionPanel()")
    panels = Panels(output)
    expect(output.get_by_test_id("mistudio-extract")).to_be_visible(timeout=SLOW)
    configure(panels, 200)
    shots("cell")
    started = Started(jupyter, page)
    panels.button("Extract").click()
    run = started.run(panels)
    run.get_by_role("button", name="Send to kernel").click()
    expect(run).to_contain_text("The kernel has it as acts", timeout=SLOW)
    summary = printed_summary(run_cell(page, SUMMARY))
    check_against_disk(jupyter, *summary, name=newest(jupyter))
    shots("cell-in-the-kernel")


@pytest.mark.usefixtures("sample")
def test_sidebar_to_kernel_in_notebook7(jupyter: JupyterProcess, page: Page, shots: Shots) -> None:
    open_notebook7(page, jupyter, "seven.ipynb")
    page.get_by_role("menuitem", name="View").click()
    page.get_by_role("menuitem", name="Show miStudio").click()
    panels = Panels(page.locator("#mistudio-sidebar"))
    panels.tab("Extract")
    configure(panels, 100)
    started = Started(jupyter, page)
    panels.button("Extract and open in notebook").click()
    run = started.run(panels)
    expect(run).to_contain_text("The kernel has it as acts", timeout=SLOW)
    expect(cells(page).first).to_contain_text("ms.open")
    summary = printed_summary(run_cell(page, SUMMARY))
    check_against_disk(jupyter, *summary, name=newest(jupyter))
    expect(run).to_contain_text("Done", timeout=SLOW)
    expect(run).to_contain_text("The kernel has it as acts")
    expect(cells(page).filter(has_text="ms.open")).to_have_count(1)
    shots("notebook7")

    widget = run_cell(page, "ms.JobsPanel()")
    expect(widget.get_by_test_id("mistudio-jobs")).to_contain_text("Extract", timeout=SLOW)
    shots("notebook7-cell")

    # What was chosen is there again after a reload.
    page.reload()
    wait_for_app(page)
    panels = sidebar(page)
    expect(panels.root.get_by_role("textbox", name="Layers")).to_have_value("1,4", timeout=SLOW)


class Started:
    """Finds the extraction that was started since."""

    def __init__(self, server: JupyterProcess, page: Page) -> None:
        self.server, self.page = server, page
        self.before = self._ids()

    def _ids(self) -> set[str]:
        return {each["id"] for each in self.server.api("extractions")["extractions"]}

    def run(self, panels: Panels) -> Locator:
        """Return the card of the run, once the server has it."""
        for _ in range(300):
            if new := self._ids() - self.before:
                return panels.root.get_by_test_id(f"mistudio-run-{new.pop()}")
            self.page.wait_for_timeout(100)
        raise AssertionError("No extraction was started.")
