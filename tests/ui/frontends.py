"""What a person does in JupyterLab and Notebook 7, as functions."""

from __future__ import annotations

import json
import re
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

from tests.servers import JupyterProcess

SLOW = 120_000

#: Notebooks in the tests compute this from the first array of `acts`, and say it in one line.
SUMMARY = """\
acts.wait()
hook = acts.hooks[0]
print(hook, acts[hook].shape, float(acts[hook][:100].astype("float64").std()))"""


def open_lab(page: Page, server: JupyterProcess) -> None:
    """Open JupyterLab and wait until it can be used, and will not take the focus any more."""
    page.goto(server.page("lab?reset"))
    wait_for_app(page)
    # The launcher comes after the application, and takes the focus from what is being typed in.
    page.wait_for_function("() => document.activeElement?.closest('.jp-Launcher')", timeout=SLOW)


def open_notebook7(page: Page, server: JupyterProcess, name: str) -> None:
    """Open an empty notebook in Notebook 7."""
    write_notebook(server.notebooks / name)
    page.goto(server.page(f"notebooks/{name}"))
    wait_for_app(page)
    _wait_for_kernel(page)


def wait_for_app(page: Page) -> None:
    """Wait until a page that was opened or loaded again can be used."""
    page.wait_for_function(
        "() => window.jupyterapp?.commands?.hasCommand('mistudio:open-panel')", timeout=SLOW
    )
    page.evaluate("async () => { await window.jupyterapp.restored; }")


def new_notebook(page: Page) -> None:
    """Make a Python notebook in JupyterLab and wait for its kernel."""
    execute(page, "notebook:create-new", {"kernelName": "python3"})
    _wait_for_kernel(page)


def _wait_for_kernel(page: Page) -> None:
    expect(page.locator(".jp-Toolbar-kernelName:visible")).to_contain_text("Python 3", timeout=SLOW)
    expect(page.locator(".jp-Notebook-ExecutionIndicator:visible")).to_have_attribute(
        "data-status", "idle", timeout=SLOW
    )


def execute(page: Page, command: str, arguments: dict[str, object] | None = None) -> None:
    """Run a command of the application, as palette and menus do."""
    page.evaluate(
        "async ([command, args]) => { await window.jupyterapp.commands.execute(command, args); }",
        [command, arguments or {}],
    )


def write_notebook(path: Path) -> None:
    """Write a notebook with one empty cell."""
    cell = {
        "cell_type": "code",
        "execution_count": None,
        "id": "first",
        "metadata": {},
        "outputs": [],
        "source": "",
    }
    kernelspec = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook = {
        "cells": [cell],
        "metadata": {"kernelspec": kernelspec},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    path.write_text(json.dumps(notebook), encoding="utf-8")


def cells(page: Page) -> Locator:
    """Return the cells of the notebook that is shown."""
    return page.locator(".jp-Notebook:visible .jp-CodeCell")


def run_cell(page: Page, source: str) -> Locator:
    """Type a cell at the end of the notebook, run it, and return its output."""
    last = cells(page).last
    editor = last.locator(".cm-content")
    if editor.inner_text().strip():
        execute(page, "notebook:insert-cell-below")
        last = cells(page).last
        editor = last.locator(".cm-content")
    editor.click()
    page.keyboard.insert_text(source)
    page.keyboard.press("Shift+Enter")
    cell = cells(page).filter(has=page.locator(".cm-content", has_text=source.splitlines()[0]))
    return cell.last.locator(".jp-OutputArea-output")


def printed_summary(output: Locator) -> tuple[str, tuple[int, ...], float]:
    """Read what SUMMARY printed: hook, shape, standard deviation."""
    pattern = re.compile(r"(\S+) \((\d+), (\d+)\) ([\d.e-]+)")
    expect(output.last).to_contain_text(pattern, timeout=SLOW)
    found = pattern.search(output.last.inner_text())
    assert found is not None
    hook, rows, width, std = found.groups()
    return hook, (int(rows), int(width)), float(std)


def choose_theme(page: Page, theme: str) -> None:
    """Switch to ``JupyterLab Light`` or ``JupyterLab Dark`` and wait for it."""
    execute(page, "apputils:change-theme", {"theme": theme})
    expect(page.locator("body")).to_have_attribute("data-jp-theme-name", theme)
    expect(page.locator("#jupyterlab-splash")).to_have_count(0, timeout=SLOW)


class Panels:
    """The miStudio panels, wherever they are."""

    def __init__(self, root: Locator) -> None:
        self.root = root

    def tab(self, name: str) -> None:
        """Go to a tab."""
        self.root.get_by_role("tab", name=re.compile(f"^{name}")).click()

    def add_sample_dataset(self) -> None:
        """Add the bundled dataset and wait until it is ready."""
        self.root.get_by_role("button", name="Add sample dataset").click()
        expect(self.row("sample-stories")).to_contain_text("Ready", timeout=SLOW)

    def add_sample_model(self) -> None:
        """Add the bundled model and wait until it is ready."""
        self.root.get_by_role("button", name="Add sample model").click()
        expect(self.row("sample-model")).to_contain_text("Ready", timeout=SLOW)

    def row(self, name: str) -> Locator:
        """Return the row of a record."""
        return self.root.get_by_test_id(f"mistudio-row-{name}")

    def choose(self, label: str, option: str) -> None:
        """Choose in a list by what it shows."""
        control = self.root.get_by_label(label, exact=True)
        choice = control.locator("option", has_text=option).first
        value = choice.get_attribute("value", timeout=SLOW)
        control.select_option(value)

    def point(self, short: str, chosen: bool = True) -> None:
        """Press a hook point of the picture so that it is chosen, or not."""
        button = self.root.get_by_test_id(f"mistudio-point-{short}")
        if (button.get_attribute("aria-pressed") != "false") != chosen:
            button.click()
        expect(button).to_have_attribute("aria-pressed", "true" if chosen else "false")

    def button(self, name: str) -> Locator:
        """Return a button by its exact name."""
        return self.root.get_by_role("button", name=name, exact=True)


def sidebar(page: Page) -> Panels:
    """Return the panels in the sidebar, opened."""
    execute(page, "mistudio:open-panel")
    root = page.locator("#mistudio-sidebar")
    expect(root).to_be_visible()
    return Panels(root)
