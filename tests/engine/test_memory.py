"""Out of memory and out of range: injected on the CPU, handled, reported."""

from __future__ import annotations

import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from mistudio_ext.activations import manifest as manifests
from mistudio_ext.engine.batches import Batch
from mistudio_ext.engine.load import LoadedModel
from mistudio_ext.engine.memory import Budget, is_out_of_memory
from mistudio_ext.engine.run import extract
from mistudio_ext.errors import OutOfMemoryError

from .helpers import Recorder, make_spec, make_tokenization
from .tiny import VOCAB, tiny_model

HOOK = "blocks.2.hook_resid_post"
CPU = torch.device("cpu")


class SmallDevice(TorchDispatchMode):
    """Counts the live bytes of the tensors made under it and refuses more than a budget.

    It sees the thread that entered it alone: let the model run in one lane.
    """

    def __init__(self, budget: int) -> None:
        super().__init__()
        self._budget, self._live, self.refused = budget, 0, 0
        self._known: set[int] = set()

    def _free(self, key: int, size: int) -> None:
        self._known.discard(key)
        self._live -= size

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for tensor in result if isinstance(result, tuple | list) else (result,):
            if isinstance(tensor, torch.Tensor):
                storage = tensor.untyped_storage()
                key = storage._cdata
                if key not in self._known:
                    self._known.add(key)
                    self._live += storage.nbytes()
                    weakref.finalize(storage, self._free, key, storage.nbytes())
                if self._live > self._budget:
                    self.refused += 1
                    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate")
        return result


def run(folder: Path, lengths: list[int], mode: SmallDevice | None = None, **settings: Any) -> Any:
    tokenization = make_tokenization(folder / "tok", lengths, VOCAB)
    spec = make_spec(folder / "out", folder, tokenization, [HOOK], **settings)
    report = Recorder()
    loaded = LoadedModel(tiny_model("llama"), CPU, torch.float32)
    if mode is None:
        extract(spec, report, loaded)
    else:
        with mode:
            extract(spec, report, loaded)
    return report


def test_batches_are_halved_until_they_fit(tmp_path: Path) -> None:
    lengths = [16] * 64
    run(tmp_path / "a", lengths, batch_tokens=1024)
    mode = SmallDevice(1_200_000)
    report = run(tmp_path / "b", lengths, mode, batch_tokens=1024, threads=1)
    assert mode.refused > 0
    assert "batch_reduced" in report.warnings
    a, b = (np.load(tmp_path / x / "out" / f"{HOOK}.npy") for x in "ab")
    assert np.abs(a - b).max() < 2e-6
    assert manifests.read(tmp_path / "b/out")["warnings"][0]["code"] == "batch_reduced"


def test_one_sample_that_does_not_fit_fails_with_what_to_change(tmp_path: Path) -> None:
    with pytest.raises(OutOfMemoryError) as caught:
        run(tmp_path, [400] * 4, SmallDevice(1_200_000), batch_tokens=1600, threads=1)
    assert "shorter context" in (caught.value.hint or "")
    found = manifests.read(tmp_path / "out")
    assert (found["state"], found["error"]["code"]) == ("failed", "out_of_memory")


def batch_of(count: int, length: int = 10) -> Batch:
    return Batch(np.arange(count), np.full(count, length))


def test_the_budget_grows_back_below_what_failed() -> None:
    budget = Budget(160)
    seen: list[int] = []
    limit = 100

    def forward(batch: Batch) -> None:
        size = len(batch.samples) * batch.width
        if size > limit:
            raise torch.OutOfMemoryError("CUDA out of memory")
        seen.append(size)

    for _ in range(60):
        budget.run(batch_of(16), forward)
    assert sum(seen) == 60 * 160
    assert budget.halvings <= 3
    assert 80 <= budget.tokens < 160
    limit = 1000  # Memory is free again; still never above the ceiling that failed.
    for _ in range(60):
        budget.run(batch_of(16), forward)
    assert budget.ceiling is not None
    assert budget.tokens < budget.ceiling


def test_every_sample_runs_exactly_once_whatever_fails() -> None:
    generator = np.random.default_rng(0)
    budget, done = Budget(400), []

    def forward(batch: Batch) -> None:
        if len(batch.samples) > 1 and generator.random() < 0.5:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        done.extend(batch.samples.tolist())

    lengths = generator.integers(1, 40, 30)
    budget.run(Batch(np.arange(30), lengths), forward)
    assert sorted(done) == list(range(30))


def test_other_errors_are_not_taken_for_memory() -> None:
    assert is_out_of_memory(MemoryError())
    assert is_out_of_memory(RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED"))
    assert not is_out_of_memory(RuntimeError("shape mismatch"))
    with pytest.raises(RuntimeError, match="shape"):
        Budget(100).run(batch_of(2), lambda _: (_ for _ in ()).throw(RuntimeError("shape")))


def test_float16_overflow_is_counted_and_reported(tmp_path: Path) -> None:
    model = tiny_model("llama")
    with torch.no_grad():
        model.model.layers[2].mlp.down_proj.weight.mul_(1e6)
    tokenization = make_tokenization(tmp_path / "tok", [20, 9], VOCAB)
    spec = make_spec(tmp_path / "out", tmp_path, tokenization, [HOOK], dtype="float16")
    report = Recorder()
    result = extract(spec, report, LoadedModel(model, CPU, torch.float32))
    stored = np.load(tmp_path / "out" / f"{HOOK}.npy")
    wrong = int((~np.isfinite(stored)).sum())
    statistics = manifests.read(tmp_path / "out")["files"][f"{HOOK}.npy"]["statistics"]
    assert wrong > 0
    assert statistics["non_finite"] == wrong
    assert np.isfinite(statistics["mean"])
    assert "float16_overflow" in report.warnings
    assert str(wrong) in result["warnings"][0]["message"]


def test_nan_is_counted_and_reported(tmp_path: Path) -> None:
    model = tiny_model("llama")
    structure_first = LoadedModel(model, CPU, torch.float32)
    tokenization = make_tokenization(tmp_path / "tok", [20, 9], VOCAB)
    tokens = np.load(tmp_path / "tok/tokens.npy")
    with torch.no_grad():  # One token that the mapping's own batch does not use.
        model.model.embed_tokens.weight[int(tokens[-1])] = float("nan")
    spec = make_spec(tmp_path / "out", tmp_path, tokenization, ["hook_embed"], dtype="bfloat16")
    report = Recorder()
    extract(spec, report, structure_first)
    statistics = manifests.read(tmp_path / "out")["files"]["hook_embed.npy"]["statistics"]
    assert statistics["non_finite"] == 48 * int((tokens == tokens[-1]).sum())
    assert "non_finite" in report.warnings


def test_a_model_that_does_not_fit_fails_with_what_to_change(tmp_path: Path) -> None:
    with pytest.raises(OutOfMemoryError) as caught:
        run(tmp_path, [20], SmallDevice(50_000))
    assert "smaller format" in (caught.value.hint or "")
