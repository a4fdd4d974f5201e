"""Make the pictures of the documentation from a real JupyterLab, light and dark.

    python scripts/screenshots.py                    all pictures into docs/images
    python scripts/screenshots.py activations jobs   only these
    python scripts/screenshots.py --width 280 --out /tmp/narrow

A new picture is a function below that is named in PICTURES: it gets the panels and brings them
into the state to show. It needs what the browser tests need (`make install-test chromium`).
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from playwright.sync_api import Browser, Page, expect, sync_playwright  # noqa: E402

from tests.servers import JupyterProcess  # noqa: E402
from tests.ui.conftest import CHROMIUM_OPTIONS  # noqa: E402
from tests.ui.frontends import (  # noqa: E402
    SLOW,
    Panels,
    choose_theme,
    execute,
    new_notebook,
    open_lab,
    run_cell,
)

THEMES = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}


def prepare(server: JupyterProcess) -> None:
    """Extract from the sample, so that there is something to show."""
    everything = {
        "model": "sample-model",
        "dataset": "sample-stories",
        "hooks": ["resid_post", "attn_out", "mlp_out"],
        "max_samples": 600,
        "name": "stories-all-layers",
    }
    middle = {**everything, "hooks": ["resid_post"], "layers": [3], "name": "stories-layer-3"}
    for body in (everything, middle):
        wait_for(server, server.api("extractions", body)["extraction"]["id"])


def wait_for(server: JupyterProcess, extraction: str) -> None:
    """Wait until an extraction is done."""
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        found: dict[str, Any] = server.api(f"extractions/{extraction}")
        if found["state"] == "done":
            return
        if found["state"] in ("failed", "cancelled", "interrupted"):
            raise SystemExit(f"The extraction {found['state']}: {found['error']}")
        time.sleep(0.5)
    raise SystemExit("The extraction did not end within five minutes.")


# --- the states to show ----------------------------------------------------------------------


def back_to_list(panels: Panels) -> None:
    """Leave what is open in a panel, if something is."""
    back = panels.root.get_by_role("button", name="Back")
    if back.is_visible():
        back.click()


def welcome(panels: Panels) -> None:
    """Show the first run, before there is anything."""
    panels.tab("Extract")
    expect(panels.root.get_by_role("button", name="Try the sample")).to_be_visible()


def datasets(panels: Panels) -> None:
    """Show the list of datasets."""
    panels.tab("Datasets")
    back_to_list(panels)
    expect(panels.row("sample-stories")).to_be_visible()


def open_stories(panels: Panels) -> None:
    """Open the sample, from its list."""
    datasets(panels)
    panels.row("sample-stories").get_by_role("button", name="Open sample-stories").click()


def samples(panels: Panels) -> None:
    """Show what a search finds, somewhere in the middle."""
    open_stories(panels)
    panels.root.get_by_label("Search the texts").fill("lantern AND NOT fox")
    field = panels.root.get_by_label("Go to result")
    expect(panels.root.locator("mark").first).to_be_visible(timeout=SLOW)
    field.fill("20")
    field.press("Enter")
    expect(panels.root.get_by_text("20–")).to_be_visible()


def tokenise(panels: Panels) -> None:
    """Show what settings make of a text."""
    open_stories(panels)
    panels.root.get_by_label("Search the texts").fill("")
    panels.root.get_by_role("button", name="Tokenizations").click()
    made = panels.root.get_by_test_id("mistudio-tokenizations")
    made.get_by_role("button", name="Tokenise", exact=True).click()
    made.get_by_label("Context length").fill("24")
    made.get_by_label("Longer texts").select_option("chunk")
    made.get_by_label("Row").fill("3")
    made.get_by_label("Show the ids").check()
    preview = made.get_by_test_id("mistudio-tokenize-preview")
    expect(preview.get_by_text("Context 2")).to_be_visible(timeout=SLOW)
    preview.scroll_into_view_if_needed()


def statistics(panels: Panels) -> None:
    """Show the statistics of a dataset by tokens."""
    open_stories(panels)
    panels.root.get_by_role("button", name="Statistics").click()
    panels.root.get_by_label("Count by").select_option(index=1, timeout=SLOW)
    found = panels.root.get_by_test_id("mistudio-statistics")
    expect(found).to_contain_text("Rarest tokens", timeout=SLOW)
    found.get_by_role("img").press("End")


def models(panels: Panels) -> None:
    """Show the list of models."""
    panels.tab("Models")
    expect(panels.row("sample-model")).to_be_visible()


def model(panels: Panels) -> None:
    """Show one model from top to bottom, with two formats made and measured."""
    panels.tab("Models")
    back_to_list(panels)
    panels.root.get_by_role("button", name="Open sample-model", exact=True).click()
    panels.point("resid_post")
    panels.root.get_by_role("button", name="Formats", exact=True).click()
    for name in ("q8", "q2"):
        made = panels.root.get_by_role("button", name=f"Open sample-model ({name})")
        expect(made.or_(panels.button(f"Make the {name} variant"))).to_be_visible(timeout=SLOW)
        if not made.count():
            panels.button(f"Make the {name} variant").click()
        expect(made).to_be_visible(timeout=SLOW)
    panels.root.get_by_role("heading", name="sample-model").scroll_into_view_if_needed()


def extract(panels: Panels) -> None:
    """Show the form with two hook points in every second layer."""
    panels.tab("Extract")
    panels.choose("Dataset", "sample-stories")
    panels.choose("Model", "sample-model")
    panels.root.get_by_role("textbox", name="Layers").fill("0-5:2")
    panels.point("resid_post")
    panels.point("mlp_out")
    expect(panels.root.get_by_test_id("mistudio-estimate")).to_contain_text("tokens/s")


def jobs(panels: Panels) -> None:
    """Show the list of jobs."""
    panels.tab("Jobs")
    expect(panels.root.get_by_test_id("mistudio-jobs")).to_contain_text("Extract")


def machine(panels: Panels) -> None:
    """Show the machine's last minutes and what takes the space."""
    panels.tab("Machine")
    expect(panels.root.get_by_test_id("mistudio-monitor")).to_contain_text("free", timeout=SLOW)
    toggle = panels.root.get_by_test_id("mistudio-storage-extractions").get_by_role("button").first
    if toggle.get_attribute("aria-expanded") == "false":
        toggle.click()
    panels.root.page.wait_for_timeout(20_000)  # For lines that one can see.


