"""Looking into activations, by mouse, by keyboard and from Python; and the panels for everyone."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.servers import JupyterProcess
from tests.ui.axe import serious_findings
from tests.ui.conftest import SCREENSHOTS, Shots
from tests.ui.frontends import (
    SLOW,
    Panels,
    choose_theme,
    execute,
    new_notebook,
    open_lab,
    run_cell,
    sidebar,
)

HOOK = "blocks.3.hook_resid_post"


@pytest.fixture(scope="module")
def extraction(jupyter: JupyterProcess) -> dict[str, Any]:
    """Return an extraction of the sample, made over REST."""
    body = {
        "model": "sample-model",
        "dataset": "sample-stories",
        "hooks": ["resid_post"],
        "layers": [1, 3],
        "max_samples": 60,
        "name": "looked-into",
    }
    made: dict[str, Any] = jupyter.api("extractions", body)["extraction"]
    deadline = time.monotonic() + SLOW / 1000
    while made["state"] != "done":
        assert made["state"] in ("queued", "running"), made
        assert time.monotonic() < deadline
        time.sleep(0.2)
        made = jupyter.api(f"extractions/{made['id']}")
    return made


def shown_value(panels: Panels) -> float:
    """Return the value in the details of the token that is chosen."""
    text = panels.root.get_by_test_id("mistudio-token").locator("strong").inner_text()
    return float(text)


def test_look_inside(
    jupyter: JupyterProcess, extraction: dict[str, Any], page: Page, shots: Shots
) -> None:
    folder = Path(extraction["path"])
    array = np.load(folder / f"{HOOK}.npy", mmap_mode="r")
    offsets = np.load(folder / "offsets.npy")

    open_lab(page, jupyter)
    execute(page, "mistudio:open-panel", {"tab": "activations"})
    panels = Panels(page.locator("#mistudio-sidebar"))
    panels.row("looked-into").get_by_role("button", name="Open looked-into").click()
    panels.choose("Hook point", HOOK)
    panels.root.get_by_role("textbox", name="Dimension").fill("17")

    # The keyboard moves in the tokens; the value is the array's.
    tokens = panels.root.get_by_role("listbox")
    expect(tokens.get_by_role("option")).to_have_count(int(offsets[1]))
    # Values below zero: these are the dimension's, no longer norms.
    expect(tokens.locator(".jp-mistudio-mod-below").first).to_be_visible()
    tokens.focus()
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    expect(tokens.get_by_role("option").nth(3)).to_have_attribute("aria-selected", "true")
    expect(panels.root.get_by_test_id("mistudio-token")).to_contain_text("Stands out")
    assert shown_value(panels) == pytest.approx(float(array[3, 17]), rel=0.01)

    # The strongest sample, without first tokens, is the array's too.
    panels.root.get_by_role("button", name="Top samples").click()
    top = panels.root.get_by_test_id("mistudio-top")
    expect(top).to_contain_text("All 60 samples read", timeout=SLOW)
    values = array[:, 17].astype(np.float64)
    values[offsets[:-1]] = -np.inf
    best = int(np.searchsorted(offsets, values.argmax(), side="right")) - 1
    top.get_by_role("button", name=f"Sample {best},").click()
    expect(panels.root.get_by_role("textbox", name="Sample", exact=True)).to_have_value(str(best))
    expect(tokens).to_have_attribute("aria-label", re.compile(f"sample {best}\\."))
    assert shown_value(panels) == pytest.approx(values.max(), rel=0.01)

    # From the token to its document.
    panels.root.get_by_role("button", name="Document").click()
    text = jupyter.api(
        f"datasets/{extraction['dataset_id']}/samples?split=train&offset={best}&limit=1"
    )["samples"][0]["text"]
    expect(panels.root.get_by_test_id("mistudio-tokens")).to_contain_text(text[:40])

    # The projection, by keyboard.
    panels.root.get_by_role("button", name="Projection").click()
    canvas = panels.root.locator("canvas")
    canvas.focus(timeout=SLOW)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    place = panels.root.get_by_test_id("mistudio-plane").get_by_text(
        re.compile(r"sample \d+, token")
    )
    sample = re.search(r"sample (\d+)", place.inner_text())
    assert sample is not None
    page.keyboard.press("Enter")
    expect(tokens).to_have_attribute("aria-label", re.compile(f"sample {sample.group(1)}\\."))
    shots("look-inside")


def test_selection_is_a_trait_in_python(
    jupyter: JupyterProcess, extraction: dict[str, Any], page: Page
) -> None:
    open_lab(page, jupyter)
    new_notebook(page)
    cell = run_cell(
        page,
        "import mistudio_ext as ms\nlook = ms.ActivationPanel('looked-into')\nseen = []\n"
        "look.observe(lambda change: seen.append(change.new), 'selection')\nlook",
    )
    tokens = cell.get_by_role("listbox")
    tokens.get_by_role("option").nth(5).click(timeout=SLOW)
    expect(tokens.get_by_role("option").nth(5)).to_have_attribute("aria-selected", "true")
    read = run_cell(page, "print(seen[-1]['sample'], seen[-1]['token'], look.selection['hook'])")
    expect(read).to_contain_text("0 5 blocks.1.hook_resid_post", timeout=SLOW)

    run_cell(page, f"look.selection = dict(hook='{HOOK}', dimension=3, sample=7, token=2)")
    expect(tokens).to_have_attribute("aria-label", re.compile(r"sample 7\."), timeout=SLOW)
    expect(tokens.get_by_role("option").nth(2)).to_have_attribute("aria-selected", "true")
    expect(cell.get_by_role("textbox", name="Dimension")).to_have_value("3")

    # The static picture is in the notebook, and out of sight as long as the panel lives.
    picture = page.locator("[class^=jp-mistudio-picture]")
    expect(picture).to_be_attached()
    expect(picture).to_be_hidden()


def test_panels_in_an_exported_notebook(
    jupyter: JupyterProcess,
    extraction: dict[str, Any],
    browser: Browser,
    tmp_path: Path,
) -> None:
    """Without a kernel, without a server and without a network, what was looked at is there."""
    sources = [
        "import mistudio_ext as ms",
        f"ms.ActivationPanel('looked-into', selection=dict(hook='{HOOK}', dimension=3, sample=7))",
        "ms.DatasetPanel()",
        "ms.ExtractionPanel(model='sample-model', layers=[2, 5])",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(s) for s in sources])
    nbformat.write(notebook, tmp_path / "seen.ipynb")
    subprocess.run(
        [sys.executable, "-m", "nbconvert", "--execute", "--to", "html", "seen.ipynb"],
        cwd=tmp_path,
        env={
            **os.environ,
            "MISTUDIO_SERVER_URL": jupyter.url,
            "MISTUDIO_SERVER_TOKEN": jupyter.token,
        },
        check=True,
    )
    page = browser.new_page()
    page.context.set_offline(True)
    page.goto((tmp_path / "seen.html").as_uri(), wait_until="domcontentloaded")
    looked, datasets, chosen = page.locator("[class^=jp-mistudio-picture]").all()
    expect(looked).to_contain_text("looked-into")
    text = jupyter.api(f"extractions/{extraction['id']}/tokens?sample=7")["texts"]
    expect(looked.locator("span[title]").nth(4)).to_have_text(text[4])
    expect(datasets).to_contain_text("sample-stories")
    expect(chosen).to_contain_text("2, 5")
    SCREENSHOTS.mkdir(exist_ok=True)
    page.screenshot(path=SCREENSHOTS / "exported.png", full_page=True)
    page.context.close()


def test_everyone(
    jupyter: JupyterProcess, extraction: dict[str, Any], page: Page, shots: Shots
) -> None:
    open_lab(page, jupyter)
    page.keyboard.press("Control+Alt+m")
    panels = sidebar(page)
    expect(panels.root.get_by_role("tab", selected=True)).to_be_focused()
    findings: list[str] = []
    for theme in ("JupyterLab Light", "JupyterLab Dark"):
        choose_theme(page, theme)
        for tab in ("Datasets", "Models", "Extract", "Jobs", "Activations", "Machine"):
            panels.tab(tab)
            panels.root.get_by_role("tabpanel").locator("h2, h3").first.wait_for()
            page.wait_for_timeout(300)  # Colours change over a moment.
            findings += [
                f"{theme}, {tab}: {f}" for f in serious_findings(page, "#mistudio-sidebar")
            ]
            shots(f"everyone-{tab.lower()}-{theme.rpartition(' ')[2].lower()}")
        panels.tab("Activations")
        panels.row("looked-into").get_by_role("button", name="Open looked-into").click()
        panels.root.get_by_role("listbox").get_by_role("option").first.wait_for()
        findings += serious_findings(page, "#mistudio-sidebar")
        panels.root.get_by_role("button", name="Back").click()
    assert findings == []

    # Who asked for less motion gets none.
    page.emulate_media(reduced_motion="reduce")
    panels.tab("Extract")
    moving = """elements => elements.filter(element =>
        getComputedStyle(element).transitionProperty !== 'none').length"""
    assert panels.root.locator(".jp-mistudio *").evaluate_all(moving) == 0
    page.emulate_media(reduced_motion="no-preference")

    # The sidebar is no wider than JupyterLab makes it (250 px): nothing is out of reach.
    for tab in panels.root.get_by_role("tab").all():
        box = tab.bounding_box()
        around = panels.root.bounding_box()
        assert box is not None
        assert around is not None
        assert box["x"] + box["width"] <= around["x"] + around["width"] + 1, tab.inner_text()


class Keyboard:
    """Somebody who has no mouse."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def to(self, name: str, key: str = "Tab") -> Locator:
        """Press a key until the control with this name has the focus."""
        for _ in range(80):
            focused = self.page.locator("*:focus")
            if name in (self._name(focused) or ""):
                # What has the focus can be seen to have it.
                style = focused.evaluate(
                    "e => { const s = getComputedStyle(e);"
                    " return s.outlineStyle !== 'none' || s.boxShadow !== 'none'; }"
                )
                assert style, f"{name} does not show that it has the focus"
                return focused
            self.page.keyboard.press(key)
        raise AssertionError(f"The keyboard does not reach {name}.")

    @staticmethod
    def _name(focused: Locator) -> str | None:
        return focused.evaluate_all(
            "([e]) => e && (e.getAttribute('aria-label') || e.labels?.[0]?.textContent"
            " || e.textContent || '').trim()"
        )

    def press(self, name: str, key: str = "Enter") -> None:
        """Go to a control and press it."""
        self.to(name)
        self.page.keyboard.press(key)


