"""More hooks of the same data: what another extraction holds is linked, the rest computed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mistudio_ext.activations import manifest as manifests
from mistudio_ext.activations.verify import verify
from mistudio_ext.engine.capture import Capture
from mistudio_ext.engine.load import LoadedModel
from mistudio_ext.engine.model import arithmetic
from mistudio_ext.engine.run import extract
from mistudio_ext.errors import CancelledError

from .helpers import Recorder, make_spec, make_tokenization
from .tiny import VOCAB, tiny_model

FEW = ["blocks.0.hook_resid_post", "blocks.1.hook_attn_out"]
MANY = ["blocks.0.hook_resid_post", "blocks.0.hook_mlp_out", *FEW[1:], "blocks.2.hook_resid_post"]
LENGTHS = [int(n) for n in np.random.default_rng(2).integers(1, 48, 300)]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs an extraction into a folder; returns the hook points of each forward pass."""
    tokenization = make_tokenization(tmp_path / "tok", LENGTHS, VOCAB)
    asked: list[list[str]] = []
    forward = Capture.forward

    def counting(self: Capture, *args: Any) -> None:
        asked.append([point.name for point in self._points])
        forward(self, *args)

    monkeypatch.setattr(Capture, "forward", counting)

    def go(name: str, hooks: list[str], *reuse: str, cancel: int | None = None, **settings: Any):  # type: ignore[no-untyped-def]
        settings = {"batch_tokens": 96, "dtype": "float16", **settings}
        spec = make_spec(tmp_path / name, tmp_path, tokenization, hooks, **settings)
        spec["extraction"] |= {"id": f"ext_{name}", "name": name}
        spec["extraction"]["reuse"] = [str(tmp_path / other) for other in reuse]
        asked.clear()
        extract(
            spec,
            Recorder(cancel),
            LoadedModel(tiny_model("llama"), torch.device("cpu"), torch.float32),
        )
        return list(asked)

    return go


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.npy"))}


def test_only_what_is_missing_is_computed(run: Any, tmp_path: Path) -> None:
    run("few", FEW)
    run("fresh", MANY)
    passes = run("more", MANY, "few")
    assert passes
    assert all(names == ["blocks.0.hook_mlp_out", "blocks.2.hook_resid_post"] for names in passes)
    assert contents(tmp_path / "more") == contents(tmp_path / "fresh")
    more, fresh = (manifests.read(tmp_path / name)["files"] for name in ("more", "fresh"))
    assert list(more) == list(fresh)
    for name, entry in more.items():
        taken = entry.pop("taken_from", None)
        assert (taken == {"id": "ext_few", "name": "few"}) == (entry["hook"] in FEW)
        assert entry == fresh[name]
    assert all(check["ok"] for check in verify(tmp_path / "more"))
    name = f"{FEW[0]}.npy"
    assert (tmp_path / "more" / name).stat().st_ino == (tmp_path / "few" / name).stat().st_ino


def test_fewer_hooks_need_no_forward_pass(run: Any, tmp_path: Path) -> None:
    run("many", MANY)
    assert run("few", FEW, "many") == []
    assert all(check["ok"] for check in verify(tmp_path / "few"))


def test_interrupted_with_taken_arrays_goes_on(run: Any, tmp_path: Path) -> None:
    run("few", FEW)
    run("fresh", MANY)
    with pytest.raises(CancelledError):
        run("more", MANY, "few", cancel=30)
    assert len(run("more", MANY, "few")) < len(run("again", MANY, "few"))
    assert contents(tmp_path / "more") == contents(tmp_path / "fresh")


def test_what_would_differ_or_is_damaged_is_computed(run: Any, tmp_path: Path) -> None:
    run("few", FEW)
    assert run("other", FEW, "few", dtype="bfloat16")
    assert run("plan", FEW, "few", batch_tokens=48)
    path = tmp_path / "few" / f"{FEW[0]}.npy"
    with path.open("r+b") as file:
        file.seek(5000)
        file.write(b"\x7f\x01")
    assert all(names == [FEW[0]] for names in run("more", FEW, "few"))
    assert all(check["ok"] for check in verify(tmp_path / "more"))


def test_making_one_again_leaves_the_other_alone(run: Any, tmp_path: Path) -> None:
    """A linked file is never written to: it belongs to two extractions."""
    run("few", FEW)
    run("more", MANY, "few")
    before = contents(tmp_path / "few")
    (tmp_path / "more" / "blocks.0.hook_mlp_out.npy").unlink()
    (tmp_path / "more" / "journal.jsonl").unlink()
    run("more", MANY)
    assert contents(tmp_path / "few") == before


def other_processor(monkeypatch: pytest.MonkeyPatch, folder: Path, name: str) -> None:
    info = folder / f"{name}.cpuinfo"
    info.write_text(f"processor\t: 0\nmodel name\t: {name}\n")
    monkeypatch.setattr(arithmetic, "_CPU_INFO", info)


@pytest.mark.parametrize("change", ["processor", "instructions"])
def test_arrays_of_two_processors_are_not_mixed(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    """They agree to rounding, not bit for bit: nothing is linked."""
    other_processor(monkeypatch, tmp_path, "A 1")
    run("few", FEW)
    if change == "processor":
        other_processor(monkeypatch, tmp_path, "B 2")
    else:
        monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    assert all(names == FEW for names in run("more", FEW, "few"))
    assert manifests.read(tmp_path / "few")["engine"]["processor"]["name"] == "A 1"


def test_an_interrupted_run_begins_anew_on_another_processor(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its rows would not be, bit for bit, those of the rest."""
    other_processor(monkeypatch, tmp_path, "A 1")
    run("whole", FEW)
    with pytest.raises(CancelledError):
        run("two", FEW, cancel=30)
    other_processor(monkeypatch, tmp_path, "B 2")
    whole = len(run("again", FEW))
    assert len(run("two", FEW)) == whole
    assert manifests.read(tmp_path / "two")["engine"]["processor"]["name"] == "B 2"
