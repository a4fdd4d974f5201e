"""What the memory of an extraction is foretold to be: the engine's own choices."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from mistudio_ext.batching import STAGING_BUFFERS
from mistudio_ext.catalog import ModelRecord
from mistudio_ext.engine import sizes
from mistudio_ext.engine.batches import make_plan
from mistudio_ext.engine.inspect import memory_of
from mistudio_ext.engine.load import load_model
from mistudio_ext.engine.structure import discover, parameter_count, text_model
from mistudio_ext.jobs.admission import Place
from mistudio_ext.services.estimates import device_memory
from mistudio_ext.spec import ExtractionSpec
from tests.engine.tiny import tiny_model

CPU = Place("cpu", None)
GPU = Place("gpu", 80 << 30)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any, ModelRecord]:
    """A model on disk, what is known of it, and its record."""
    folder = tmp_path_factory.mktemp("model")
    made = tiny_model("llama", hidden_size=256, intermediate_size=1024, num_hidden_layers=4)
    made.save_pretrained(folder)
    config = made.config
    known = {"sizes": sizes.sizes(config), "tied": config.tie_word_embeddings, "hooks": []}
    record = ModelRecord(
        id="model_tiny",
        name="tiny",
        source="path",
        identity="tiny",
        n_params=parameter_count(made),
        d_model=256,
        vocab_size=config.vocab_size,
    )
    return folder, known, record


def spec_of(n_hooks: int, **more: Any) -> ExtractionSpec:
    hooks = tuple(f"blocks.{n % 4}.hook_resid_post" for n in range(n_hooks))
    return ExtractionSpec(hooks=hooks, **more)


@pytest.mark.parametrize("n_hooks", [1, 9, 90])
def test_the_batch_is_the_engines(model: Any, n_hooks: int) -> None:
    """Weights, a pass and staging buffers of just the batches that the engine makes."""
    folder, known, record = model
    loaded = load_model(folder).model
    row = n_hooks * 256 * 2
    blocks = sum(parameter_count(block.module) for block in discover(loaded).blocks)
    plan = make_plan(
        device_type="cpu",
        batch_tokens=None,
        longest=64,
        row_bytes=row,
        flops_per_token=2.0 * blocks,
        padding="plain",
    )
    ids = torch.zeros(plan.batch_tokens // 64, 64, dtype=torch.long)
    with torch.no_grad(), sizes.LiveBytes() as live:
        text_model(loaded)(input_ids=ids, use_cache=False)
    measured = memory_of(loaded) + live.peak + STAGING_BUFFERS * plan.batch_tokens * row
    assert device_memory(record, spec_of(n_hooks), known, 64, CPU) == pytest.approx(
        measured, rel=0.1
    )


def test_what_is_asked_for_counts(model: Any) -> None:
    _, known, record = model
    sizes_of = [
        device_memory(record, spec_of(4, batch_tokens=tokens), known, 64, CPU)
        for tokens in (1024, 2048, 8192)
    ]
    assert sizes_of == sorted(set(sizes_of))
    one_long_sample = device_memory(record, spec_of(4), known, 100_000, CPU)
    assert one_long_sample > 10 * device_memory(record, spec_of(4), known, 64, CPU)


def test_a_small_gpu_gets_smaller_batches(model: Any) -> None:
    """The engine fits its batches into a GPU; so no job is refused for the largest ones."""
    _, known, record = model
    most = device_memory(record, spec_of(9), known, 64, GPU)
    assert most > 1 << 29
    small = Place("gpu", 1 << 28)
    assert device_memory(record, spec_of(9), known, 64, small) <= 1 << 28
    unknown = device_memory(record, spec_of(9), known, 64, Place("gpu", None))
    assert unknown == most


def test_without_an_architecture_parameters_are_counted(model: Any) -> None:
    """A model that is not here yet has nothing but its record."""
    _, known, record = model
    counted = device_memory(record, spec_of(4), None, 64, CPU)
    assert counted == pytest.approx(device_memory(record, spec_of(4), known, 64, CPU), rel=0.5)
    assert device_memory(replace(record, n_params=None), spec_of(4), None, 64, CPU) > 0
