"""Against TransformerLens itself: its own implementation of the models, given the same weights."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mistudio_ext.engine.load import LoadedModel
from mistudio_ext.engine.run import extract

from .helpers import Recorder, make_spec, make_tokenization
from .tiny import VOCAB, tiny_model

with warnings.catch_warnings():
    # Version 3 announces its own end when it is imported. It is the one to compare with:
    # version 4 runs transformers' implementation instead of one of its own.
    warnings.simplefilter("ignore")
    import transformer_lens as lens
    from transformer_lens.pretrained import weight_conversions as conversions

#: TransformerLens 3 announces its own end; what it computes is right all the same.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

LENGTHS = [40, 7, 23, 12]

#: How TransformerLens names what a family is; see its loading_from_pretrained.
SETTINGS: dict[str, dict[str, Any]] = {
    "gpt2": {
        "original_architecture": "GPT2LMHeadModel",
        "act_fn": "gelu_new",
        "d_mlp": 192,
        "normalization_type": "LN",
    },
    "gpt_neox": {
        "original_architecture": "GPTNeoXForCausalLM",
        "act_fn": "gelu",
        "d_mlp": 80,
        "normalization_type": "LN",
        "parallel_attn_mlp": True,
        "positional_embedding_type": "rotary",
        "rotary_adjacent_pairs": False,
        "rotary_dim": 3 * 4,
        "default_prepend_bos": False,
    },
    "llama": {
        "original_architecture": "LlamaForCausalLM",
        "act_fn": "silu",
        "d_mlp": 80,
        "normalization_type": "RMS",
        "positional_embedding_type": "rotary",
        "rotary_adjacent_pairs": False,
        "rotary_dim": 12,
        "gated_mlp": True,
        "final_rms": True,
        "n_key_value_heads": 2,
    },
}
CONVERT = {
    "gpt2": "convert_gpt2_weights",
    "gpt_neox": "convert_neox_weights",
    "llama": "convert_llama_weights",
}


def hooked(family: str, model: Any) -> Any:
    """Return TransformerLens's model with the weights of ``model``, unprocessed."""
    eps = getattr(
        model.config,
        {"gpt2": "layer_norm_epsilon", "gpt_neox": "layer_norm_eps"}.get(family, "rms_norm_eps"),
    )
    config = lens.HookedTransformerConfig(
        n_layers=3,
        d_model=48,
        n_ctx=64,
        d_head=12,
        n_heads=4,
        d_vocab=VOCAB,
        eps=eps,
        seed=0,
        dtype=torch.float32,
        device="cpu",
        **SETTINGS[family],
    )
    converted = getattr(conversions, CONVERT[family])(model, config)
    found = lens.HookedTransformer(config)
    found.load_and_process_state_dict(
        converted,
        fold_ln=False,
        center_writing_weights=False,
        center_unembed=False,
        fold_value_biases=False,
        refactor_factored_attn_matrices=False,
    )
    return found.eval()


@pytest.mark.parametrize("family", SETTINGS)
def test_every_point_equals_transformer_lens(family: str, tmp_path: Path) -> None:
    changes = {"rotary_pct": 1.0} if family == "gpt_neox" else {}
    model = tiny_model(family, **changes)
    names = ["hook_resid_pre", "hook_resid_post", "hook_attn_out", "hook_mlp_out"]
    names += ["attn.hook_z", "mlp.hook_post"]
    if family != "gpt_neox":
        names.append("hook_resid_mid")
    hooks = [f"blocks.{layer}.{name}" for layer in range(3) for name in names] + ["hook_embed"]
    tokenization = make_tokenization(tmp_path / "tok", LENGTHS, VOCAB)
    spec = make_spec(tmp_path / "out", tmp_path, tokenization, hooks, batch_tokens=64)
    extract(spec, Recorder(), LoadedModel(model, torch.device("cpu"), torch.float32))

    reference = hooked(family, model)
    tokens = np.load(tmp_path / "tok/tokens.npy").astype(np.int64)
    start = 0
    for length in LENGTHS:
        ids = torch.from_numpy(tokens[start : start + length])[None]
        with torch.inference_mode():
            _, cache = reference.run_with_cache(ids)
        for hook in hooks:
            stored = np.load(tmp_path / "out" / f"{hook}.npy")[start : start + length]
            expected = cache[hook][0].flatten(1).numpy()
            assert np.abs(stored - expected).max() < 1e-5, hook
        start += length
