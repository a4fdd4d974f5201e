"""The engine as a job runs it: a real worker process, on the bundled model."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mistudio_ext
from mistudio_ext.activations import journal as contents
from mistudio_ext.activations import manifest as manifests
from mistudio_ext.engine import journal
from mistudio_ext.engine.inspect import inspect_model

from .helpers import make_spec, make_tokenization

SAMPLE = Path(mistudio_ext.__file__).parent / "sample" / "model"
ROOT = Path(__file__).resolve().parents[2]
HOOKS = ["blocks.1.hook_resid_post", "blocks.3.hook_mlp_out"]


def start(job: Path, spec: dict[str, Any]) -> subprocess.Popen[bytes]:
    job.mkdir(exist_ok=True)
    (job / "spec.json").write_text(json.dumps(spec))
    return subprocess.Popen(
        [sys.executable, "-m", "mistudio_ext.workers", str(job)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def outcome(job: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((job / "result.json").read_text())
    return found


def test_the_bundled_model_is_mapped_whole() -> None:
    found = inspect_model(SAMPLE, "fp32", False)
    shorts = {hook["short"] for hook in found["hooks"]}
    assert shorts == {
        "embed", "resid_pre", "resid_mid", "resid_post", "attn_out", "mlp_out", "z", "mlp_post",
        "ln_final",
    }  # fmt: skip
    assert found["unavailable"] == []
    assert len(found["hooks"]) == 7 * found["n_layers"] + 2
    assert all(check["passed"] for check in found["checks"])


@pytest.mark.timeout(180)
def test_a_job_is_cancelled_then_goes_on_to_its_end(tmp_path: Path) -> None:
    tokenization = make_tokenization(tmp_path / "tok", [100] * 300, 3000)
    settings = {"batch_tokens": 400, "dtype": "float16"}
    spec = make_spec(tmp_path / "out", SAMPLE, tokenization, HOOKS, **settings)
    job = tmp_path / "job"
    with start(job, spec) as process:
        deadline = time.monotonic() + 90
        # A finished chunk, not only the first batches of one.
        while not (contents.last(tmp_path / "out") or {}).get("tokens") and (
            time.monotonic() < deadline
        ):
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        process.wait(60)
    assert outcome(job)["state"] == "cancelled"
    assert manifests.read(tmp_path / "out")["state"] == "cancelled"
    before = journal.read(tmp_path / "out")[1][-1].tokens
    assert 0 < before < 30_000

    with start(job, spec) as process:
        process.wait(120)
    done = outcome(job)
    assert done["state"] == "done"
    assert done["result"]["n_tokens"] == 30_000
    assert done["result"]["hooks"] == {hook: [30_000, 192] for hook in HOOKS}
    stored = np.load(tmp_path / "out" / f"{HOOKS[0]}.npy", mmap_mode="r")
    assert np.abs(stored).max(axis=1).min() > 0  # No row was left unwritten.
    events = [json.loads(line) for line in (job / "events.jsonl").read_text().splitlines()]
    assert {"loading model", "extracting"} <= {event.get("phase") for event in events}
    assert any(event.get("unit") == "tokens" and event["done"] == 30_000 for event in events)