def test_keyboard_alone(jupyter: JupyterProcess, extraction: dict[str, Any], page: Page) -> None:
    """From the shortcut to arrays in a kernel without a mouse."""
    open_lab(page, jupyter)
    new_notebook(page)
    page.keyboard.press("Control+Alt+m")
    panels = Panels(page.locator("#mistudio-sidebar"))
    keyboard = Keyboard(page)
    keyboard.to("Extract", "ArrowRight")
    keyboard.to("Dataset")
    page.keyboard.type("sample")
    keyboard.to("Model")
    page.keyboard.type("sample")
    keyboard.to("Layers")
    page.keyboard.press("Control+a")
    page.keyboard.type("2")
    keyboard.to("At most this many samples")
    page.keyboard.press("Control+a")
    page.keyboard.type("30")
    keyboard.press("Extract and open in notebook")
    run = panels.root.locator("[data-testid^=mistudio-run]")
    expect(run).to_contain_text("The kernel has it as acts", timeout=SLOW)

    # Into an extraction and back: the focus is where it was.
    page.keyboard.press("Escape")
    page.keyboard.press("Control+Alt+m")
    keyboard.to("Activations", "ArrowRight")
    keyboard.press("Open looked-into")
    expect(panels.root.get_by_role("listbox")).to_be_visible(timeout=SLOW)
    keyboard.press("Tokens of sample 0")
    page.keyboard.press("ArrowRight")
    expect(panels.root.get_by_test_id("mistudio-token")).to_contain_text("Stands out")
    keyboard.to("Back", "Shift+Tab")
    page.keyboard.press("Enter")
    expect(panels.row("looked-into").get_by_role("button", name="Open looked-into")).to_be_focused()
