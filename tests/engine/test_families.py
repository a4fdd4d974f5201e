"""Every family: the map is found, verified, and what is stored is what a hand-written hook sees."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mistudio_ext.engine.capture import Capture
from mistudio_ext.engine.forward import batch_rule
from mistudio_ext.engine.inspect import inspect_model
from mistudio_ext.engine.load import LoadedModel
from mistudio_ext.engine.model.limits import limits_of
from mistudio_ext.engine.points import build
from mistudio_ext.engine.run import extract
from mistudio_ext.engine.structure import discover, text_model
from mistudio_ext.engine.verify import verify
from mistudio_ext.hookpoints import order

from .helpers import Recorder, make_spec, make_tokenization, one_by_one
from .tiny import FAMILIES, VOCAB, tiny_model

PARALLEL = {"gpt_neox", "gptj", "phi", "falcon", "cohere2"}
WITHOUT_MLP = {"mamba"}
#: Families (or layers of them) with experts, whose hidden activations are mixed.
EXPERTS = {"mixtral", "qwen3_moe", "gpt_oss"}


@pytest.mark.parametrize("family", FAMILIES)
def test_the_map_of_a_family_is_found_and_holds(family: str) -> None:
    model = tiny_model(family)
    structure = discover(model)
    mapped, checks = verify(model, structure, build(structure, model.config))
    shorts = {point.short for point in mapped.points.values()}

    assert structure.reason is None
    assert len(structure.blocks) == FAMILIES[family].get("num_hidden_layers", 3)
    assert {"embed", "resid_pre", "resid_post", "attn_out", "ln_final"} <= shorts
    assert ("mlp_out" in shorts) == (family not in WITHOUT_MLP)
    assert ("resid_mid" in shorts) == (family not in PARALLEL | WITHOUT_MLP)
    assert ("mlp_post" in shorts) == (family not in WITHOUT_MLP | EXPERTS)
    assert ("z" in shorts) == (family != "mamba")
    assert len(checks) >= 3
    assert all(check.passed and check.max_error < 2e-6 for check in checks), checks
    assert batch_rule.decide(model, structure, limits_of(model, structure)).padding == "plain"
    offered = [p for p in mapped.points.values() if p.layer is not None]
    assert {p.short for p in offered}.isdisjoint(
        short for short, why in mapped.unavailable.items() if not why.startswith("layers")
    )


@pytest.mark.parametrize("family", FAMILIES)
def test_what_is_stored_is_what_a_hand_written_hook_sees(family: str, tmp_path: Path) -> None:
    """Ragged samples, batched and padded, against the same samples one by one, in float32."""
    model = tiny_model(family)
    structure = discover(model)
    points = sorted(build(structure, model.config).points.values(), key=lambda p: order(p.name))
    lengths = [5, 11, 1, 30, 12, 7, 7, 26, 3, 19]
    tokenization = make_tokenization(tmp_path / "tok", lengths, VOCAB)
    spec = make_spec(
        tmp_path / "out", tmp_path, tokenization, [p.name for p in points], batch_tokens=64
    )
    loaded = LoadedModel(model, torch.device("cpu"), torch.float32)
    extract(spec, Recorder(), loaded)

    modules: dict[str, Any] = {p.name: (p.read.module, p.read.side) for p in points}
    reference = one_by_one(model, text_model(model), tokenization, modules)
    for point in points:
        stored = np.load(tmp_path / "out" / f"{point.name}.npy")
        expected = np.concatenate(reference[point.name]) * point.read.scale
        assert stored.shape == (sum(lengths), point.d)
        assert np.abs(stored - expected).max() < 1e-5, point.name


@pytest.mark.parametrize("family", ["gpt2", "llama", "gemma2", "falcon"])
def test_the_stored_points_add_up(family: str, tmp_path: Path) -> None:
    """resid_pre + attn_out + mlp_out = resid_post holds in the files, not only in the trace."""
    model = tiny_model(family)
    names = ["hook_resid_pre", "hook_attn_out", "hook_mlp_out", "hook_resid_post"]
    tokenization = make_tokenization(tmp_path / "tok", [9, 4, 17], VOCAB)
    hooks = [f"blocks.1.{name}" for name in names]
    spec = make_spec(tmp_path / "out", tmp_path, tokenization, hooks)
    extract(spec, Recorder(), LoadedModel(model, torch.device("cpu"), torch.float32))
    pre, attn, mlp, post = (np.load(tmp_path / "out" / f"{hook}.npy") for hook in hooks)
    assert np.abs(pre + attn + mlp - post).max() < 2e-6


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("family", ["llama", "gpt2", "gemma2", "gpt_neox", "granite"])
def test_the_map_is_the_same_in_half_precision(family: str, dtype: torch.dtype) -> None:
    full = tiny_model(family)
    expected = build(discover(full), full.config).points
    half = tiny_model(family).to(dtype)
    structure = discover(half)
    mapped, checks = verify(half, structure, build(structure, half.config))
    assert all(check.passed for check in checks), checks
    assert {n: p.read.module for n, p in mapped.points.items()} == {
        n: p.read.module for n, p in expected.items()
    }


def test_granite_multiplies_its_contributions_by_the_number_in_its_config() -> None:
    model = tiny_model("granite")
    mapped = build(discover(model), model.config)
    assert mapped.points["blocks.1.hook_attn_out"].read.scale == 0.22
    assert mapped.points["blocks.1.hook_mlp_out"].read.scale == 0.22
    assert mapped.points["hook_embed"].read.scale == 12.0


def test_a_post_norm_encoder_is_mapped() -> None:
    """BERT: resid_mid = LN(x + attn_out), resid_post = LN(resid_mid + mlp_out)."""
    from transformers import BertConfig, BertModel

    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=VOCAB,
        hidden_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=80,
        max_position_embeddings=64,
    )
    model = BertModel(config, add_pooling_layer=False).eval()
    structure = discover(model)
    mapped, checks = verify(model, structure, build(structure, config))
    assert {block.form for block in mapped.blocks} == {"post_norm"}
    assert {"resid_mid", "attn_out", "mlp_out"} <= {p.short for p in mapped.points.values()}
    assert all(check.passed for check in checks)
    # Every position sees all others, so padding must be masked.
    assert batch_rule.decide(model, structure, limits_of(model, structure)).padding == "mask"


def test_only_as_many_blocks_run_as_are_needed(tmp_path: Path) -> None:
    model = tiny_model("llama")
    structure = discover(model)
    points = build(structure, model.config).points
    reached: list[int] = []
    for index, block in enumerate(structure.blocks):
        block.module.register_forward_hook(lambda *_, i=index: reached.append(i))
    from mistudio_ext.engine.batches import Batch
    from mistudio_ext.engine.capture import make_slots

    cpu = torch.device("cpu")
    point = points["blocks.1.hook_resid_mid"]
    capture = Capture(model, text_model(model), [point], "all", cpu)
    (slot,) = make_slots(1, 8, [point.d], torch.float32, cpu)
    batch = Batch(np.array([0]), np.array([8]))
    capture.forward(batch, np.arange(8)[None] + 3, slot)
    assert reached == [0]  # Block 1 was left in its middle.
    assert slot.rows == 8


@pytest.mark.parametrize("family", ["gpt2", "gpt_neox", "llama", "qwen3_moe", "mamba"])
def test_inspection_describes_the_model(family: str, tmp_path: Path) -> None:
    tiny_model(family).save_pretrained(tmp_path)
    found = inspect_model(tmp_path, "fp32", False)
    assert found["model_type"] == family
    assert found["n_layers"] == 3
    assert found["d_model"] == 48
    assert found["vocab_size"] == VOCAB
    assert found["n_params"] == sum(
        p.numel() for p in {id(p): p for p in tiny_model(family).parameters()}.values()
    )
    assert found["parallel"] == (family == "gpt_neox")
    assert all(hook["verified"] and hook["max_error"] < 1e-5 for hook in found["hooks"])
    assert all(check["passed"] for check in found["checks"])
    shares = [node["share"] for node in found["tree"]]
    assert all(0 <= share <= 1 for share in shares)
    assert found["config"]["model_type"] == family
