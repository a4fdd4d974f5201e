"""Falling back to a smaller format: only if chosen, and said in the manifest."""

from __future__ import annotations

import weakref
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from mistudio_ext.activations.handle import Activations
from mistudio_ext.engine import run as engine
from mistudio_ext.engine.fallback import first_that_fits
from mistudio_ext.engine.inspect import memory_of
from mistudio_ext.engine.load import load_model
from mistudio_ext.errors import CancelledError, OutOfMemoryError
from mistudio_ext.sample import MODEL_DIR
from tests.engine.helpers import Recorder, make_spec, make_tokenization


class Budget(TorchDispatchMode):
    """Raises as a full device does when the live bytes made under it go beyond a budget."""

    def __init__(self, n_bytes: int) -> None:
        super().__init__()
        self.left = n_bytes
        self._seen: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        for tensor in made if isinstance(made, list | tuple) else [made]:
            if isinstance(tensor, torch.Tensor):
                self._count(tensor.untyped_storage())
        return made

    def _count(self, storage: torch.UntypedStorage) -> None:
        key = storage._cdata
        if key in self._seen:
            return
        n_bytes = storage.nbytes()
        self._seen.add(key)
        self.left -= n_bytes
        weakref.finalize(storage, self._freed, key, n_bytes)
        if self.left < 0:
            raise torch.OutOfMemoryError(f"tried to allocate {n_bytes} bytes")

    def _freed(self, key: int, n_bytes: int) -> None:
        self._seen.discard(key)
        self.left += n_bytes


def test_one_format_alone_never_falls_back() -> None:
    """Without a choice the error names the format, and no other is tried."""
    tried: list[str] = []

    def attempt(name: str) -> None:
        tried.append(name)
        raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(OutOfMemoryError) as caught:
        first_that_fits(("q8",), attempt)
    assert (tried, "q8" in str(caught.value)) == (["q8"], True)
    with pytest.raises(OutOfMemoryError, match="q8, q2"):
        first_that_fits(("q8", "q2"), attempt)
    assert tried == ["q8", "q8", "q2"]


def test_other_errors_are_no_reason() -> None:
    """Only memory makes it go on."""

    def attempt(name: str) -> None:
        raise RuntimeError(f"{name} is broken")

    with pytest.raises(RuntimeError, match="q8 is broken"):
        first_that_fits(("q8", "q4"), attempt)


def onto_a_device_of(n_bytes: int) -> Any:
    """Return a ``load_model`` that moves what it loads onto a device with so much memory."""

    def load(path: Path, name: str, *given: Any, **options: Any) -> Any:
        loaded = load_model(path, name, *given, **options)
        with Budget(n_bytes), torch.no_grad():
            for parameter in loaded.model.parameters():
                parameter.data = parameter.data.clone()
        return loaded

    return load


def test_an_extraction_says_what_it_fell_back_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """bf16 fits where fp32 does not; manifest, warnings and result say so; without a choice not."""
    whole = memory_of(load_model(MODEL_DIR, "fp32").model)
    monkeypatch.setattr(engine, "load_model", onto_a_device_of(int(whole * 0.7)))
    tokens = make_tokenization(tmp_path / "tok", [7, 5, 9], 400)
    raw = make_spec(tmp_path / "out", MODEL_DIR, tokens, ["blocks.1.hook_resid_post"])
    with pytest.raises(OutOfMemoryError):
        engine.extract(raw, Recorder())
    raw["model"]["fallback"] = ["bf16", "q8"]
    report = Recorder()
    result = engine.extract(raw, report)
    assert result["format"] == "bf16"
    assert [w["code"] for w in result["warnings"]] == ["format_fallback"] == report.warnings
    spec = Activations(str(tmp_path / "out")).manifest["spec"]
    assert (spec["requested_quantization"], spec["quantization"]) == ("fp32", "bf16")
    assert "did not fit" in spec["fallback_reason"]


def test_an_extraction_of_a_variant_that_fell_back_says_so_too(tmp_path: Path) -> None:
    """The variant's own job has fallen back before: what is made with it must not hide that."""
    tokens = make_tokenization(tmp_path / "tok", [7, 5], 400)
    raw = make_spec(tmp_path / "out", MODEL_DIR, tokens, ["blocks.0.hook_resid_post"], "bf16")
    raw["model"] |= {"requested_format": "fp32", "fallback_reason": "fp32 did not fit."}
    result = engine.extract(raw, Recorder())
    assert [(w["code"], w["message"]) for w in result["warnings"]] == [
        ("format_fallback", "fp32 did not fit.")
    ]
    spec = Activations(str(tmp_path / "out")).manifest["spec"]
    assert (spec["requested_quantization"], spec["quantization"]) == ("fp32", "bf16")


def test_a_resumed_extraction_stays_with_the_format_it_fell_back_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory is free again by then; arrays of two formats would be worth nothing."""
    whole = memory_of(load_model(MODEL_DIR, "fp32").model)
    tokens = make_tokenization(tmp_path / "tok", [9] * 400, 400)

    def spec(folder: str) -> dict[str, Any]:
        hooks = ["blocks.1.hook_resid_post"]
        raw = make_spec(tmp_path / folder, MODEL_DIR, tokens, hooks, batch_tokens=16)
        raw["model"]["fallback"] = ["bf16", "q8"]
        return raw

    monkeypatch.setattr(engine, "load_model", onto_a_device_of(int(whole * 0.7)))
    engine.extract(spec("whole"), Recorder())
    with pytest.raises(CancelledError):
        engine.extract(spec("again"), Recorder(cancel_after=120))
    assert 0 < Activations(str(tmp_path / "again")).samples_ready < 400
    monkeypatch.setattr(engine, "load_model", load_model)
    result = engine.extract(spec("again"), Recorder())
    assert result["format"] == "bf16"
    name = "blocks.1.hook_resid_post.npy"
    one, two = (tmp_path / folder / name for folder in ("whole", "again"))
    assert one.read_bytes() == two.read_bytes()
