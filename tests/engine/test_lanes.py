"""Two passes at a time: which models may, that it changes no bit, and what ends it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from mistudio_ext.activations import manifest as manifests
from mistudio_ext.engine import lanes, passes, run, threads
from mistudio_ext.engine.batches import Batch, Plan, make_plan
from mistudio_ext.engine.capture import Capture, make_slots
from mistudio_ext.engine.load import LoadedModel
from mistudio_ext.engine.points import build
from mistudio_ext.engine.structure import discover, text_model
from mistudio_ext.errors import CancelledError, ExtractionError, OutOfMemoryError

from .helpers import Recorder, make_spec, make_tokenization
from .tiny import FAMILIES, VOCAB, tiny_model

CPU = torch.device("cpu")
HOOKS = ["blocks.0.hook_resid_pre", "blocks.2.hook_resid_post"]
LENGTHS = [5, 11, 1, 30, 12, 7, 7, 26, 3, 19, 40, 2, 2, 8] * 12


def loaded(model: Any) -> LoadedModel:
    return LoadedModel(model, CPU, torch.float32)


def extract(
    folder: Path, model: Any, lengths: list[int] | None = None, **settings: Any
) -> tuple[Recorder, list[np.ndarray[Any, Any]]]:
    """Run one extraction of 80 tokens at once; return what it reported and stored."""
    tokenization = make_tokenization(folder / "tok", lengths or LENGTHS, VOCAB)
    settings = {"batch_tokens": 80, **settings}
    report = settings.pop("report", Recorder())
    spec = make_spec(folder / "out", folder, tokenization, HOOKS, **settings)
    run.extract(spec, report, loaded(model))
    return report, [np.load(folder / "out" / f"{hook}.npy") for hook in HOOKS]


class Crowd:
    """Counts the passes that are in a model at the same time."""

    def __init__(self, model: nn.Module, seconds: float = 0.002) -> None:
        self.most = self.inside = self.passes = 0
        self.seconds = seconds
        self._lock = threading.Lock()
        model.register_forward_pre_hook(self._enter)
        model.register_forward_hook(self._leave, always_call=True)

    def _enter(self, _: nn.Module, __: Any) -> None:
        with self._lock:
            self.inside += 1
            self.passes += 1
            self.most = max(self.most, self.inside)
        time.sleep(self.seconds)
        self.check()

    def _leave(self, *_: Any) -> None:
        with self._lock:
            self.inside -= 1

    def check(self) -> None:
        """Raise what a test wants to be raised in a pass."""


@pytest.fixture
def one_lane(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[np.ndarray[Any, Any]]]:
    """Let the very batches of two lanes go through one, by as many threads as one of them has."""

    def plan(**facts: Any) -> Plan:
        made = make_plan(**{**facts, "lanes": 2})
        assert made.lanes == 2
        return replace(made, lanes=1)

    def extract_alone(*args: Any, **settings: Any) -> list[np.ndarray[Any, Any]]:
        with monkeypatch.context() as patch:
            patch.setattr(run, "make_plan", plan)
            return extract(*args, threads=1, **settings)[1]

    return extract_alone


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_may_run_in_two_lanes(family: str) -> None:
    assert lanes.possible(loaded(tiny_model(family)), "fp32", 2) == 2


@pytest.mark.parametrize("family", FAMILIES)
def test_two_lanes_store_the_very_bits_of_one(
    family: str, tmp_path: Path, one_lane: Callable[..., list[np.ndarray[Any, Any]]]
) -> None:
    """Many small passes, so that each meets the other at every place."""
    model = tiny_model(family)
    _, two = extract(tmp_path / "two", model)
    one = one_lane(tmp_path / "one", model)
    for a, b in zip(one, two, strict=True):
        assert np.array_equal(a, b)
    # The first line holds the plan; the others checksums, statistics, and where chunks end.
    journals = [(tmp_path / x / "out/journal.jsonl").read_text() for x in ("one", "two")]
    assert journals[0].splitlines()[1:] == journals[1].splitlines()[1:]


@pytest.mark.parametrize("positions", ["last", "mean"])
def test_other_positions_too(
    positions: str, tmp_path: Path, one_lane: Callable[..., list[np.ndarray[Any, Any]]]
) -> None:
    model = tiny_model("llama")
    crowd = Crowd(model.model)
    _, two = extract(tmp_path / "two", model, positions=positions)
    assert crowd.most == 2
    one = one_lane(tmp_path / "one", model, positions=positions)
    assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))


def test_a_model_that_a_pass_changes_has_one_lane() -> None:
    counting = tiny_model("llama")
    counting.model.layers[1].calls = 0

    def count(module: Any, *_: Any) -> None:
        module.calls += 1

    counting.model.layers[1].register_forward_hook(count)
    assert lanes.possible(loaded(counting), "fp32", 2) == 1

    collecting = tiny_model("llama")
    collecting.model.norm.seen = []
    collecting.model.norm.register_forward_hook(lambda m, _, out: m.seen.append(out.shape))
    assert lanes.possible(loaded(collecting), "fp32", 2) == 1

    writing = tiny_model("llama")
    writing.model.register_buffer("place", torch.zeros(1))
    writing.model.register_forward_hook(lambda m, *_: m.place.add_(1) and None)
    assert lanes.possible(loaded(writing), "fp32", 2) == 1


@pytest.mark.parametrize("rope_type", ["dynamic", "longrope"])
def test_frequencies_that_depend_on_the_length_have_one_lane(rope_type: str) -> None:
    rope: dict[str, Any] = {"rope_type": rope_type, "rope_theta": 10000.0, "factor": 2.0}
    if rope_type == "longrope":
        factors = [1.0] * 6
        rope |= {"short_factor": factors, "long_factor": factors}
        rope |= {"original_max_position_embeddings": 64}
    model = tiny_model("llama", rope_parameters=rope)
    assert lanes.possible(loaded(model), "fp32", 2) == 1


def test_tables_of_positions_that_grow_have_one_lane() -> None:
    model = tiny_model("llama")
    model.model.norm.make_weights = lambda: None
    assert lanes.possible(loaded(model), "fp32", 2) == 1


def test_a_gpu_a_quantized_model_and_odd_threads_have_one_lane() -> None:
    model = tiny_model("llama")
    gpu = LoadedModel(model, torch.device("cuda"), torch.float32)
    assert lanes.possible(gpu, "fp32", 2) == 1
    assert [lanes.possible(loaded(model), fmt, 2) for fmt in ("q8", "q4", "q2")] == [1, 1, 1]
    assert [lanes.possible(loaded(model), "fp32", n) for n in (1, 2, 3, 4)] == [1, 2, 1, 2]
    model.hf_quantizer = object()
    assert lanes.possible(loaded(model), "fp32", 2) == 1


def test_what_is_in_memory_at_once_does_not_depend_on_the_lanes() -> None:
    facts: dict[str, Any] = {
        "device_type": "cpu",
        "batch_tokens": None,
        "row_bytes": 4608,
        "flops_per_token": 1e7,
        "padding": "plain",
    }
    one, two = (make_plan(**facts, longest=512, lanes=n) for n in (1, 2))
    assert (one.lanes, two.lanes) == (1, 2)
    assert 2 * two.batch_tokens == one.batch_tokens
    assert two.chunk_tokens == one.chunk_tokens
    assert make_plan(**facts, longest=1025, lanes=2).lanes == 1  # Two would take 2,050 tokens.
    assert Plan.from_dict(two.to_dict()) == two
    before = {"batch_tokens": 64, "chunk_tokens": 640, "padding": "plain"}
    assert Plan.from_dict(before).lanes == 1  # As what was begun before there were lanes.
    assert Plan.from_dict(before).to_dict() == before  # And what was finished can be taken over.


def test_threads_are_shared_while_there_are_lanes(tmp_path: Path) -> None:
    seen: set[int] = set()
    model = tiny_model("llama")
    crowd = Crowd(model.model)
    crowd.check = lambda: seen.add(torch.get_num_threads())  # type: ignore[method-assign]
    before = torch.get_num_threads()
    try:
        extract(tmp_path, model, threads=4)
        assert torch.get_num_threads() == 4
    finally:
        torch.set_num_threads(before)
    # Mapping the model is done with all of them.
    assert seen == {2, 4}


def test_where_two_do_not_fit_one_goes_on(tmp_path: Path) -> None:
    _, expected = extract(tmp_path / "a", tiny_model("llama"))
    model = tiny_model("llama")
    crowd = Crowd(model.model)

    def check() -> None:
        if crowd.inside > 1 and crowd.passes > 12:
            raise torch.OutOfMemoryError("DefaultCPUAllocator: can't allocate memory")

    crowd.check = check  # type: ignore[method-assign]
    report, stored = extract(tmp_path / "b", model)
    assert crowd.most == 2
    assert report.warnings == ["batch_reduced"]
    warning = manifests.read(tmp_path / "b/out")["warnings"][0]
    assert "Memory ran out 1 times; batches were reduced to 40 of 80 tokens" in warning["message"]
    for a, b in zip(expected, stored, strict=True):
        assert np.abs(a - b).max() < 2e-6


class SmallFromNowOn(Recorder):
    """Lets a model refuse more than 30 tokens at once, when it has been mapped."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self._model = model

    def phase(self, name: str, message: str = "") -> None:
        super().phase(name, message)
        if name == "extracting":
            self._model.register_forward_pre_hook(self._refuse, with_kwargs=True)

    def _refuse(self, _: nn.Module, __: Any, inputs: dict[str, Any]) -> None:
        if inputs["input_ids"].numel() > 30:
            raise torch.OutOfMemoryError("DefaultCPUAllocator: can't allocate memory")


