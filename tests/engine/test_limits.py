"""Limits come from the model itself, and probes fit it: tiny contexts, tiny vocabularies."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    OPTConfig,
    OPTForCausalLM,
    RobertaConfig,
    RobertaModel,
)

from mistudio_ext.engine.fidelity import measure, relative_errors
from mistudio_ext.engine.inspect import inspect_model
from mistudio_ext.engine.load import LoadedModel
from mistudio_ext.engine.model.limits import limits_of
from mistudio_ext.engine.run import extract
from mistudio_ext.engine.structure import discover
from mistudio_ext.engine.tracing import example_ids, ordinary_ids
from mistudio_ext.errors import InvalidInputError

from .helpers import Recorder, make_spec
from .tiny import tiny_model

SMALL: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
}


def widened(model: Any) -> Any:
    """Draw weights wide enough that every part matters."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.1)
    return model.eval()


def gpt2(n_positions: int, vocab: int, **changes: Any) -> Any:
    config = GPT2Config(
        vocab_size=vocab,
        n_positions=n_positions,
        n_embd=16,
        n_layer=2,
        n_head=2,
        **{"bos_token_id": None, "eos_token_id": None, **changes},
    )
    return widened(GPT2LMHeadModel(config))


def tokenization(folder: Path, rows: list[list[int]]) -> dict[str, Any]:
    folder.mkdir()
    np.save(folder / "tokens.npy", np.concatenate(rows).astype(np.uint16))
    np.save(folder / "offsets.npy", np.cumsum([0, *map(len, rows)]))
    np.save(folder / "rows.npy", np.arange(len(rows)))
    return {"id": "tok_0000000001", "path": str(folder), "settings": {"mode": "truncate"}}


def reference(blocks: Any, runner: Any, rows: list[list[int]]) -> list[np.ndarray[Any, Any]]:
    """Return what leaves each block in plain transformers, one sample at a time."""
    found: list[list[np.ndarray[Any, Any]]] = [[] for _ in blocks]

    def keep(index: int) -> Any:
        def hook(_: Any, __: Any, output: Any) -> None:
            value = output[0] if isinstance(output, tuple) else output
            found[index].append(value[0].float().numpy())

        return hook

    handles = [block.register_forward_hook(keep(i)) for i, block in enumerate(blocks)]
    with torch.no_grad():
        for row in rows:
            runner(input_ids=torch.tensor([row]), use_cache=False)
    for handle in handles:
        handle.remove()
    return [np.concatenate(parts) for parts in found]


@pytest.mark.parametrize("n_positions", range(1, 14))
def test_every_tiny_context_is_registered_and_extracted(n_positions: int, tmp_path: Path) -> None:
    vocab = 2 + n_positions % 4
    model = gpt2(n_positions, vocab)
    model.save_pretrained(tmp_path / "model")
    found = inspect_model(tmp_path / "model", "fp32", False)
    assert (found["context"], found["positions"], found["vocab_size"]) == (
        n_positions,
        n_positions,
        vocab,
    )
    assert all(check["passed"] for check in found["checks"])
    generator = np.random.default_rng(n_positions)
    lengths = [n_positions, 1, *generator.integers(1, n_positions + 1, 8).tolist()]
    rows = [generator.integers(0, vocab, n).tolist() for n in lengths]
    hooks = [f"blocks.{i}.hook_resid_post" for i in range(2)]
    spec = make_spec(
        tmp_path / "out", tmp_path / "model", tokenization(tmp_path / "t", rows), hooks
    )
    extract(spec, Recorder())
    for hook, expected in zip(
        hooks, reference(model.transformer.h, model.transformer, rows), strict=True
    ):
        stored = np.load(tmp_path / "out" / f"{hook}.npy")
        assert np.abs(stored - expected).max() < 1e-5


@pytest.mark.parametrize("vocab", [1, 2, 3])
def test_a_vocabulary_of_nothing_but_named_ids(vocab: int, tmp_path: Path) -> None:
    names = dict(zip(("pad_token_id", "bos_token_id", "eos_token_id"), range(vocab), strict=False))
    model = gpt2(5, vocab, **names)
    assert example_ids(model.config).max() < vocab
    assert ordinary_ids(model.config) == {1: [0], 2: [1], 3: [1, 2]}[vocab]
    rows = [[0] * 5, [vocab - 1] * 3]
    spec = make_spec(
        tmp_path / "out", tmp_path, tokenization(tmp_path / "t", rows), ["blocks.1.hook_resid_post"]
    )
    extract(spec, Recorder(), LoadedModel(model, torch.device("cpu"), torch.float32))
    (_, expected) = reference(model.transformer.h, model.transformer, rows)
    stored = np.load(tmp_path / "out" / "blocks.1.hook_resid_post.npy")
    assert np.abs(stored - expected).max() < 1e-5