def list_of_activations(panels: Panels) -> None:
    """Show the list of extractions."""
    panels.tab("Activations")
    back_to_list(panels)
    expect(panels.row("stories-all-layers")).to_be_visible()


def activations(panels: Panels) -> None:
    """Show a sample coloured by one dimension."""
    list_of_activations(panels)
    panels.row("stories-all-layers").get_by_role("button", name="Open stories-all").click()
    panels.choose("Hook point", "blocks.3.hook_resid_post")
    panels.root.get_by_role("textbox", name="Dimension").fill("17")
    tokens = panels.root.get_by_role("listbox")
    tokens.get_by_role("option").nth(12).click()
    expect(panels.root.get_by_test_id("mistudio-token")).to_contain_text("Stands out")


def top_and_projection(panels: Panels) -> None:
    """Show top samples and projection."""
    activations(panels)
    for title in ("Top samples", "Projection"):
        toggle = panels.root.get_by_role("button", name=title)
        if toggle.get_attribute("aria-expanded") == "false":
            toggle.click()
    expect(panels.root.get_by_test_id("mistudio-top")).to_contain_text("samples read", timeout=SLOW)
    expect(panels.root.locator("canvas")).to_be_visible(timeout=SLOW)
    panels.root.get_by_test_id("mistudio-top").scroll_into_view_if_needed()
    panels.root.locator("canvas").hover(position={"x": 150, "y": 120})


PICTURES: dict[str, Callable[[Panels], None]] = {
    "welcome": welcome,
    "datasets": datasets,
    "datasets-samples": samples,
    "datasets-tokenise": tokenise,
    "datasets-statistics": statistics,
    "models": models,
    "model": model,
    "extract": extract,
    "jobs": jobs,
    "machine": machine,
    "activations-list": list_of_activations,
    "activations": activations,
    "activations-look": top_and_projection,
}