def test_and_its_batches_are_halved_where_one_does_not_fit_either(tmp_path: Path) -> None:
    model = tiny_model("llama")
    lengths = [length for length in LENGTHS if length <= 30]
    _, expected = extract(tmp_path / "a", model, lengths)
    report, stored = extract(tmp_path / "b", model, lengths, report=SmallFromNowOn(model.model))
    assert report.warnings == ["batch_reduced"]
    for a, b in zip(expected, stored, strict=True):
        assert np.abs(a - b).max() < 2e-6


def test_a_sample_that_does_not_fit_alone_fails_with_what_to_change(tmp_path: Path) -> None:
    model = tiny_model("llama")
    with pytest.raises(OutOfMemoryError, match="One sample of 40 tokens does not fit"):
        extract(tmp_path, model, report=SmallFromNowOn(model.model))


@pytest.mark.parametrize("after", [0, 20])
def test_cancelled_it_goes_on_to_the_same_bits(after: int, tmp_path: Path) -> None:
    model = tiny_model("llama")
    _, expected = extract(tmp_path / "a", model)
    crowd = Crowd(model.model)
    with pytest.raises(CancelledError):
        extract(tmp_path / "b", model, report=Recorder(cancel_after=after))
    assert crowd.inside == 0
    assert not [t for t in threading.enumerate() if t.name.startswith("mistudio-")]
    found = manifests.read(tmp_path / "b/out")
    assert found["state"] == "cancelled"
    _, stored = extract(tmp_path / "b", model)
    assert all(np.array_equal(a, b) for a, b in zip(expected, stored, strict=True))


