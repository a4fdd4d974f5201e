"""The status bar and the Machine panel in JupyterLab."""

from __future__ import annotations

import os
import re
from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.servers import JupyterProcess
from tests.ui.frontends import SLOW, open_lab


def test_from_the_status_bar_to_what_takes_the_disk(
    jupyter: JupyterProcess, page: Page, shots: Callable[[str], None]
) -> None:
    """Memory stands in the status bar; a click shows the machine, and an item can be deleted."""
    started = jupyter.api("datasets", {"source": "sample"})
    orphan = jupyter.data_dir / "activations" / "ext_gone"
    orphan.mkdir(parents=True)
    (orphan / "blocks.0.hook_resid_post.npy").write_bytes(b"x" * 8192)
    os.utime(orphan / "blocks.0.hook_resid_post.npy", (0, 0))
    os.utime(orphan, (0, 0))
    open_lab(page, jupyter)
    status = page.locator(".jp-mistudio-status")
    expect(status).to_contain_text(re.compile(r"(RAM|GPU) [\d.]+ / [\d.]+ GB"), timeout=SLOW)
    while jupyter.api(f"datasets/{started['dataset']['id']}")["state"] != "ready":
        page.wait_for_timeout(200)
    while any(j["state"] in ("queued", "running") for j in jupyter.api("jobs")["jobs"]):
        page.wait_for_timeout(200)
    expect(status).not_to_contain_text(re.compile("job|waiting"), timeout=SLOW)
    status.click()
    panel = page.get_by_test_id("mistudio-monitor")
    expect(panel.get_by_role("img", name=re.compile("^Memory: .* of .* GB$")).first).to_be_visible()
    expect(panel.get_by_text("left to use")).to_be_visible()
    datasets = panel.get_by_test_id("mistudio-storage-datasets")
    datasets.get_by_role("button", name="Datasets").click()
    shots("machine")
    left_over = panel.get_by_test_id("mistudio-storage-leftovers")
    left_over.get_by_role("button", name="Left over").click()
    expect(left_over).to_contain_text("ext_gone")
    left_over.get_by_role("button", name="Clean up").click()
    expect(left_over).to_have_count(0)
    assert not orphan.exists()

    datasets.get_by_role("button", name="Delete sample-stories").click()
    datasets.get_by_role("button", name="Delete", exact=True).click()
    expect(datasets).to_have_count(0)
    assert jupyter.api("datasets")["datasets"] == []
