"""Handles in a real kernel: what reaches the notebook."""

from __future__ import annotations

import os
from pathlib import Path
from queue import Empty

import pytest
from jupyter_client.blocking import BlockingKernelClient
from jupyter_client.manager import KernelManager

ROOT = Path(__file__).parents[2]


@pytest.fixture
def kernel(tmp_path):
    """A kernel of its own; kernel(code, until) -> its messages, until one is as wanted."""
    manager = KernelManager(kernel_name="python3")
    env = {**os.environ, "PYTHONPATH": str(ROOT), "IPYTHONDIR": str(tmp_path / "ipython")}
    manager.start_kernel(env=env)
    client: BlockingKernelClient = manager.blocking_client()
    client.start_channels()
    client.wait_for_ready(timeout=60)

    def run(code, until):
        client.execute(code)
        found = []
        while True:
            try:
                message = client.get_iopub_msg(timeout=20)
            except Empty:
                raise AssertionError(f"It never came: {found}") from None
            assert message["msg_type"] != "error", message["content"]["traceback"]
            found.append((message["msg_type"], message["content"]))
            if until(*found[-1]):
                return found

    yield run
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def _idle(kind, content):
    return kind == "status" and content["execution_state"] == "idle"


def test_the_card_follows_the_job_and_wait_draws_a_bar(kernel, slow_writer):
    folder, writer = slow_writer(0.05)
    kernel(
        f"from mistudio_ext.activations.handle import Activations as A\na = A({str(folder)!r})",
        _idle,
    )

    shown = kernel("a", _idle)
    (card,) = [content for kind, content in shown if kind == "display_data"]
    assert "run1 · queued" in card["data"]["text/plain"]
    assert "<progress" in card["data"]["text/html"]
    writer.stdin.write("go\n")
    writer.stdin.flush()

    def done(kind, content):
        return kind == "update_display_data" and "done" in content["data"]["text/plain"]

    waited = kernel("a.wait(timeout=30);", _idle)
    bars = [content for kind, content in waited if kind == "display_data"]
    assert len(bars) == 1
    assert "run1: " in bars[0]["data"]["text/plain"]
    bar_id = bars[0]["transient"]["display_id"]
    updates = [content for kind, content in waited if kind == "update_display_data"]
    of_bar = [each for each in updates if each["transient"]["display_id"] == bar_id]
    assert of_bar[-1]["data"]["text/plain"] == "run1: 136 of 136 tokens · 100% · done"
    of_card = [each for each in updates if each not in of_bar]
    if not of_card or "done" not in of_card[-1]["data"]["text/plain"]:
        of_card = [content for kind, content in kernel("0", done) if kind == "update_display_data"]
    assert "run1 · done · 136 tokens in 20 samples" in of_card[-1]["data"]["text/plain"]
    assert of_card[-1]["transient"]["display_id"] == card["transient"]["display_id"]

    # A finished one is a plain result of the cell.
    (result,) = [content for kind, content in kernel("a", _idle) if kind == "execute_result"]
    assert "136 × 8" in result["data"]["text/html"]
    assert "<progress" not in result["data"]["text/html"]
