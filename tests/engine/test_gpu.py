"""The GPU's path with a stand-in for the GPU: nothing is copied before somebody waits for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mistudio_ext.activations import manifest as manifests
from mistudio_ext.engine import capture, statistics
from mistudio_ext.engine.load import LoadedModel
from mistudio_ext.engine.run import extract

from .helpers import Recorder, make_spec, make_tokenization
from .tiny import VOCAB, tiny_model

HOOKS = ["blocks.0.hook_resid_post", "blocks.2.hook_mlp_out"]
LENGTHS = [int(n) for n in np.random.default_rng(2).integers(1, 32, 120)]
CPU = torch.device("cpu")


def run(folder: Path, **settings: Any) -> tuple[dict[str, bytes], dict[str, Any]]:
    tokenization = make_tokenization(folder / "tok", LENGTHS, VOCAB)
    settings = {"batch_tokens": 64, "dtype": "float16", "threads": 1, **settings}
    spec = make_spec(folder / "out", folder, tokenization, HOOKS, **settings)
    extract(spec, Recorder(), LoadedModel(tiny_model("llama"), CPU, torch.float32))
    arrays = {path.name: path.read_bytes() for path in (folder / "out").glob("*.npy")}
    return arrays, manifests.read(folder / "out")["files"]


def out_of_memory(*_: Any, **__: Any) -> Any:
    raise torch.OutOfMemoryError("CUDA out of memory.")


@pytest.mark.parametrize("positions", ["all", "last", "mean"])
@pytest.mark.parametrize("short", [False, True])
def test_same_bytes_and_statistics(
    positions: str, short: bool, tmp_path: Path, request: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the GPU has no memory left to measure in: the CPU does it then."""
    expected, known = run(tmp_path / "cpu", positions=positions)
    request.getfixturevalue("late_gpu")
    if short:
        monkeypatch.setattr(statistics, "measure_on_device", out_of_memory)
    else:
        monkeypatch.setattr(statistics.Meter, "measure", out_of_memory)
    found, files = run(tmp_path / "gpu", positions=positions)
    assert found == expected
    for name, entry in known.items():
        assert files[name]["statistics"] == (
            pytest.approx(entry["statistics"]) if entry["statistics"] else None
        )


@pytest.mark.usefixtures("late_gpu")
def test_fewer_staging_buffers_where_memory_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """One will do; none will not."""
    room = [True, True, False]
    make = capture._make_slot
    monkeypatch.setattr(
        capture, "_make_slot", lambda *args: make(*args) if room.pop(0) else out_of_memory()
    )
    assert len(capture.make_slots(3, 8, [4], torch.float16, CPU)) == 2
    room[:] = [False]
    with pytest.raises(torch.OutOfMemoryError):
        capture.make_slots(3, 8, [4], torch.float16, CPU)