def test_roberta_can_use_two_positions_less_than_its_table_has(tmp_path: Path) -> None:
    config = RobertaConfig(vocab_size=64, max_position_embeddings=34, **SMALL)
    model = widened(RobertaModel(config, add_pooling_layer=False))
    found = limits_of(model, discover(model))
    assert (found.context, found.hard) == (32, True)
    loaded = LoadedModel(model, torch.device("cpu"), torch.float32)
    generator = np.random.default_rng(0)
    rows = [generator.integers(5, 64, n).tolist() for n in (32, 10, 20)]
    hooks = ["blocks.1.hook_resid_post"]
    extract(
        make_spec(tmp_path / "out", tmp_path, tokenization(tmp_path / "t", rows), hooks),
        Recorder(),
        loaded,
    )
    (_, expected) = reference(model.encoder.layer, model, rows)
    assert np.abs(np.load(tmp_path / "out" / f"{hooks[0]}.npy") - expected).max() < 1e-5
    long = tokenization(tmp_path / "t2", [[7] * 33])
    with pytest.raises(InvalidInputError) as caught:
        extract(make_spec(tmp_path / "out2", tmp_path, long, hooks), Recorder(), loaded)
    assert (caught.value.code, caught.value.field) == ("context_too_long", "context")
    assert "at most 32" in (caught.value.hint or "")


def test_limits_of_tables_with_an_offset_of_computed_positions_and_of_none() -> None:
    opt = OPTForCausalLM(
        OPTConfig(
            vocab_size=64,
            hidden_size=32,
            num_hidden_layers=2,
            num_attention_heads=4,
            ffn_dim=48,
            word_embed_proj_dim=32,
            max_position_embeddings=20,
        )
    ).eval()
    found = limits_of(opt, discover(opt))
    assert (found.context, found.hard) == (20, True)
    llama = LlamaForCausalLM(LlamaConfig(vocab_size=64, max_position_embeddings=20, **SMALL)).eval()
    found = limits_of(llama, discover(llama))
    assert (found.context, found.hard) == (20, False)
    gptj = tiny_model("gptj")  # Its rows are looked up in a buffer, block by block.
    assert limits_of(gptj, discover(gptj)).positions == 64
    mamba = tiny_model("mamba")
    assert limits_of(mamba, discover(mamba)).context is None


def test_a_table_that_the_config_promises_too_much_of(tmp_path: Path) -> None:
    model = gpt2(16, 30)
    model.config.n_positions = model.config.max_position_embeddings = 99
    assert limits_of(model, discover(model)).positions == 16