#: Pixels of the page for pictures that need other ones than the usual.
SIZES = {"model": (760, 1780)}

#: The picture of the whole of JupyterLab.
LAB = "jupyterlab"


# --- taking them -----------------------------------------------------------------------------


def open_panels(page: Page, server: JupyterProcess, width: int | None) -> Panels:
    """Open the panels in a tab, or in a sidebar of a width."""
    open_lab(page, server)
    if width is None:
        execute(page, "mistudio:open-in-main-area")
        execute(page, "application:toggle-left-area")
        return Panels(page.locator("#mistudio-main"))
    execute(page, "mistudio:open-panel")
    # The sidebar is a part of a split panel; its sizes are shares of the page.
    page.evaluate(
        "width => { const split = document.querySelector('#jp-main-split-panel');"
        " const left = document.querySelector('#jp-left-stack');"
        " left.style.minWidth = left.style.maxWidth = width + 'px';"
        " window.dispatchEvent(new Event('resize')); }",
        width,
    )
    return Panels(page.locator("#mistudio-sidebar"))


def take(
    browser: Browser, server: JupyterProcess, names: list[str], out: Path, width: int | None
) -> None:
    """Take pictures in both themes."""
    usual = (1180 if width is None else 900, 860)
    size = {"width": usual[0], "height": usual[1]}
    context = browser.new_context(viewport=size, device_scale_factor=1.5)
    context.set_default_timeout(30_000)
    page = context.new_page()
    panels = open_panels(page, server, width)
    for theme, label in THEMES.items():
        choose_theme(page, label)
        for name in names:
            wide, high = SIZES.get(name, usual) if width is None else usual
            page.set_viewport_size({"width": wide, "height": high})
            PICTURES[name](panels)
            page.wait_for_timeout(400)
            page.mouse.move(0, 0) if name != "activations-look" else None
            panels.root.screenshot(path=out / f"{name}-{theme}.png")
            print(out / f"{name}-{theme}.png")
    context.close()


def take_lab(browser: Browser, server: JupyterProcess, out: Path) -> None:
    """Take the whole of JupyterLab: the sidebar beside a notebook that has the activations."""
    page = browser.new_page(viewport={"width": 1400, "height": 880})
    panels = open_panels(page, server, 420)
    choose_theme(page, THEMES["light"])
    new_notebook(page)
    run_cell(page, 'import mistudio_ext as ms\n\nacts = ms.open("stories-all-layers")\nacts')
    hook = "blocks.3.hook_resid_post"
    output = run_cell(page, f'x = acts["{hook}"]\nx.shape, acts.locate(1234)')
    expect(output).to_contain_text("192", timeout=SLOW)
    activations(panels)
    page.wait_for_timeout(800)
    page.screenshot(path=out / "jupyterlab.png")
    print(out / "jupyterlab.png")
    page.close()


def main() -> None:
    """Start a server and a browser, and take the pictures that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="PICTURE", help=", ".join([*PICTURES, LAB]))
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images")
    parser.add_argument("--width", type=int, help="a sidebar of this width instead of a tab")
    parser.add_argument("--folder", type=Path, help="keep the server's data here for next time")
    options = parser.parse_args()
    known = [*PICTURES, LAB]
    names = options.names or known
    if unknown := [name for name in names if name not in known]:
        parser.error(f"There is no picture {', '.join(unknown)}. There are {', '.join(known)}.")
    options.out.mkdir(parents=True, exist_ok=True)
    chromium = next(
        filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
    )
    folder = options.folder or Path(tempfile.mkdtemp(prefix="mistudio-pictures-"))
    server = JupyterProcess(folder)
    server.start()
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_OPTIONS)
            if "welcome" in names and not server.api("datasets")["datasets"]:
                take(browser, server, ["welcome"], options.out, options.width)
            prepare(server)
            rest = [name for name in names if name not in ("welcome", LAB)]
            if rest:
                take(browser, server, rest, options.out, options.width)
            if LAB in names:
                take_lab(browser, server, options.out)
            browser.close()
    finally:
        server.stop()
        if options.folder is None:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
