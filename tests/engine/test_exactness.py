"""What is stored equals independent references, whatever the layout, batch size or dtype."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import torch
import xxhash
from transformers import AutoModelForCausalLM

import mistudio_ext
from mistudio_ext.engine.load import LoadedModel
from mistudio_ext.engine.run import extract
from mistudio_ext.engine.structure import text_model

from .helpers import Recorder, make_spec, make_tokenization, one_by_one
from .tiny import VOCAB, tiny_model

SAMPLE = Path(mistudio_ext.__file__).parent / "sample" / "model"
RAGGED = [5, 11, 1, 30, 12, 7, 7, 26, 3, 19, 40, 2, 2, 8]
CPU = torch.device("cpu")
BLOCKS = {"gpt2": "transformer.h", "gpt_neox": "gpt_neox.layers", "llama": "model.layers"}


def run_tiny(
    family: str, folder: Path, hooks: list[str], lengths: list[int] | None = None, **settings: Any
) -> tuple[Any, dict[str, Any], dict[str, Any]]:
    """Extract from a tiny model in memory; return model, tokenization and result."""
    model = tiny_model(family)
    tokenization = make_tokenization(folder / "tok", lengths or RAGGED, VOCAB)
    spec = make_spec(folder / "out", folder, tokenization, hooks, **settings)
    result = extract(spec, Recorder(), LoadedModel(model, CPU, torch.float32))
    return model, tokenization, result


@pytest.mark.parametrize("family", ["gpt2", "gpt_neox", "llama"])
def test_equal_to_output_hidden_states_and_hand_written_hooks(family: str, tmp_path: Path) -> None:
    tiny_model(family).save_pretrained(tmp_path / "model")
    tokenization = make_tokenization(tmp_path / "tok", RAGGED, VOCAB)
    hooks = [f"blocks.{i}.hook_resid_post" for i in range(3)] + ["blocks.1.hook_resid_pre"]
    spec = make_spec(tmp_path / "out", tmp_path / "model", tokenization, hooks, batch_tokens=80)
    extract(spec, Recorder())

    model = AutoModelForCausalLM.from_pretrained(tmp_path / "model").eval()
    tokens, offsets = np.load(tmp_path / "tok/tokens.npy"), np.load(tmp_path / "tok/offsets.npy")
    last = f"{BLOCKS[family]}.2"
    by_hand = one_by_one(model, model, tokenization, {"last": (last, "output")})["last"]
    stored = {hook: np.load(tmp_path / "out" / f"{hook}.npy") for hook in hooks}
    for sample, (start, end) in enumerate(pairwise(offsets)):
        ids = torch.from_numpy(tokens[start:end].astype(np.int64))[None]
        with torch.inference_mode():
            states = model(input_ids=ids, output_hidden_states=True).hidden_states
        for hook, state in {
            "blocks.0.hook_resid_post": states[1],
            "blocks.1.hook_resid_post": states[2],
            "blocks.1.hook_resid_pre": states[1],
        }.items():
            assert np.abs(stored[hook][start:end] - state[0].numpy()).max() < 1e-5
        # hidden_states[-1] has the final norm applied; the last block must be hooked by hand.
        difference = stored["blocks.2.hook_resid_post"][start:end] - by_hand[sample]
        assert np.abs(difference).max() < 1e-5


def test_the_bundled_model_equals_its_hidden_states(tmp_path: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(SAMPLE, dtype=torch.float32).eval()
    n_layers, vocab = model.config.num_hidden_layers, model.config.vocab_size
    tokenization = make_tokenization(tmp_path / "tok", [64, 17, 128, 5, 90], vocab)
    hooks = [f"blocks.{i}.hook_resid_pre" for i in range(n_layers)]
    hooks += [f"blocks.{n_layers - 1}.hook_resid_post", "ln_final.hook_normalized"]
    extract(make_spec(tmp_path / "out", SAMPLE, tokenization, hooks), Recorder())
    offsets = np.load(tmp_path / "tok/offsets.npy")
    tokens = np.load(tmp_path / "tok/tokens.npy")
    for start, end in pairwise(offsets):
        ids = torch.from_numpy(tokens[start:end].astype(np.int64))[None]
        with torch.inference_mode():
            states = model(input_ids=ids, output_hidden_states=True).hidden_states
        for hook, state in zip(
            [*hooks[:n_layers], "ln_final.hook_normalized"], states, strict=True
        ):
            stored = np.load(tmp_path / "out" / f"{hook}.npy")[start:end]
            scale = max(1.0, float(state.abs().max()))
            assert np.abs(stored - state[0].numpy()).max() < 1e-5 * scale


@pytest.mark.parametrize("batch_tokens", [40, 64, 100, 512])
def test_batch_size_never_changes_a_result_beyond_rounding(
    batch_tokens: int, tmp_path: Path
) -> None:
    hooks = ["blocks.2.hook_resid_post"]
    run_tiny("llama", tmp_path / "a", hooks, batch_tokens=batch_tokens)
    run_tiny("llama", tmp_path / "b", hooks, batch_tokens=4096)
    a, b = (np.load(tmp_path / x / "out" / f"{hooks[0]}.npy") for x in "ab")
    assert np.abs(a - b).max() < 2e-6


def test_padded_layout_holds_the_packed_rows_and_zeros(tmp_path: Path) -> None:
    hook = "blocks.1.hook_attn_out"
    run_tiny("gpt2", tmp_path / "a", [hook], batch_tokens=64)
    _, _, result = run_tiny("gpt2", tmp_path / "b", [hook], batch_tokens=64, layout="padded")
    packed = np.load(tmp_path / "a/out" / f"{hook}.npy")
    padded = np.load(tmp_path / "b/out" / f"{hook}.npy")
    assert result["hooks"][hook] == [len(RAGGED), 40, 48] == list(padded.shape)
    start = 0
    for sample, length in enumerate(RAGGED):
        assert np.array_equal(padded[sample, :length], packed[start : start + length])
        assert not padded[sample, length:].any()
        start += length


def test_last_and_mean_positions(tmp_path: Path) -> None:
    hook = "blocks.1.hook_resid_post"
    rows = {}
    for positions in ("all", "last", "mean"):
        folder = tmp_path / positions
        run_tiny("llama", folder, [hook], batch_tokens=64, positions=positions)
        rows[positions] = np.load(folder / "out" / f"{hook}.npy")
    start = 0
    assert rows["last"].shape == rows["mean"].shape == (len(RAGGED), 48)
    for sample, length in enumerate(RAGGED):
        piece = rows["all"][start : start + length]
        assert np.array_equal(rows["last"][sample], piece[-1])
        assert np.abs(rows["mean"][sample] - piece.mean(0)).max() < 1e-6
        start += length


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_is_the_rounded_float32(dtype: str, tmp_path: Path) -> None:
    hook = "blocks.2.hook_mlp_out"
    run_tiny("llama", tmp_path / "a", [hook])
    run_tiny("llama", tmp_path / "b", [hook], dtype=dtype)
    full = np.load(tmp_path / "a/out" / f"{hook}.npy")
    half = np.load(tmp_path / "b/out" / f"{hook}.npy", mmap_mode="r")
    kind = np.dtype(np.float16) if dtype == "float16" else np.dtype(ml_dtypes.bfloat16)
    assert np.array_equal(half.view(kind), full.astype(kind))


def test_max_samples_and_empty_samples(tmp_path: Path) -> None:
    hook = "blocks.0.hook_resid_post"
    lengths = [4, 0, 6, 0, 0, 9, 3]
    run_tiny("llama", tmp_path / "a", [hook], lengths)
    _, _, result = run_tiny("llama", tmp_path / "b", [hook], lengths, max_samples=3)
    assert (result["n_samples"], result["n_tokens"]) == (3, 10)
    full = np.load(tmp_path / "a/out" / f"{hook}.npy")
    assert full.shape == (22, 48)
    assert np.abs(np.load(tmp_path / "b/out" / f"{hook}.npy") - full[:10]).max() < 1e-6
    assert np.array_equal(np.load(tmp_path / "b/out/offsets.npy"), [0, 4, 4, 10])
    assert len(np.load(tmp_path / "b/out/rows.npy")) == 3


def test_any_module_can_be_named(tmp_path: Path) -> None:
    name = "module:model.layers.1.mlp.up_proj"
    model, tokenization, result = run_tiny("llama", tmp_path, [name], batch_tokens=64)
    stored = np.load(tmp_path / "out" / "module_model.layers.1.mlp.up_proj.npy")
    where = {"up": ("model.layers.1.mlp.up_proj", "output")}
    reference = one_by_one(model, text_model(model), tokenization, where)["up"]
    assert result["hooks"][name] == [sum(RAGGED), 80]
    assert np.abs(stored - np.concatenate(reference)).max() < 1e-5


def test_manifest_checksums_and_statistics_describe_the_files(tmp_path: Path) -> None:
    hooks = ["blocks.0.hook_resid_post", "blocks.2.hook_mlp_out"]
    run_tiny("llama", tmp_path, hooks, batch_tokens=64, dtype="float16")
    manifest = json.loads((tmp_path / "out/manifest.json").read_text())
    assert manifest["state"] == "done"
    assert manifest["spec"]["layers"] == [0, 2]
    assert manifest["spec"]["hooks"] == hooks
    assert {"tokens.npy", "offsets.npy", "rows.npy"} <= set(manifest["files"])
    for name, entry in manifest["files"].items():
        content = (tmp_path / "out" / name).read_bytes()
        assert entry["bytes"] == len(content)
        assert entry["checksum"] == "xxh3_128:" + xxhash.xxh3_128(content).hexdigest()
    for hook in hooks:
        x = np.load(tmp_path / "out" / f"{hook}.npy").astype(np.float64)
        entry = manifest["files"][f"{hook}.npy"]
        found = entry["statistics"]
        assert entry["shape"] == list(x.shape)
        assert found["mean"] == pytest.approx(x.mean(), abs=1e-6)
        assert found["std"] == pytest.approx(x.std(), rel=1e-5)
        assert found["mean_norm"] == pytest.approx(np.linalg.norm(x, axis=1).mean(), rel=1e-5)
        assert found["max_abs"] == pytest.approx(np.abs(x).max())
        assert found["sparsity"] == pytest.approx((np.abs(x) < found["sparsity_threshold"]).mean())
        assert found["non_finite"] == 0


def test_progress_counts_tokens_or_samples(tmp_path: Path) -> None:
    model = tiny_model("gpt2")
    tokenization = make_tokenization(tmp_path / "tok", RAGGED, VOCAB)
    for positions, total in (("all", sum(RAGGED)), ("last", len(RAGGED))):
        report = Recorder()
        spec = make_spec(
            tmp_path / positions,
            tmp_path,
            tokenization,
            ["blocks.0.hook_resid_post"],
            batch_tokens=40,
            positions=positions,
        )
        extract(spec, report, LoadedModel(model, CPU, torch.float32))
        done = [step[0] for step in report.steps]
        assert report.phases == ["loading model", "extracting"]
        assert done == sorted(done)
        assert report.steps[-1][:2] == (total, total)
        assert report.steps[0][2] == ("tokens" if positions == "all" else "samples")