@pytest.mark.parametrize("changed", ["gpu", "threads"])
def test_what_two_lanes_began_goes_on_in_one(
    changed: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    model = tiny_model("llama")
    _, expected = extract(tmp_path / "a", model)
    crowd = Crowd(model.model)
    with pytest.raises(CancelledError):
        extract(tmp_path / "b", model, report=Recorder(cancel_after=20))
    assert crowd.most == 2
    if changed == "gpu":
        request.getfixturevalue("late_gpu")
    crowd.most = 0
    _, stored = extract(tmp_path / "b", model, threads=1 if changed == "threads" else 2)
    assert crowd.most == 1
    for a, b in zip(expected, stored, strict=True):
        assert np.abs(a - b).max() < 2e-6


@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_staging_buffers_will_do(
    count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where memory ends there are fewer of them than lanes could fill."""
    model = tiny_model("llama")
    _, expected = extract(tmp_path / "a", model)
    monkeypatch.setattr(passes, "make_slots", lambda _, *args: make_slots(count, *args))
    _, stored = extract(tmp_path / "b", model)
    assert all(np.array_equal(a, b) for a, b in zip(expected, stored, strict=True))


def test_a_pass_that_is_stopped_ends_at_its_next_hook_point() -> None:
    model = tiny_model("llama")
    points = [build(discover(model), model.config).points[hook] for hook in HOOKS]
    capture = Capture(model, text_model(model), points, "all", CPU)
    (slot,) = make_slots(1, 8, [48, 48], torch.float32, CPU)
    batch, ids = Batch(np.arange(2), np.full(2, 4)), np.full((2, 4), 5)
    capture.forward(batch, ids, slot)
    assert slot.rows == 8
    slot.clear()
    crowd = Crowd(model.model.layers[0])
    capture.stop()
    with pytest.raises(RuntimeError, match="2 of 2 hook points were not reached"):
        capture.forward(batch, ids, slot)
    capture.close()
    assert (slot.rows, crowd.passes) == (0, 0)


def test_a_thread_beside_the_model_computes_alone() -> None:
    before, seen = torch.get_num_threads(), []
    torch.set_num_threads(3)

    def work() -> None:
        torch.ones(1 << 16).add_(1)  # Where torch sets a thread up that was not before.
        seen.append(torch.get_num_threads())

    try:
        threads.start(work, "beside").join()
        assert (seen, torch.get_num_threads()) == ([1], 3)
    finally:
        torch.set_num_threads(before)


def test_an_error_in_a_lane_is_the_extraction_s(tmp_path: Path) -> None:
    model = tiny_model("llama")
    crowd = Crowd(model.model)

    def check() -> None:
        if crowd.passes >= 15:
            raise RuntimeError("shape mismatch")

    crowd.check = check  # type: ignore[method-assign]
    with pytest.raises((RuntimeError, ExtractionError), match="shape mismatch"):
        extract(tmp_path, model)
    found = manifests.read(tmp_path / "out")
    assert (found["state"], found["error"]["code"]) == ("failed", "internal_error")
    assert not [t for t in threading.enumerate() if t.name.startswith("mistudio-")]