def test_a_fact_for_display_that_fails_is_left_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Gemma 4 refuses to name one head_dim for all layers; any fact may fail so."""
    from mistudio_ext.engine import anatomy

    def broken(*_: Any) -> Any:
        raise RuntimeError("layers differ")

    gpt2(8, 20).save_pretrained(tmp_path)
    for name in ("block_of", "active_parameters"):
        monkeypatch.setattr(anatomy, name, broken)
    monkeypatch.setattr("mistudio_ext.engine.inspect.sizes", broken)
    monkeypatch.setattr("mistudio_ext.engine.inspect.meta_model", broken)
    found = inspect_model(tmp_path, "fp32", False)
    assert found["hooks"]
    assert found["block"] is found["sizes"] is found["active_params"] is None
    assert found["tree"]
    reasons = {fact["fact"]: fact["reason"] for fact in found["unknown"]}
    assert reasons["sizes"] == "RuntimeError: layers differ"


def test_gemma_4_with_heads_of_two_widths(tmp_path: Path) -> None:
    from transformers import Gemma4ForCausalLM, Gemma4TextConfig

    config = Gemma4TextConfig(
        vocab_size=64,
        hidden_size=48,
        intermediate_size=96,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=64,
        head_dim=12,
        global_head_dim=24,
        num_global_key_value_heads=1,
        layer_types=["sliding_attention", "sliding_attention", "full_attention"],
        sliding_window=8,
        hidden_size_per_layer_input=0,
        vocab_size_per_layer_input=64,
        num_kv_shared_layers=0,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
    )
    model = widened(Gemma4ForCausalLM(config))
    model.save_pretrained(tmp_path / "model")
    found = inspect_model(tmp_path / "model", "fp32", False)
    assert found["head_dim"] is None
    assert [fact["fact"] for fact in found["unknown"]] == ["head_dim"]
    generator = np.random.default_rng(1)
    rows = [generator.integers(5, 64, n).tolist() for n in (5, 30, 1, 12)]
    hook = "blocks.2.hook_resid_post"
    spec = make_spec(
        tmp_path / "out", tmp_path / "model", tokenization(tmp_path / "t", rows), [hook]
    )
    extract(spec, Recorder())
    expected = reference(model.model.layers, model.model, rows)[2]
    stored = np.load(tmp_path / "out" / f"{hook}.npy")
    assert np.abs(stored - expected).max() < 1e-5 * np.abs(expected).max()


def test_shapes_that_differ_are_named(tmp_path: Path) -> None:
    """The embedding was resized, and the config beside it is the old one."""
    gpt2(8, 27).save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "vocab_size": 20}))
    with pytest.raises(InvalidInputError) as caught:
        inspect_model(tmp_path, "fp32", False)
    assert (caught.value.code, caught.value.field) == ("incomplete_weights", "path")
    assert "transformer.wte.weight" in caught.value.message
    assert "27 × 16" in caught.value.message
    assert "20 × 16" in caught.value.message
    assert "report" not in caught.value.message


def test_weights_of_another_architecture_are_refused(tmp_path: Path) -> None:
    gpt2(8, 27).save_pretrained(tmp_path)
    llama = LlamaConfig(vocab_size=27, max_position_embeddings=8, **SMALL).to_dict()
    llama["architectures"] = ["LlamaForCausalLM"]
    (tmp_path / "config.json").write_text(json.dumps(llama))
    with pytest.raises(InvalidInputError) as caught:
        inspect_model(tmp_path, "fp32", False)
    assert caught.value.code == "incomplete_weights"
    assert "LlamaForCausalLM" in caught.value.message


def test_a_model_that_needs_more_than_token_ids_is_shown_and_refused(tmp_path: Path) -> None:
    model = gpt2(8, 20)

    def needs_images(*_: Any, **__: Any) -> None:
        raise ValueError("You have to specify pixel_values")

    model.transformer.register_forward_pre_hook(needs_images, with_kwargs=True)
    with pytest.raises(InvalidInputError) as caught:
        discover(model)
    assert caught.value.code == "unsupported_model"
    assert "pixel_values" in caught.value.message


def test_another_list_of_modules_is_not_taken_for_the_layers() -> None:
    """Gemma 3n's layers carry four streams at once; its projections feed each other, one by one."""
    model = gpt2(8, 20)
    model.config.n_layer = model.config.num_hidden_layers = 5
    found = discover(model)
    assert found.blocks == ()
    assert "5 layers, but only 2" in (found.reason or "")


@pytest.mark.parametrize("n_positions", [1, 3])
def test_variants_are_measured_within_the_model_s_limits(n_positions: int) -> None:
    loaded = LoadedModel(gpt2(n_positions, 5), torch.device("cpu"), torch.float32)
    for ids in (torch.ones(1, 64, dtype=torch.long), torch.full((1, 64), 99)):
        found = measure(loaded, [ids])
        assert all(len(layer) > 0 for layer in found.layers)
        assert relative_errors(found, measure(loaded, [ids])) == [0.0, 0.0]


@pytest.mark.parametrize(
    "key", ["transformer.h.1.mlp.c_fc.lora_A.weight", "transformer.h.2.mlp.c_fc.bias"]
)
def test_weights_that_no_block_reads_are_named(tmp_path: Path, key: str) -> None:
    """The config has fewer layers than the files, or no place for what was trained."""
    gpt2(8, 20).save_pretrained(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    save = {**weights, key: torch.ones(3), "value_head.weight": torch.ones(3)}
    save_file(save, tmp_path / "model.safetensors", metadata={"format": "pt"})
    (warning,) = inspect_model(tmp_path, "fp32", False)["warnings"]
    assert warning["code"] == "unused_weights"
    assert key in warning["message"]
    assert "value_head" not in warning["message"]


@pytest.mark.parametrize("layer", [0, 1])
def test_weights_that_are_not_finite_are_named(tmp_path: Path, layer: int) -> None:
    """NaN spreads through the blocks after it, which then no longer look like blocks."""
    key = f"transformer.h.{layer}.mlp.c_fc.weight"
    model = gpt2(8, 20)
    with torch.no_grad():
        model.get_parameter(key)[0, 0] = torch.nan
    model.save_pretrained(tmp_path)
    found = inspect_model(tmp_path, "fp32", False)
    assert ("weights_not_finite", True) in {
        (w["code"], key in w["message"]) for w in found["warnings"]
    }
    if not found["hooks"]:
        assert all(key in gone["reason"] for gone in found["unavailable"])
